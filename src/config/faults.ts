import type { z } from 'zod';
import type { ConfigurationFault } from '../base/index.ts';
import { didYouMean } from '../base/index.ts';
import { knownKeys } from './known-keys.ts';
import { fileSchema } from './schema.ts';
import { formatPath, type Path, type Source, valueAt } from './source.ts';
import { exampleAt, placeBelow } from './what-to-write.ts';

/** A fault before its place in the file is known. */
export interface Finding {
  readonly path: Path;
  readonly message: string;
  readonly hint?: string | undefined;
}

type Issue = z.core.$ZodIssue;

/** Adds file, line and column. */
export function locate(source: Source, finding: Finding): ConfigurationFault {
  const path = formatPath(finding.path);
  return {
    ...source.place(finding.path),
    ...(path === '' ? {} : { path }),
    message: finding.message,
    ...(finding.hint === undefined ? {} : { hint: finding.hint }),
  };
}

/**
 * Says in people's words what the schema found. A misspelt key that leaves a required one missing is one finding.
 * Values are never repeated: one of them may be a secret in the wrong place.
 */
export function findingsOf(issues: readonly Issue[], raw: unknown): Finding[] {
  return merged(issues.flatMap((issue) => explainIssue(issue, raw)));
}

interface Suggested extends Finding {
  /** The key that was probably meant, for findings about an unknown key. */
  readonly meant?: Path;
}

function explainIssue(issue: Issue, raw: unknown, base: Path = []): Suggested[] {
  const path = [...base, ...(issue.path as (string | number)[])];
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey(path, key));
    case 'invalid_union':
      return bestAlternative(issue.errors, raw, path);
    case 'invalid_key':
      return issue.issues.flatMap((inner) => explainIssue({ ...inner, path: [] } as Issue, raw, path));
    case 'invalid_type':
      return [wrongType(issue, valueAt(raw, path), path)];
    case 'invalid_value':
      return [wrongValue(issue.values.map(String), valueAt(raw, path), path)];
    case 'too_small':
      return [
        {
          path,
          message:
            issue.minimum === 1 && issue.origin !== 'number'
              ? 'is empty'
              : `must be at least ${issue.minimum}`,
        },
      ];
    case 'too_big':
      return [
        {
          path,
          message:
            issue.origin === 'number' || issue.origin === 'int'
              ? `must be at most ${issue.maximum}`
              : `is longer than ${issue.maximum}`,
        },
      ];
    case 'custom':
      return [{ path, message: issue.message, hint: (issue.params as { hint?: string } | undefined)?.hint }];
    default:
      return [{ path, message: 'is not valid here' }];
  }
}

function unknownKey(parent: Path, key: string): Suggested {
  const known = knownKeys(fileSchema, parent);
  // `{ hunter2 }` is a key in YAML: here it may be the secret itself.
  if (isSecretPlace(known)) {
    const message = `has a key that is none of ${known.join(', ')}`;
    return {
      path: parent,
      message,
      hint: 'a secret is named, not written: { env: NAME } or { file: /path }',
    };
  }
  const near = didYouMean(key, known);
  const path = [...parent, key];
  if (near)
    return { path, message: 'is no known key', hint: `did you mean ${near}?`, meant: [...parent, near] };
  const below = placeBelow(parent, key);
  if (below)
    return {
      path,
      message: 'is no known key here',
      hint: `it belongs below ${below}:`,
      meant: [...parent, below],
    };
  const choices = known.length > 0 ? `known here: ${known.join(', ')}` : 'remove it';
  return { path, message: 'is no known key', hint: choices };
}

function isSecretPlace(known: readonly string[]): boolean {
  return ['env', 'file', 'command'].every((key) => known.includes(key));
}

function wrongType(
  { expected, message }: { expected: string; message: string },
  value: unknown,
  path: Path,
): Finding {
  if (value === undefined) return { path, message: 'is missing', hint: exampleAt(path) };
  const [own = '', hint] = message.split('\n');
  if (hint !== undefined) return { path, message: own, hint };
  const kinds: Record<string, string> = {
    string: 'a text',
    number: 'a number',
    int: 'a whole number',
    boolean: 'true or false',
    array: 'a list',
    object: 'a map',
    record: 'a map',
  };
  return { path, message: `must be ${kinds[expected] ?? expected}`, hint: exampleAt(path) };
}

function wrongValue(allowed: readonly string[], value: unknown, path: Path): Finding {
  if (value === undefined) return { path, message: 'is missing', hint: `write ${allowed.join(' or ')}` };
  const near = typeof value === 'string' ? didYouMean(value, allowed) : null;
  const message = allowed.length === 1 ? `must be ${allowed[0]}` : `must be one of ${allowed.join(', ')}`;
  return near ? { path, message, hint: `did you mean ${near}?` } : { path, message };
}

/** The alternative that the operator came nearest to: the one with the fewest findings. */
function bestAlternative(errors: readonly (readonly Issue[])[], raw: unknown, path: Path): Finding[] {
  const candidates = errors.map((issues) =>
    merged(issues.flatMap((issue) => explainIssue(issue, raw, path))),
  );
  const mapping = typeof valueAt(raw, path) === 'object';
  const ranked = candidates
    .map((findings) => ({ findings, aboutItself: findings.some((one) => one.path.length === path.length) }))
    .sort(
      (a, b) =>
        Number(mapping && a.aboutItself) - Number(mapping && b.aboutItself) ||
        a.findings.length - b.findings.length,
    );
  return ranked[0]?.findings ?? [{ path, message: 'is not valid here' }];
}

function merged(findings: readonly Suggested[]): Finding[] {
  const meant = new Set(findings.flatMap((finding) => (finding.meant ? [formatPath(finding.meant)] : [])));
  return findings.filter(
    (finding) => !(finding.message === 'is missing' && meant.has(formatPath(finding.path))),
  );
}

/** Leaves out findings at or below a path that an earlier pass has already spoken of. */
export function withoutRepeats(findings: readonly Finding[], earlier: readonly Finding[]): Finding[] {
  return findings.filter((finding) => !earlier.some((other) => isAtOrBelow(finding.path, other.path)));
}

function isAtOrBelow(path: Path, parent: Path): boolean {
  return parent.length <= path.length && parent.every((part, index) => String(part) === String(path[index]));
}
