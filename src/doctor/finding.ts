import type { ClientProfile } from './profiles.ts';
import type { Walk } from './walk.ts';

/** Something that a client stumbles over, and what to do about it. Both may hold text of the server. */
export interface Finding {
  readonly problem: string;
  readonly change: string;
  /** The client does not connect. Else it connects, and something is worse than it could be. */
  readonly blocks: boolean;
}

export interface Subject {
  readonly profile: ClientProfile;
  /** As typed. */
  readonly target: URL;
  readonly walk: Walk;
}

/** One thing that may be wrong. */
export type Check = (subject: Subject) => Finding | null;

export function blocking(problem: string, change: string): Finding {
  return { problem, change, blocks: true };
}

export function advice(problem: string, change: string): Finding {
  return { problem, change, blocks: false };
}

/** The strings of a member that should be a list of strings. */
export function strings(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}
