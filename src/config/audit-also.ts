import { resolve as resolvePath } from 'node:path';
import { z } from 'zod';
import { Secret } from '../base/index.ts';
import type { AuditCopyConfig } from './audit-config.ts';
import type { Finding } from './faults.ts';
import type { PartialFileConfig, SecretReference } from './schema.ts';
import { secretReference } from './secret-reference.ts';
import type { Secrets } from './secrets.ts';
import { formatPath, type Path } from './source.ts';
import { parseDuration } from './units.ts';
import { copyHeaderName, duration, rotationAge, trustedUrl, upstreamUrl } from './values.ts';

// Where copies of the audit trail go: `audit.also`.

const common = {
  overflow: z
    .enum(['drop', 'block'])
    .default('drop')
    .meta({ description: 'When the queue is full: leave records out of this copy, or let calls wait.' }),
  queue: z.int().min(1_000).max(1_000_000).default(20_000).meta({ description: 'Records that may wait.' }),
};

const file = z.strictObject({
  file: z.string().min(1).max(4096).meta({ description: 'JSON lines; made with mode 0600.' }),
  rotateBytes: z
    .int()
    .min(65_536)
    .max(1_099_511_627_776)
    .default(268_435_456)
    .meta({ description: 'The file is renamed before it grows beyond this.' }),
  rotateEvery: rotationAge.optional(),
  keepFiles: z.int().min(1).max(100_000).optional().meta({ description: 'Renamed files; all by default.' }),
  fsync: z.enum(['always', 'never']).default('always'),
  ...common,
});

const stdout = z.strictObject({ stdout: z.literal(true), ...common });

const headers = z.record(copyHeaderName, secretReference).default({});

const otlp = z.strictObject({
  otlp: upstreamUrl.meta({ description: 'A collector; /v1/logs is added to a URL without a path.' }),
  headers,
  timeout: duration.default('10s'),
  ...common,
});

const webhook = z.strictObject({
  webhook: z.strictObject({
    url: trustedUrl,
    secret: secretReference.meta({ description: 'Signs each request (HMAC-SHA-256).' }),
    headers,
    records: z.int().min(1).max(1_000).default(100).meta({ description: 'At most so many in one request.' }),
    timeout: duration.default('10s'),
  }),
  ...common,
});

/** A member of `audit`. */
export const alsoShape = {
  also: z
    .array(z.union([file, stdout, otlp, webhook]))
    .max(16)
    .default([])
    .meta({ description: 'Copies of the trail, beside its store.' }),
};

export type WrittenCopy = z.output<typeof alsoShape.also>[number];

interface Wanted {
  readonly path: Path;
  readonly reference: SecretReference;
}

/** What has to be read. */
export function copyReferences(copies: readonly WrittenCopy[]): Wanted[] {
  return copies.flatMap((copy, index): Wanted[] => {
    const at: Path = ['audit', 'also', index];
    const named = (path: Path, written: Readonly<Record<string, SecretReference>>) =>
      Object.entries(written).map(([name, reference]) => ({ path: [...path, 'headers', name], reference }));
    if ('otlp' in copy) return named(at, copy.headers);
    if (!('webhook' in copy)) return [];
    const { webhook: written } = copy;
    const path = [...at, 'webhook'];
    return [{ path: [...path, 'secret'], reference: written.secret }, ...named(path, written.headers)];
  });
}

/** The same place twice would get everything twice, or two writers into one file. */
export function checkCopies({ audit }: PartialFileConfig): Finding[] {
  const places = (audit?.also ?? []).map(placeOf);
  return places.flatMap((place, index) =>
    places.indexOf(place) < index
      ? [{ path: ['audit', 'also', index], message: 'names a place that is listed above', hint: 'remove it' }]
      : [],
  );
}

function placeOf(copy: WrittenCopy): string {
  if ('file' in copy) return `file ${resolvePath('/', copy.file)}`;
  if ('otlp' in copy) return `otlp ${copy.otlp}`;
  return 'webhook' in copy ? `webhook ${copy.webhook.url}` : 'stdout';
}

interface Context {
  readonly directory: string;
  readonly secrets: Secrets;
}

export function resolveCopies(copies: readonly WrittenCopy[], context: Context): AuditCopyConfig[] {
  return copies.map((copy, index) => {
    const { overflow, queue } = copy;
    return { overflow, queueRecords: queue, ...target(copy, ['audit', 'also', index], context) };
  });
}

type Target<T> = T extends unknown ? Omit<T, 'overflow' | 'queueRecords'> : never;

function target(copy: WrittenCopy, path: Path, { directory, secrets }: Context): Target<AuditCopyConfig> {
  const secret = (at: Path) => secrets.get(formatPath(at)) ?? new Secret('');
  const named = (at: Path, written: object) =>
    Object.fromEntries(Object.keys(written).map((name) => [name, secret([...at, 'headers', name])]));
  if ('file' in copy) {
    const { fsync, rotateBytes, rotateEvery, keepFiles } = copy;
    const maxAgeMs = rotateEvery === undefined ? null : milliseconds(rotateEvery);
    const placed = resolvePath(directory, copy.file);
    return {
      kind: 'file',
      file: placed,
      fsync,
      maxBytes: rotateBytes,
      maxAgeMs,
      keepFiles: keepFiles ?? null,
    };
  }
  if ('otlp' in copy) {
    const timeoutMs = milliseconds(copy.timeout);
    return { kind: 'otlp', url: copy.otlp, headers: named(path, copy.headers), timeoutMs };
  }
  if (!('webhook' in copy)) return { kind: 'stdout' };
  const at = [...path, 'webhook'];
  const { url, records, timeout, headers: written } = copy.webhook;
  const timeoutMs = milliseconds(timeout);
  return {
    kind: 'webhook',
    url,
    records,
    timeoutMs,
    secret: secret([...at, 'secret']),
    headers: named(at, written),
  };
}

function milliseconds(text: string): number {
  const parsed = parseDuration(text);
  if (parsed === null) throw new Error('a duration that was checked cannot be read');
  return parsed;
}
