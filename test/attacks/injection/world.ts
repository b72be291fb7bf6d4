import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createAuditTrail } from '../../../src/audit/index.ts';
import { openAccounts } from '../../../src/authorization-server/index.ts';
import { neutralJson, silentLog, systemClock, timestamp } from '../../../src/base/index.ts';
import { readAuditorKey } from '../../../src/config/auditor-key.ts';
import { definitionHash } from '../../../src/pins/definition.ts';
import { type Finding, openPinStore } from '../../../src/pins/index.ts';
import { record } from '../../audit/support.ts';
import { hostile, withLoneSurrogate } from './hostile.ts';

export const openId = '0198c6a0-0000-7000-8000-00000000000c';
export const requestId = '0198c6a0-0000-7000-8000-00000000000a';
export const tool = hostile;

/** Data of a gateway whose servers, clients and callers all mean harm. */
export async function hostileData(dataDir: string): Promise<void> {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  await calls(dataDir);
  people(dataDir);
  pins(dataDir);
}

async function calls(dataDir: string): Promise<void> {
  const auditor = generateKeyPairSync('x25519');
  writeFileSync(join(dataDir, 'key.pem'), auditor.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const auditorKey = readAuditorKey(String(auditor.publicKey.export({ type: 'spki', format: 'pem' })));
  if ('message' in auditorKey) throw new Error(auditorKey.message);
  const trail = await createAuditTrail({ dataDir, clock: systemClock, log: silentLog, auditorKey });
  const now = systemClock.now();
  const call = record({
    timestamp: timestamp(now),
    request_id: requestId,
    client_id: hostile,
    client_name: hostile,
    subject: withLoneSurrogate,
    tool_name: hostile,
    target: withLoneSurrogate,
    detail: hostile,
    method: hostile,
    issuer: hostile,
    organization: hostile,
    token_id: hostile,
    user_agent: hostile,
    scopes: [hostile],
    rule: hostile,
    would_deny: [{ layer: 'policy', reason: 'scope_missing', rule: hostile }],
    result: 'denied_scope',
    reason: 'scope_missing',
  });
  await trail.intent({ ...call, result: null, reason: null, latency_ms: null, http_status: null });
  trail.outcome(call);
  trail.outcome({ ...call, request_id: `${requestId.slice(0, -1)}b`, result: 'success', reason: 'ok' });
  const captured = await trail.capture({
    requestId: openId,
    server: call.server,
    organization: call.organization,
    tool: hostile,
    arguments: { [hostile]: hostile, plain: withLoneSurrogate.slice(0, -2) },
    capture: { as: 'encrypted', fields: [] },
  });
  trail.outcome({ ...call, request_id: openId, ...captured });
  trail.event({
    timestamp: timestamp(now),
    event: 'client.registered',
    client_id: hostile,
    subject: hostile,
    data: { name: hostile, [hostile]: withLoneSurrogate },
  });
  await trail.flush();
  await trail.close();
}

/** What a provider, or a client that registers, says of itself, as the store has it. */
function people(dataDir: string): void {
  openAccounts(dataDir, systemClock).close();
  const db = new DatabaseSync(join(dataDir, 'authorization.db'));
  const now = Date.now();
  db.prepare('INSERT INTO accounts (id, name, role, password_hash, created_at) VALUES (?, ?, ?, ?, ?)').run(
    'person',
    hostile,
    'user',
    '',
    now,
  );
  db.prepare(
    'INSERT INTO external_identities (issuer, subject, account_id, signed_in_at, checked_at, removed_name) VALUES (?, ?, NULL, ?, ?, ?)',
  ).run(hostile, 'gone', now, now, hostile);
  const insert = db.prepare(
    'INSERT INTO records (kind, id, payload, client_id, account_id, created_at) VALUES (?, ?, ?, ?, ?, ?)',
  );
  insert.run('Client', hostile, JSON.stringify({ client_name: hostile }), hostile, null, now);
  insert.run(
    'Grant',
    'grant-1',
    JSON.stringify({ resources: { [hostile]: hostile } }),
    hostile,
    'person',
    now,
  );
  db.close();
}

function pins(dataDir: string): void {
  const store = openPinStore(dataDir);
  const definition = (description: string) => {
    const value = { name: tool, description, inputSchema: { type: 'object', [hostile]: hostile } };
    const text = JSON.stringify(value);
    return { name: tool, text, hash: definitionHash(text), tool: value };
  };
  const at = timestamp(systemClock.now());
  const findings: Finding[] = [{ grade: 'high', kind: 'instruction', path: hostile, detail: hostile }];
  for (const name of [tool, 'plain']) {
    store.pin({ server: 'notes', tool: name, definition: definition('before'), by: hostile, at });
    store.hold({ server: 'notes', tool: name, caller: '', definition: definition(hostile), findings, at });
  }
  store.close();
}

/** A string as YAML and JSON both have it. */
export const quoted = (text: string): string => JSON.stringify(text);

/** Files that somebody else wrote. */
export function hostileFiles(cwd: string, server: string): void {
  const head = 'publicUrl: http://127.0.0.1:4180\nlisten: { port: 4180 }\ndata: ./data\n';
  const notes = `servers: { notes: { path: /mcp, upstream: { command: [${quoted('server')}, ${quoted(hostile.replaceAll('\0', ''))}] } } }\n`;
  const hook = `alerts: { webhook: { url: "${server}/hook", secret: { env: HOOK } } }\n`;
  const rules = `tools: [{ match: "*", scope: ${quoted('mcp:tools:read')}, when: ${quoted('args.x == "\u202e\u009b"')} }]\n`;
  const files: Record<string, string> = {
    'good.yaml': head + notes + hook + rules,
    'http.yaml': `${head}servers: { notes: { path: /mcp, upstream: { url: "${server}/mcp" } } }\n`,
    'faults.yaml': `${head}${quoted(hostile)}: 1\nservers: { notes: { upstream: { url: ${quoted(hostile)} } }, ${quoted(hostile)}: 7 }\ntools: [{ match: ${quoted(hostile)}, scope: 7, ${quoted(hostile)}: 1 }]\n`,
    'broken.yaml': `${head}servers: "${hostile.replaceAll('"', '')}\n`,
    'cases.yaml': `cases: [{ name: ${quoted(hostile)}, tool: ${quoted(hostile)}, expect: deny }]\n`,
    'bad-cases.yaml': `cases: [{ name: ${quoted(hostile)}, ${quoted(hostile)}: 1 }]\n`,
    'records.jsonl': `${neutralJson(JSON.stringify({ request_id: hostile, server: hostile, timestamp: hostile, tool_name: hostile, capture: 'encrypted', arguments: hostile }))}\n`,
    'checkpoint.txt': `${hostile}\n1\n${hostile}\n\n— ${hostile} AAAA\n`,
    'suppress.json': JSON.stringify([{ row: 'H10', reason: hostile, until: '2020-01-01' }]),
    'lock.json': JSON.stringify({
      version: 1,
      url: hostile,
      tools: {
        [hostile]: { digest: hostile, description: hostile, inputSchema: hostile, annotations: hostile },
      },
    }),
    'hosts.txt': `${hostile}\n`,
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text);
}
