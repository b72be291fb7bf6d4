export type FindingKind =
  | 'edited'
  | 'missing'
  | 'moved'
  | 'rewritten'
  | 'truncated'
  | 'forked'
  | 'removed'
  | 'signature'
  | 'unreadable'
  | 'schema'
  | 'column'
  | 'index';

export interface Finding {
  readonly kind: FindingKind;
  readonly writer: string | null;
  readonly position: number | null;
  /** One sentence for people. */
  readonly message: string;
}
