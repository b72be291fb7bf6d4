import type { TokenWishes } from '../vulnerable/issuer.ts';

/** A real server that `check` is pointed at. */
export interface ZooServer {
  readonly name: string;
  readonly url: string;
  /** Access tokens that it takes, where it takes any. */
  readonly mint?: (wishes?: TokenWishes) => Promise<string>;
  close(): Promise<void>;
}
