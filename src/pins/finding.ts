/** What was found in a definition, or in how it differs from the one that is pinned. Closed: the words of records and of `pins diff`. */
const findingKinds = [
  'wording', // texts for people and models, a few words
  'rewritten', // the same, more than a few
  'schema_added', // a parameter that was not there
  'schema_removed',
  'schema_tightened', // takes less than it did
  'schema_loosened', // takes more than it did
  'schema_changed',
  'capability', // a hint about what it may do
  'instruction', // text that tells the model what to do
  'exfiltration', // a parameter or text that asks for what is none of the tool's business
  'reference', // a link, address or file that was not named before
  'invisible', // characters that are not seen, or taken for others
  'shadow', // a name like that of another tool
  'metadata', // everything else
  'unlisted', // not in the lock file
  'changed', // any change at all, where none is to pass
  'unstable', // changes again and again
  'unreadable', // too large, too deep, or without one meaning
] as const;

export type FindingKind = (typeof findingKinds)[number];

/** `high` keeps a tool from everybody until a person has looked. */
export type Grade = 'low' | 'high';

export interface Finding {
  readonly grade: Grade;
  readonly kind: FindingKind;
  /** Where in the definition: `inputSchema.properties.path.description`. May hold names of the server. */
  readonly path: string;
  /** One sentence, bounded; may quote the server. */
  readonly detail: string;
}

export function finding(grade: Grade, kind: FindingKind, path: string, detail: string): Finding {
  return { grade, kind, path: path.slice(0, 200), detail: detail.slice(0, 200) };
}

export function gradeOf(findings: readonly Finding[]): Grade {
  return findings.some(({ grade }) => grade === 'high') ? 'high' : 'low';
}
