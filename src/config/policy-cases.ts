import { z } from 'zod';
import { ConfigurationError } from '../base/index.ts';
import { findingsOf, locate } from './faults.ts';
import { readSource } from './read.ts';
import type { Source } from './source.ts';
import { serverName } from './values.ts';

const text = z.string().min(1).max(1024);
const texts = z.array(text).max(256);

/** What a server may claim of a tool, for a case: absent ones are not claimed. */
export const caseHints = ['readOnly', 'destructive', 'additive', 'idempotent', 'closedWorld'] as const;
export type CaseHint = (typeof caseHints)[number];
const outcomes = ['allow', 'confirm', 'step-up', 'deny'] as const;
const shown = ['open', 'locked', 'hidden'] as const;

const expectation = z.strictObject({
  outcome: z.enum(outcomes).optional(),
  scope: text.optional(),
  confirm: z.enum(['self', 'other', 'none']).optional(),
  limit: text.optional(),
  show: z.enum(shown).optional(),
  rule: text.optional(),
});

const policyCase = z.strictObject({
  name: text,
  tool: text,
  server: serverName.optional(),
  hints: z.array(z.enum(caseHints)).default([]),
  scopes: texts.default([]),
  args: z.record(z.string(), z.unknown()).default({}),
  caller: z
    .strictObject({
      subject: z.string().max(1024).default(''),
      issuer: z.string().max(1024).default(''),
      client: z.string().max(1024).default(''),
      organization: z.string().max(1024).default(''),
    })
    .prefault({}),
  now: z.iso.datetime({ offset: true }).optional(),
  expect: z.union([z.enum([...outcomes, 'hidden', 'locked']), expectation]),
});

const casesFile = z.strictObject({ cases: z.array(policyCase).min(1).max(10_000) });

export type PolicyCase = z.output<typeof policyCase> & {
  /** `cases.yaml:12`. */
  readonly origin: string;
};

/**
 * Reads a table of cases for `policy test`.
 * @throws ConfigurationError with every fault and its place
 */
export async function readPolicyCases(file: string, cwd: string): Promise<PolicyCase[]> {
  const source = await readSource(file, cwd);
  const parsed = casesFile.safeParse(source.raw);
  if (!parsed.success) {
    const findings = findingsOf(parsed.error.issues, source.raw);
    throw new ConfigurationError(findings.map((finding) => locate(source, finding)));
  }
  return parsed.data.cases.map((one, index) => ({ ...one, origin: originOf(source, index) }));
}

function originOf(source: Source, index: number): string {
  const { source: file, line } = source.place(['cases', index]);
  return line === undefined ? file : `${file}:${line}`;
}
