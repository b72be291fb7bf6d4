import { z } from 'zod';
import { Secret } from '../base/index.ts';
import type { PostgresConfig } from './config.ts';
import type { SecretReference } from './schema.ts';
import { secretReference } from './secret-reference.ts';
import type { Secrets } from './secrets.ts';
import type { Path } from './source.ts';

/** The section `postgres`. */
export const postgres = z.strictObject({
  url: secretReference.meta({ description: 'postgres://user:password@host/database: whole, as a secret.' }),
});

type Written = z.output<typeof postgres>;

export function postgresReferences(
  written: Written | undefined,
): { path: Path; reference: SecretReference }[] {
  return written ? [{ path: ['postgres', 'url'], reference: written.url }] : [];
}

/** Why a secret is no URL of a database; null when it is one. Says nothing of what it holds. */
export function postgresUrlFault(text: string): { readonly message: string; readonly hint: string } | null {
  const hint = 'store one such as postgres://portcullis:PASSWORD@db.example.com/audit?sslmode=verify-full';
  if (!URL.canParse(text)) return { message: 'the secret is no URL', hint };
  const { protocol, pathname } = new URL(text);
  if (protocol !== 'postgres:' && protocol !== 'postgresql:') {
    return { message: 'the secret is no URL of a PostgreSQL database', hint };
  }
  return pathname.length > 1 ? null : { message: 'the URL names no database', hint };
}

export function resolvePostgres(written: Written | undefined, secrets: Secrets): PostgresConfig | null {
  return written ? { url: secrets.get('postgres.url') ?? new Secret('') } : null;
}
