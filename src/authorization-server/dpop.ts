import { createHmac } from 'node:crypto';
import type { ClientMetadata, Configuration } from 'oidc-provider';
import type { EmbeddedAuthConfig } from '../config/index.ts';
import type { Keys } from './keys.ts';

export type DpopMode = EmbeddedAuthConfig['dpop'];

/** Asymmetric alone: RFC 9449 section 4.3. */
export const dpopAlgorithms = ['ES256', 'Ed25519', 'EdDSA'] as const;

type DpopFeature = NonNullable<NonNullable<Configuration['features']>['dPoP']>;

/**
 * Tokens bound to a key of the client (RFC 9449). Where it is required, so is a nonce of ours: a proof that was made in
 * advance is then worth nothing. The nonce key is derived, so that every process on the same keys accepts the same nonces.
 */
export function dpopFeature(mode: DpopMode, keys: Keys): DpopFeature {
  return {
    enabled: mode !== 'off',
    nonceSecret: createHmac('sha256', keys.formKey()).update('dpop nonces').digest(),
    requireNonce: () => mode === 'required',
    allowReplay: false,
  };
}

/** Where it is required, every client is one whose tokens are bound, whatever its metadata say. */
export function applyDpopRule(metadata: ClientMetadata, mode: DpopMode): void {
  if (mode === 'required') metadata['dpop_bound_access_tokens'] = true;
}
