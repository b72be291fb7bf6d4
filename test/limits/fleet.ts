import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { callTool, freePort } from '../gateway/support.ts';
import { startIssuer } from '../identity/issuer.ts';
import { startFixtureServer } from '../support/fixture-server/index.ts';

/** Gateways in processes of their own, before one server, for the tokens of one issuer. */
export interface Fleet {
  /** Starts one more. @param dataDir name of its data directory; the same for all unless given */
  start(dataDir?: string): Promise<Member>;
  token(claims?: Record<string, unknown>): Promise<string>;
  readonly directory: string;
  close(): Promise<void>;
}

export interface Member {
  readonly url: string;
  readonly child: ChildProcess;
  /** Calls `echo` and gives the HTTP status. */
  call(token: string): Promise<Response>;
  /** Calls `delete_note`, which may destroy. */
  destroy(token: string): Promise<Response>;
  /** Ends it in order. */
  stop(): Promise<void>;
  kill(): Promise<void>;
}

export async function startFleet(rest: string, environment: Record<string, string> = {}): Promise<Fleet> {
  const upstream = await startFixtureServer();
  const issuer = await startIssuer();
  const directory = mkdtempSync(join(tmpdir(), 'portcullis-fleet-'));
  const members: Member[] = [];
  // All are one resource, as behind a load balancer: its audience is not the port of one of them.
  const audience = 'urn:fleet';

  async function start(dataDir = 'data'): Promise<Member> {
    const port = await freePort();
    const file = join(directory, `${port}.yaml`);
    const lines = [
      `publicUrl: http://127.0.0.1:${port}`,
      `listen: { port: ${port} }`,
      `data: ${join(directory, dataDir)}`,
      `servers: { notes: { path: /mcp, upstream: { url: "${upstream.url}" } } }`,
      `auth: { issuers: [{ issuer: "${issuer.issuer}", audience: "${audience}", claims: { organization: org } }] }`,
      rest,
    ];
    writeFileSync(file, `${lines.join('\n')}\n`);
    const child = fork(join(import.meta.dirname, 'gateway-process.ts'), [file], {
      env: { ...environment, PATH: process.env['PATH'] },
    });
    const [url] = (await Promise.race([once(child, 'message'), once(child, 'exit')])) as [string];
    if (typeof url !== 'string') throw new Error('a gateway of the fleet did not start');
    const ended = async (act: () => void): Promise<void> => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exit = once(child, 'exit');
      act();
      await exit;
    };
    const member: Member = {
      url,
      child,
      call: (token) => callTool(url, token, 'echo', { text: 'x' }),
      destroy: (token) => callTool(url, token, 'delete_note', { name: 'none' }),
      stop: () => ended(() => child.send('stop')),
      kill: () => ended(() => child.kill('SIGKILL')),
    };
    members.push(member);
    return member;
  }

  return {
    start,
    directory,
    token: (claims = {}) =>
      issuer.sign({ aud: audience, scope: 'mcp:tools:read mcp:tools:write', ...claims }),
    async close() {
      await Promise.all(members.map((member) => member.kill()));
      await issuer.stop();
      await upstream.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Calls on so many connections at once until each has made its share; gives how often each status came. */
export async function storm(
  members: readonly Member[],
  token: string,
  { connections, each }: { readonly connections: number; readonly each: number },
): Promise<Map<number, number>> {
  const found = new Map<number, number>();
  const one = async (index: number) => {
    for (let i = 0; i < each; i++) {
      const answer = await members[(index + i) % members.length]?.call(token);
      await answer?.arrayBuffer();
      found.set(answer?.status ?? 0, (found.get(answer?.status ?? 0) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: connections }, (_, index) => one(index)));
  return found;
}
