import { isIP } from 'node:net';
import { z } from 'zod';
import type { Finding } from './faults.ts';
import type { FileConfig, PartialFileConfig } from './schema.ts';
import { network, withPrefix } from './values.ts';

// What is recorded instead of refused: `mode`, `observe`, `auth.observe`. A retrofit begins so.

/** Controls that can be watched at work before they refuse. Authentication is none of them: see `auth.observe`. */
export const layers = ['scopes', 'arguments', 'limits', 'confirm', 'pins'] as const;
export type Layer = (typeof layers)[number];

export const observe = z
  .array(z.enum(layers))
  .max(layers.length)
  .default([])
  .meta({ description: 'Controls that record what they would refuse, and refuse nothing.' });

/** A day, from its beginning in UTC. */
export const day = z
  .string()
  .refine((text) => /^\d{4}-\d{2}-\d{2}$/.test(text) && startOfDay(text) !== null, {
    message: 'is no day',
    params: { hint: 'write a day such as 2026-12-31: from then on, in UTC, it is over' },
  });

export const observedAuthentication = z.strictObject({
  until: day.meta({ description: 'From this day on, in UTC, callers need a token.' }),
  from: z
    .array(network)
    .min(1)
    .max(64)
    .default(['127.0.0.0/8', '::1/128'])
    .meta({ description: 'Who may come without a token: this machine, or private networks.' }),
});

/** @returns milliseconds since the epoch; null for a day that there is not */
export function startOfDay(text: string): number | null {
  const ms = Date.parse(`${text}T00:00:00.000Z`);
  return Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 10) !== text ? null : ms;
}

export function observedLayers({
  mode,
  observe: named,
}: Pick<FileConfig, 'mode' | 'observe'>): readonly Layer[] {
  return mode === 'observe' ? layers : named;
}

export function resolveObservedAuthentication(written: FileConfig['auth']['observe']) {
  if (written === undefined) return null;
  return {
    untilMs: startOfDay(written.until) ?? 0,
    until: written.until,
    from: written.from.map(withPrefix),
  };
}

export function checkObserve({ mode, observe: named, auth }: PartialFileConfig): Finding[] {
  const findings: Finding[] = [];
  if (mode === 'observe' && (named?.length ?? 0) > 0) {
    findings.push({
      path: ['observe'],
      message: 'says less than mode: observe',
      hint: 'keep one of the two',
    });
  }
  const written = auth?.observe;
  if (written === undefined) return findings;
  if (mode !== 'observe' && !named?.includes('scopes')) {
    const hint = 'add observe: [scopes], or remove auth.observe';
    findings.push({
      path: ['auth', 'observe'],
      message: 'lets callers in who hold no scope, and every call of theirs would be refused',
      hint,
    });
  }
  written.from.forEach((block, index) => {
    if (!isPrivate(block)) {
      const hint =
        'name addresses of this machine or of a private network: 127.0.0.0/8, 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, ::1/128, fc00::/7';
      findings.push({
        path: ['auth', 'observe', 'from', index],
        message: 'is not private: anybody there could call without a token',
        hint,
      });
    }
  });
  return findings;
}

const privateBlocks: readonly (readonly [string, number])[] = [
  ['127.', 8],
  ['10.', 8],
  ['192.168.', 16],
];

function isPrivate(block: string): boolean {
  const [address = '', prefix = ''] = withPrefix(block).split('/');
  const bits = Number(prefix);
  if (isIP(address) === 4) {
    const [first = 0, second = 0] = address.split('.').map(Number);
    if (first === 172 && second >= 16 && second <= 31) return bits >= 12;
    return privateBlocks.some(([start, least]) => address.startsWith(start) && bits >= least);
  }
  const lower = address.toLowerCase();
  return lower === '::1' ? bits === 128 : /^f[cd][0-9a-f]{2}:/.test(lower) && bits >= 7;
}

/** For whoever checks a file. */
export function describeNotEnforced(file: FileConfig): string[] {
  const names = observedLayers(file);
  const { observe: open } = file.auth;
  return [
    ...(names.length > 0 ? [`observed and not enforced: ${names.join(', ')}`] : []),
    ...(open ? [`authentication is not enforced until ${open.until}, for ${open.from.join(', ')}`] : []),
    ...Object.entries(file.servers).flatMap(([server, { staticKeys }]) =>
      staticKeys.map(
        ({ name, until }) => `${server}: the static key ${name} opens it without OAuth until ${until}`,
      ),
    ),
  ];
}
