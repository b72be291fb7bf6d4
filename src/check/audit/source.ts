/** Where the audit log of the server can be read, as text that holds its records. */
export interface AuditSource {
  /** Everything of the last minutes at least. */
  read(): Promise<string>;
  /** Whether the log can prove that it was not changed, where a command says so; null where none was given. */
  verify: (() => Promise<AuditProof>) | null;
}

export interface AuditProof {
  readonly holds: boolean;
  /** What the command printed, in short. */
  readonly said: string;
}
