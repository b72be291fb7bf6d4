import { resolve as resolvePath } from 'node:path';
import { z } from 'zod';
import type { AuditConfig } from './audit-config.ts';
import { readAuditorKey } from './auditor-key.ts';
import type { ResolveContext } from './resolve.ts';
import { secretReference } from './secret-reference.ts';
import { parseKeep } from './units.ts';
import { keep } from './values.ts';

export const audit = z.strictObject({
  durability: z
    .enum(['strict', 'batched'])
    .default('strict')
    .meta({ description: 'Whether a call waits until its intent is on disk.' }),
  whenStoreIsDown: z
    .strictObject({
      others: z
        .enum(['closed', 'memory'])
        .default('closed')
        .meta({ description: 'Calls that do not destroy: refused, or recorded in memory until it is back.' }),
    })
    .prefault({}),
  argumentsHash: z.enum(['hmac-sha256', 'sha256']).default('hmac-sha256'),
  auditorKey: secretReference
    .optional()
    .meta({ description: 'Public key (PEM or JWK) that `capture: encrypted` encrypts to.' }),
  keep: keep
    .optional()
    .meta({ description: 'Entries that are older are removed: 400d, 6y. Without it none are.' }),
  checkpoints: z
    .strictObject({
      everySeconds: z.int().min(1).max(86_400).default(10),
      everyRecords: z.int().min(1).max(1_000_000).default(10_000),
      to: z
        .strictObject({ file: z.string().min(1).max(4096) })
        .optional()
        .meta({ description: 'Where checkpoints are kept elsewhere: a file, best on another machine.' }),
    })
    .prefault({}),
});

export function resolveAudit(
  written: z.output<typeof audit>,
  { directory, secrets }: ResolveContext,
): Omit<AuditConfig, 'also'> {
  const { durability, whenStoreIsDown, argumentsHash, checkpoints, keep: text } = written;
  const file = checkpoints.to?.file;
  const key = readAuditorKey(secrets.get('audit.auditorKey')?.reveal() ?? '');
  const ms = text === undefined ? null : parseKeep(text);
  return {
    durability,
    whenStoreIsDown,
    argumentsHash,
    auditorKey: 'kty' in key ? key : null,
    keep: text === undefined || ms === null ? null : { text, ms },
    checkpoints: {
      everySeconds: checkpoints.everySeconds,
      everyRecords: checkpoints.everyRecords,
      file: file === undefined ? null : resolvePath(directory, file),
    },
  };
}
