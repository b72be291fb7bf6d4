import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { setTimeout as later } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ZooServer } from './server.ts';

const modules = fileURLToPath(new URL('../../../node_modules/', import.meta.url));
const everything = `${modules}@modelcontextprotocol/server-everything/dist/index.js`;

/** `@modelcontextprotocol/server-everything`, as its authors start it. */
export async function startEverything(): Promise<ZooServer> {
  const port = await freePort();
  return started('server-everything', port, {
    parameters: [everything, 'streamableHttp'],
    environment: { PORT: String(port) },
  });
}

/** `mcp-proxy` in front of the same server. */
export async function startMcpProxy(): Promise<ZooServer> {
  const port = await freePort();
  const options = ['--port', String(port), '--host', '127.0.0.1', '--server', 'stream'];
  return started('mcp-proxy', port, {
    parameters: [
      `${modules}mcp-proxy/dist/bin/mcp-proxy.mjs`,
      ...options,
      '--',
      process.execPath,
      everything,
      'stdio',
    ],
  });
}

/** `supergateway` in front of the same server. */
export async function startSupergateway(): Promise<ZooServer> {
  const port = await freePort();
  const stdio = `${process.execPath} ${everything} stdio`;
  const options = [
    '--stdio',
    stdio,
    '--outputTransport',
    'streamableHttp',
    '--stateful',
    '--port',
    String(port),
  ];
  return started('supergateway', port, { parameters: [`${modules}supergateway/dist/index.js`, ...options] });
}

interface Program {
  readonly parameters: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

async function started(name: string, port: number, { parameters, environment }: Program): Promise<ZooServer> {
  const child = spawn(process.execPath, parameters, {
    stdio: 'ignore',
    detached: true,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...environment },
  });
  await listening(port, child);
  return {
    name,
    url: `http://127.0.0.1:${port}/mcp`,
    async close() {
      if (child.exitCode !== null || child.pid === undefined) return;
      const exited = once(child, 'exit');
      process.kill(-child.pid, 'SIGKILL'); // its own children too
      await exited;
    },
  };
}

async function listening(port: number, child: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 600; tries += 1) {
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`);
    if (await canConnect(port)) return;
    await later(50);
  }
  throw new Error('the server does not listen');
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
