import { z } from 'zod';
import { Secret } from '../base/index.ts';
import type { Finding } from './faults.ts';
import { day, startOfDay } from './observe.ts';
import type { FileConfig, SecretReference } from './schema.ts';
import { secretReference } from './secret-reference.ts';
import type { Secrets } from './secrets.ts';
import type { StaticKeyConfig } from './server-config.ts';
import type { Path } from './source.ts';
import { scope } from './values.ts';

// `servers.NAME.staticKeys`: the key of before, beside OAuth, until a day.

export const staticKeys = z
  .array(
    z.strictObject({
      name: z
        .string()
        .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, { message: 'is no name: lower-case letters, digits and hyphens' })
        .meta({ description: 'Who it is in records and limits.' }),
      key: secretReference,
      until: day.meta({ description: 'From this day on, in UTC, it is refused.' }),
      scopes: z.array(scope).min(1).max(64),
      organization: z.string().min(1).max(256).optional(),
      header: z
        .string()
        .regex(/^[a-z][a-z0-9-]{1,63}$/i, { message: 'is no name of a header' })
        .refine(
          (name) =>
            !['authorization', 'cookie', 'host', 'dpop'].includes(name.toLowerCase()) &&
            !/^(mcp|content|x-forwarded)-/i.test(name),
          {
            message: 'is a header with another meaning',
          },
        )
        .optional()
        .meta({ description: 'Where the key comes; Authorization: Bearer unless given.' }),
    }),
  )
  .max(64)
  .default([]);

type Servers = FileConfig['servers'];

export function staticKeyReferences(servers: Servers): { path: Path; reference: SecretReference }[] {
  return Object.entries(servers).flatMap(([name, server]) =>
    server.staticKeys.map(({ key }, index) => ({
      path: ['servers', name, 'staticKeys', index, 'key'],
      reference: key,
    })),
  );
}

export function resolveStaticKeys(
  name: string,
  written: Servers[string]['staticKeys'],
  secrets: Secrets,
): StaticKeyConfig[] {
  return written.map((one, index) => ({
    name: one.name,
    key: secrets.get(`servers.${name}.staticKeys[${index}].key`) ?? new Secret(''),
    until: one.until,
    untilMs: startOfDay(one.until) ?? 0,
    scopes: one.scopes,
    organization: one.organization ?? null,
    header: one.header?.toLowerCase() ?? null,
  }));
}

export function checkStaticKeys(servers: Servers | undefined): Finding[] {
  return Object.entries(servers ?? {}).flatMap(([name, { staticKeys: keys, dpop }]): Finding[] => {
    const path = ['servers', name, 'staticKeys'];
    const twice = keys.findIndex((one, index) => keys.findIndex((other) => other.name === one.name) < index);
    return [
      ...(twice < 0
        ? []
        : [
            { path: [...path, twice, 'name'], message: 'is the name of two keys', hint: 'give each its own' },
          ]),
      ...(keys.length > 0 && dpop === 'required'
        ? [
            {
              path,
              message: 'are bearer keys, and dpop is required here',
              hint: 'write dpop: allowed until the keys are gone',
            },
          ]
        : []),
    ];
  });
}

const leastBits = 100;

/** A key that can be guessed is no key. @returns why it is none; says nothing of it */
export function staticKeyFault(value: string): { message: string; hint: string } | null {
  const hint = 'make one with: openssl rand -base64 32';
  if (!/^[A-Za-z0-9\-._~+/]+=*$/.test(value))
    return { message: 'the key has characters that Authorization: Bearer cannot carry', hint };
  if (value.length < 32) return { message: 'the key is shorter than 32 characters', hint };
  if (value.length > 1024) return { message: 'the key is longer than 1024 characters', hint };
  return guessableBits(value) < leastBits
    ? { message: 'the key could be guessed: it repeats itself', hint }
    : null;
}

/** At most what its letters can hold, counting a repeated part once. */
function guessableBits(value: string): number {
  for (let period = 1; period <= value.length / 2; period++) {
    if (value.startsWith(value.slice(period))) return guessableBits(value.slice(0, period));
  }
  const counts = new Map<string, number>();
  for (const one of value) counts.set(one, (counts.get(one) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits += count * Math.log2(value.length / count);
  return bits;
}
