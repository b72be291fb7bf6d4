import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { TestContext } from 'node:test';
import {
  type AuditRecord,
  type AuditTrailOptions,
  auditFile,
  createAuditTrail,
  type OpenAuditTrail,
  type Verification,
  type VerifyOptions,
  verifyAudit,
} from '../../src/audit/index.ts';
import { type Log, silentLog, systemClock, timestamp, uuidv7 } from '../../src/base/index.ts';

export function record(more: Partial<AuditRecord> = {}): AuditRecord {
  return {
    timestamp: timestamp(systemClock.now()),
    request_id: uuidv7(systemClock.now()),
    client_id: 'https://client.example/metadata.json',
    subject: 'alice',
    tool_name: 'create_note',
    arguments_hash: `sha256:${'a'.repeat(64)}`,
    scopes: ['notes:read', 'notes:write'],
    result: 'success',
    latency_ms: 12.25,
    reason: 'ok',
    detail: null,
    server: 'notes',
    method: 'tools/call',
    target: null,
    issuer: 'https://issuer.example',
    organization: 'acme',
    token_id: 'jti-1',
    protocol_version: '2026-07-28',
    rule: 'tools[2]',
    scopes_required: ['notes:write'],
    http_status: 200,
    address: '127.0.0.1',
    ...more,
  };
}

export function intent(more: Partial<AuditRecord> = {}): AuditRecord {
  return record({ result: null, latency_ms: null, reason: null, http_status: null, ...more });
}

export function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'portcullis-audit-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A trail that the test closes at its end, whatever happens. */
export async function openTrailFor(
  t: TestContext,
  dataDir: string,
  more: Partial<AuditTrailOptions> = {},
): Promise<OpenAuditTrail> {
  const trail = await createAuditTrail({
    dataDir,
    clock: systemClock,
    log: silentLog,
    closeWithinMs: 5_000,
    ...more,
  });
  t.after(() => trail.close());
  return trail;
}

export function verify(dataDir: string, options: VerifyOptions = {}): Promise<Verification> {
  return verifyAudit({ dataDir, postgres: null }, options);
}

export interface Said {
  readonly level: string;
  readonly fields: object;
  readonly message: string;
}

export function listeningLog(): { log: Log; said: Said[] } {
  const said: Said[] = [];
  const at = (level: string) => (fields: object, message: string) => {
    said.push({ level, fields, message });
  };
  return { log: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }, said };
}

/** Request ids of a phase, read by a connection of its own. */
export function storedIds(dataDir: string, phase: string): string[] {
  const db = new DatabaseSync(auditFile(dataDir), { readOnly: true });
  try {
    return db
      .prepare('SELECT request_id FROM entries WHERE phase = ? ORDER BY seq')
      .all(phase)
      .map((row) => String(row['request_id']));
  } finally {
    db.close();
  }
}

export async function until(condition: () => boolean, withinMs = 10_000): Promise<void> {
  const end = systemClock.monotonic() + withinMs;
  while (!condition()) {
    if (systemClock.monotonic() > end) throw new Error(`not true within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
