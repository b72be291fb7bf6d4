import type { OpenStreams } from '../pipeline/index.ts';
import type { Listening } from './server.ts';

/**
 * Orderly stop: no new connections, standing streams end, running calls get `withinMs`, then what is left is cut.
 */
export async function drain(
  server: Listening['server'],
  streams: OpenStreams,
  withinMs: number,
): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  server.closeIdleConnections();
  streams.closeStanding();
  const late = setTimeout(() => {
    streams.closeAll();
    server.closeAllConnections();
  }, withinMs);
  // Connections that fall idle while others still work would otherwise wait for their keep-alive to end.
  const sweep = setInterval(() => server.closeIdleConnections(), 50);
  await closed;
  clearTimeout(late);
  clearInterval(sweep);
  streams.closeAll();
}
