/** What a configuration says. Declared by its author, not observed by us; reports keep the two apart. */
export interface Declared {
  readonly source: string;
  readonly statements: readonly DeclaredStatement[];
}

export interface DeclaredStatement {
  readonly subject: 'secrets' | 'audit' | 'retention' | 'tls' | 'limits' | 'approvals' | 'audience';
  /** One sentence. */
  readonly text: string;
  readonly good: boolean;
}
