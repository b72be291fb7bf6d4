import { type Clock, type Refusal, refuse } from '../../base/index.ts';
import type { Confirmation } from '../confirmation.ts';
import { checkProof, createProofKeys } from './dpop.ts';
import type { Nonces } from './nonces.ts';
import type { ReplayGuard } from './replay.ts';
import type { SharedReplay } from './shared-replay.ts';

export type DpopMode = 'off' | 'allowed' | 'required';

/** How a token was sent. All of it is attacker-controlled but `certificate`, which the TLS handshake proved. */
export interface Presentation {
  readonly scheme: 'bearer' | 'dpop';
  /** The DPoP header. */
  readonly proof: string | null;
  readonly httpMethod: string;
  /** SHA-256 of the client's certificate in base64url; null where TLS does not end here, or showed none. */
  readonly certificate: () => string | null;
}

/** A token and nothing else. */
export const bareToken: Presentation = {
  scheme: 'bearer',
  proof: null,
  httpMethod: '',
  certificate: () => null,
};

/** Whether the caller holds what the token is bound to. Asked at every use: a proof is for one request. */
export type Possession = (
  token: string,
  confirmation: Confirmation | null,
  presentation: Presentation,
) => Promise<Refusal | null>;

export interface PossessionOptions {
  readonly mode: DpopMode;
  readonly resource: string;
  /** One for the process: a proof is good once, whatever was reloaded since. */
  readonly replay: ReplayGuard;
  readonly shared?: SharedReplay | null;
  readonly nonces: Nonces | null;
  readonly clock: Clock;
}

export function createPossession({ mode, shared = null, ...options }: PossessionOptions): Possession {
  const keys = createProofKeys();
  return async (token, confirmation, presentation) => {
    const { scheme, proof, httpMethod } = presentation;
    const certificate = confirmation?.certificate ?? null;
    if (certificate !== null && presentation.certificate() !== certificate)
      return mismatch('the token is bound to a certificate that was not shown');
    const key = confirmation?.key ?? null;
    if (scheme === 'bearer') return bearer(key, mode);
    if (mode === 'off') return mismatch('DPoP is off for this server');
    if (key === null) return mismatch('the token is not bound to a key');
    if (proof === null) return refuse('proof_invalid', 'The proof of possession is missing');
    return checkProof(proof, { token, key, httpMethod, keys, shared, ...options });
  };
}

/** RFC 9449 section 7.2: a bound token that is taken as a bearer token is no longer bound. */
function bearer(key: string | null, mode: DpopMode): Refusal | null {
  if (key !== null) return mismatch('the token is bound to a key and came as a bearer token');
  return mode === 'required' ? mismatch('this server takes bound tokens only') : null;
}

/** For bearer tokens alone: whatever is bound is refused. */
export const bearerOnly: Possession = async (_token, confirmation, { scheme }) =>
  confirmation === null && scheme === 'bearer' ? null : mismatch('nothing here can check the binding');

function mismatch(detail: string): Refusal {
  return refuse('token_binding', 'The access token is not valid here', { detail });
}
