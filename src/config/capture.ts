import { z } from 'zod';
import type { FieldRule, ToolCapture } from '../policy/index.ts';
import { parseJsonPointer } from '../protocol/index.ts';
import type { Finding } from './faults.ts';
import type { Path } from './source.ts';

// `capture` and `fields` of a tool rule: what the audit record keeps of the arguments.

const levels = ['none', 'hash', 'redacted', 'encrypted'] as const;
const handlings = ['keep', 'drop', 'hash', 'mask'] as const;

export const captureShape = {
  capture: z
    .enum(levels)
    .optional()
    .meta({ description: 'What the audit record keeps of the arguments: hash, where no rule says.' }),
  fields: z
    .record(z.string().max(512), z.enum(handlings))
    .refine((fields) => Object.keys(fields).length <= 256, { message: 'names more than 256 fields' })
    .optional()
    .meta({ description: 'By JSON pointer, `*` for any item: { /amount: keep, /items/*/iban: hash }.' }),
};

interface Written {
  readonly capture?: ToolCapture['as'] | undefined;
  readonly fields?: Readonly<Record<string, FieldRule['how']>> | undefined;
}

export function resolveCapture({ capture, fields = {} }: Written): ToolCapture | null {
  if (capture === undefined) return null;
  const rules = Object.entries(fields).map(([pointer, how]) => ({
    path: parseJsonPointer(pointer) ?? [],
    how,
  }));
  return { as: capture, fields: rules };
}

/** Characters that nobody sees: a pointer with one names another field than its reader thinks. */
const unseen = /[\p{C}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}]/u;

export function checkCapture(
  { capture, fields }: Written,
  { path, hasKey }: { readonly path: Path; readonly hasKey: boolean },
): Finding[] {
  const findings: Finding[] = [];
  if (capture === 'encrypted' && !hasKey) {
    const hint =
      'add audit: { auditorKey: { file: auditor.pub.pem } }, the public key of whoever may read them';
    findings.push({ path: [...path, 'capture'], message: 'needs a key to encrypt to', hint });
  }
  if (fields === undefined) return findings;
  const at: Path = [...path, 'fields'];
  if (capture !== 'redacted' && capture !== 'encrypted') {
    const message =
      capture === undefined ? 'stands without capture' : `has no meaning with capture: ${capture}`;
    return [...findings, { path: at, message, hint: 'add capture: redacted, or encrypted' }];
  }
  const named = Object.keys(fields);
  return [...findings, ...named.flatMap((pointer) => checkField(pointer, { fields, capture, at }))];
}

interface Field {
  readonly fields: NonNullable<Written['fields']>;
  readonly capture: 'redacted' | 'encrypted';
  readonly at: Path;
}

function checkField(pointer: string, { fields, capture, at }: Field): Finding[] {
  const path = [...at, pointer];
  const hint = 'write it as a JSON pointer: /amount, or /items/*/amount';
  const tokens = parseJsonPointer(pointer);
  if (tokens === null) return [{ path, message: 'is no JSON pointer', hint }];
  if (unseen.test(pointer)) return [{ path, message: 'has a character that cannot be seen', hint }];
  if (capture === 'encrypted' && fields[pointer] === 'keep') {
    const message = 'says nothing: encrypted keeps every field that is not named';
    return [{ path, message, hint: 'write drop, hash or mask, or remove it' }];
  }
  const above = Object.keys(fields).find(
    (other) => other !== pointer && isBelow(pointer, other) && fields[other] !== 'keep',
  );
  if (above === undefined) return [];
  const message = `never applies: ${above === '' ? 'the whole' : above} is not kept (${fields[above]})`;
  return [{ path, message, hint: 'remove one of the two' }];
}

function isBelow(pointer: string, other: string): boolean {
  return pointer.startsWith(`${other}/`);
}
