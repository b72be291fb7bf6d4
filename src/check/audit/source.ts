/** Where the audit log of the server can be read, as text that holds its records. */
export interface AuditSource {
  /** What the person typed, for the report. */
  readonly name: string;
  /** Everything written so far, or since `since` (milliseconds since the epoch) where the source can tell. */
  read(since: number): Promise<string>;
}
