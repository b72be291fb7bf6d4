import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { z } from 'zod';
import { ConfigurationError } from '../base/index.ts';
import { checkTogether } from './check.ts';
import { type Finding, findingsOf, withoutRepeats } from './faults.ts';
import { findLiterals } from './literals.ts';
import { findMisplaced } from './misplaced.ts';
import { type FileConfig, fileSchema, type PartialFileConfig } from './schema.ts';
import { type Source, valueAt } from './source.ts';
import { findUnsupported } from './unsupported.ts';
import { maxFileBytes, yamlSource } from './yaml-source.ts';

/** Reads a YAML file into a source. @throws ConfigurationError when there is no such file, or it is no YAML */
export async function readSource(file: string, cwd: string): Promise<Source> {
  const absolute = resolve(cwd, file);
  const refuse = (message: string, hint: string) => new ConfigurationError([{ source: file, message, hint }]);
  const info = await stat(absolute).catch((error: NodeJS.ErrnoException) => error);
  if (info instanceof Error) {
    throw info.code === 'ENOENT'
      ? refuse('does not exist', 'name another file with --config FILE')
      : refuse('cannot be read', 'let the user that runs portcullis read it');
  }
  if (!info.isFile()) throw refuse('is no regular file', 'name another file with --config FILE');
  if (info.size > maxFileBytes) throw refuse(`is larger than ${maxFileBytes} bytes`, 'name the right file');
  const text = await readFile(absolute, 'utf8').catch(() => {
    throw refuse('cannot be read', 'let the user that runs portcullis read it');
  });
  return yamlSource(text, file, absolute);
}

export interface Checked {
  /** The sections that could be read; all of them when there are no findings. */
  readonly sections: PartialFileConfig;
  readonly findings: readonly Finding[];
}

/** Every check that needs neither the environment nor another file. Pure. */
export function check(source: Source): Checked {
  const { raw } = source;
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
    return {
      sections: {},
      findings: [{ path: [], message: 'must be a map', hint: 'begin with publicUrl: https://...' }],
    };
  }
  const first = [...findLiterals(raw), ...findUnsupported(raw), ...findMisplaced(raw)];
  const { sections, issues } = parseSections(raw as Record<string, unknown>);
  const shape = withoutRepeats(findingsOf(issues, raw), first);
  return { sections, findings: [...first, ...shape, ...checkTogether(sections)] };
}

/** True when nothing was found, and with it that every section is there. */
export function isComplete(checked: Checked): checked is { sections: FileConfig; findings: [] } {
  return checked.findings.length === 0;
}

/** Section by section, so that a fault in one leaves the others readable. */
function parseSections(raw: Record<string, unknown>): {
  sections: PartialFileConfig;
  issues: z.core.$ZodIssue[];
} {
  const sections: Record<string, unknown> = {};
  const issues: z.core.$ZodIssue[] = [];
  for (const [key, schema] of Object.entries(fileSchema.shape)) {
    const value = Object.hasOwn(raw, key) ? raw[key] : undefined;
    const parsed = schema.safeParse(value);
    if (!parsed.success)
      issues.push(...parsed.error.issues.map((issue) => ({ ...issue, path: [key, ...issue.path] })));
    const usable = parsed.success ? parsed : schema.safeParse(withoutUnknown(value, parsed.error.issues));
    if (usable.success) sections[key] = usable.data;
  }
  const unknown = Object.keys(raw).filter((key) => !Object.hasOwn(fileSchema.shape, key));
  if (unknown.length > 0) {
    issues.push({ code: 'unrecognized_keys', keys: unknown, path: [], message: '' });
  }
  return { sections: sections as PartialFileConfig, issues };
}

/** A section without its unknown keys: they are faults already, and what they stand beside can still be checked. */
function withoutUnknown(value: unknown, issues: readonly z.core.$ZodIssue[]): unknown {
  const copy = structuredClone(value);
  for (const issue of issues) {
    if (issue.code !== 'unrecognized_keys') continue;
    const parent = valueAt(copy, issue.path as (string | number)[]) as Record<string, unknown>;
    for (const key of issue.keys) delete parent[key];
  }
  return copy;
}
