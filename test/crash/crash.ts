import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { verifyAudit } from '../../src/audit/index.ts';
import { allScopes, callTool, freePort } from '../gateway/support.ts';
import { startIssuer } from '../identity/issuer.ts';

/** What a run of the harness has seen. Each list must be empty. */
export interface CrashReport {
  readonly rounds: number;
  /** Calls that the upstream saw, and answers that clients got. */
  readonly seen: number;
  readonly answered: number;
  readonly orphans: number;
  readonly faults: readonly string[];
}

const clients = 6;
const longestLifeMs = 1_500;

/**
 * Clients call through a gateway that is killed (SIGKILL) at random moments and started again, many times. Then what the upstream
 * saw and what clients got is held against the trail.
 */
export async function crash(
  rounds: number,
  progress: (round: number) => void = () => {},
): Promise<CrashReport> {
  const upstream = await startUpstream();
  const issuer = await startIssuer();
  const dataDir = await mkdtemp(join(tmpdir(), 'portcullis-crash-'));
  const port = await freePort();
  const file = join(dataDir, 'portcullis.yaml');
  await writeFile(file, configuration({ port, dataDir, upstream: upstream.url, issuer: issuer.issuer }));
  const url = `http://127.0.0.1:${port}/mcp`;
  const token = await issuer.sign({ aud: url, scope: allScopes, jti: 'crash' });
  const answered = new Set<string>();
  try {
    for (let round = 1; round <= rounds; round += 1) {
      const child = await start(file);
      const load = startLoad(url, token, answered);
      await new Promise((resolve) => setTimeout(resolve, Math.random() * longestLifeMs));
      child.kill('SIGKILL');
      await once(child, 'exit');
      await load.stop();
      progress(round);
    }
    const last = await start(file);
    last.send('stop');
    await once(last, 'exit');
    return { rounds, ...(await compare(dataDir, upstream.seen, answered)) };
  } finally {
    upstream.server.closeAllConnections();
    upstream.server.close();
    await issuer.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function start(file: string): Promise<ChildProcess> {
  const child = fork(fileURLToPath(new URL('./gateway-child.ts', import.meta.url)), [file]);
  const ended = once(child, 'exit').then(() => {
    throw new Error('the gateway did not start');
  });
  await Promise.race([once(child, 'message'), ended]);
  ended.catch(() => {});
  return child;
}

function startLoad(url: string, token: string, answered: Set<string>): { stop(): Promise<void> } {
  let over = false;
  const loops = Array.from({ length: clients }, async (_, client) => {
    for (let at = 0; !over; at += 1) {
      try {
        const answer = await callTool(url, token, 'echo', { text: `${client}-${at}` });
        await answer.text();
        answered.add(answer.headers.get('x-request-id') ?? 'an answer without an id');
      } catch {
        if (!over) await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
  });
  return {
    async stop() {
      over = true;
      await Promise.all(loops);
    },
  };
}

async function compare(
  dataDir: string,
  seen: readonly string[],
  answered: ReadonlySet<string>,
): Promise<Omit<CrashReport, 'rounds'>> {
  const db = new DatabaseSync(join(dataDir, 'audit.db'), { readOnly: true });
  const ids = (condition: string) =>
    db
      .prepare(`SELECT request_id FROM records WHERE ${condition}`)
      .all()
      .map((row) => String(row['request_id']));
  const [intents, outcomes] = [ids("phase = 'intent'"), ids("phase = 'outcome'")];
  const notices = ids("phase = 'event' AND event = 'call.orphaned'");
  db.close();
  const [intended, ended, noticed] = [new Set(intents), new Set(outcomes), new Set(notices)];
  const faults: string[] = [];
  const fail = (what: string, found: readonly string[]) => {
    if (found.length > 0) faults.push(`${what}: ${found.length}, such as ${found[0]}`);
  };
  fail(
    'seen upstream without an intent',
    seen.filter((id) => !intended.has(id)),
  );
  fail('seen upstream twice', twice(seen));
  fail(
    'answered without an outcome or a notice',
    [...answered].filter((id) => !ended.has(id) && !noticed.has(id)),
  );
  fail(
    'intents without an outcome or a notice',
    intents.filter((id) => !ended.has(id) && !noticed.has(id)),
  );
  fail('intents that are there twice', twice(intents));
  fail('outcomes that are there twice', twice(outcomes));
  fail('notices that are there twice', twice(notices));
  fail(
    'with an outcome and a notice',
    notices.filter((id) => ended.has(id)),
  );
  fail(
    'findings of verify',
    (await verifyAudit({ dataDir, postgres: null })).findings.map(({ message }) => message),
  );
  return { seen: seen.length, answered: answered.size, orphans: notices.length, faults };
}

function twice(ids: readonly string[]): string[] {
  const known = new Set<string>();
  return ids.filter((id) => known.size === known.add(id).size);
}

interface RecordingUpstream {
  readonly server: Server;
  readonly url: string;
  /** Request ids of the calls that came. */
  readonly seen: string[];
}

async function startUpstream(): Promise<RecordingUpstream> {
  const seen: string[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const message = JSON.parse(body || '{}') as { id?: unknown; method?: string };
    const isCall = message.method === 'tools/call';
    if (isCall) seen.push(String(request.headers['x-request-id']));
    const tool = { name: 'echo', inputSchema: { type: 'object' } };
    const result = isCall
      ? { resultType: 'complete', content: [{ type: 'text', text: 'done' }] }
      : { resultType: 'complete', tools: [tool] };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ jsonrpc: '2.0', id: message.id ?? null, result }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { server, url: `http://127.0.0.1:${port}/mcp`, seen };
}

interface Parts {
  readonly port: number;
  readonly dataDir: string;
  readonly upstream: string;
  readonly issuer: string;
}

function configuration({ port, dataDir, upstream, issuer }: Parts): string {
  return `publicUrl: http://127.0.0.1:${port}
listen: { host: 127.0.0.1, port: ${port} }
data: ${dataDir}
servers:
  notes: { path: /mcp, upstream: { url: "${upstream}" } }
auth:
  issuers:
    - { issuer: "${issuer}", audience: ["http://127.0.0.1:${port}/mcp"] }
limits: { client: none, organization: none, address: 100000/s, concurrent: { client: 100, upstream: 100 } }
audit: { checkpoints: { everySeconds: 1, everyRecords: 200 } }
`;
}
