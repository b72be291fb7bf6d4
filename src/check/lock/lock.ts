/** Definitions of tools as they were at an earlier check: name → digest and what a person compares. */
export interface ToolLock {
  readonly version: 1;
  readonly url: string;
  readonly tools: Readonly<Record<string, LockedTool>>;
}

export interface LockedTool {
  readonly digest: string;
  readonly description: string;
  readonly inputSchema: string;
  readonly outputSchema: string;
  readonly annotations: string;
}
