import type { Secret } from '../base/index.ts';

export interface AuditConfig {
  /** Whether a call waits until its intent is on disk. */
  readonly durability: 'strict' | 'batched';
  /** Calls that do not destroy, while the store fails; those that do are refused. */
  readonly whenStoreIsDown: { readonly others: 'closed' | 'memory' };
  readonly argumentsHash: 'hmac-sha256' | 'sha256';
  /** Arguments are encrypted to it (public JWK); null: none are. */
  readonly auditorKey: AuditorKey | null;
  /** How long entries are kept, as written and in milliseconds; null: for good. */
  readonly keep: { readonly text: string; readonly ms: number } | null;
  /** Places that get copies. */
  readonly also: readonly AuditCopyConfig[];
  readonly checkpoints: {
    readonly everySeconds: number;
    readonly everyRecords: number;
    /** Where they are kept beside the data directory. Absolute. */
    readonly file: string | null;
  };
}

/** `block`: calls wait while the queue is full; `drop`: records are left out of the copy, and counted. */
export type AuditCopyConfig = {
  readonly overflow: 'drop' | 'block';
  readonly queueRecords: number;
} & (
  | {
      readonly kind: 'file';
      /** Absolute. */
      readonly file: string;
      readonly fsync: 'always' | 'never';
      readonly maxBytes: number;
      readonly maxAgeMs: number | null;
      readonly keepFiles: number | null;
    }
  | { readonly kind: 'stdout' }
  | {
      readonly kind: 'otlp';
      readonly url: string;
      readonly headers: Readonly<Record<string, Secret>>;
      readonly timeoutMs: number;
    }
  | {
      readonly kind: 'webhook';
      readonly url: string;
      readonly secret: Secret;
      readonly headers: Readonly<Record<string, Secret>>;
      /** In one request, at most. */
      readonly records: number;
      readonly timeoutMs: number;
    }
);

/** A public key for ECDH-ES (RFC 7518 section 6.2, RFC 8037). */
export interface AuditorKey {
  readonly kty: 'EC' | 'OKP';
  readonly crv: string;
  readonly x: string;
  readonly y?: string;
}
