import { createServer } from 'node:net';

/** Tried in order after the wished one; then the system chooses. */
const attempts = 20;

/** The first port from `wished` upwards that nobody listens on. Another process may still take it before we do. */
export async function findFreePort(wished: number, host: string): Promise<number> {
  for (let port = wished; port > 0 && port < wished + attempts && port <= 65_535; port++) {
    if ((await tryPort(port, host)) !== null) return port;
  }
  return (await tryPort(0, host)) ?? wished;
}

/** @returns the port, or null when it cannot be had */
function tryPort(port: number, host: string): Promise<number | null> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(null));
    probe.listen({ port, host, exclusive: true }, () => {
      const address = probe.address();
      const found = typeof address === 'object' && address !== null ? address.port : null;
      probe.close(() => resolve(found));
    });
  });
}
