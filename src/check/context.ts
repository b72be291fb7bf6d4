import type { Clock } from '../base/index.ts';
import type { AuditSource } from './audit/source.ts';
import type { Declared } from './declared.ts';
import type { Door } from './door.ts';
import type { ToolLock } from './lock/lock.ts';
import type { Verdict } from './probe.ts';
import type { TokenSet } from './tokens/token-set.ts';
import type { Trial } from './tokens/trial.ts';

/** What the person at the terminal allows beyond reading. */
export interface Allowed {
  readonly burst: boolean;
  readonly register: boolean;
  /** Tools that may be called, in order: a read-only one, one that writes, one that destroys. */
  readonly tools: readonly AllowedTool[];
}

export interface AllowedTool {
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
}

export interface CheckInputs {
  readonly tokens: TokenSet;
  readonly allowed: Allowed;
  /** Open on purpose: A01 then passes. */
  readonly expectPublic: boolean;
  readonly audit: AuditSource | null;
  readonly lock: ToolLock | null;
  readonly declared: Declared | null;
  /** Tokens of a lab that the server trusts, each of which must be refused. */
  readonly mill: Mill | null;
}

export interface Mill {
  /** Trusted for the test alone: what it publishes says nothing about the server. */
  readonly issuer: string;
  readonly trials: readonly Trial[];
}

/** What a row works with. Rows share what they found out by `once`, and nothing else. */
export interface CheckContext extends CheckInputs {
  readonly target: URL;
  readonly isPrivate: boolean;
  /** Of a private target; none of a public one. */
  readonly addresses: readonly string[];
  readonly door: Door;
  readonly revocationMs?: number;
  readonly clock: Clock;
  /** Runs it the first time, and gives everybody the same answer. The function itself is the key. */
  once<T>(find: (context: CheckContext) => Promise<T>): Promise<T>;
  /** Verdicts of rows that ran before. */
  verdict(id: string): Verdict | undefined;
}
