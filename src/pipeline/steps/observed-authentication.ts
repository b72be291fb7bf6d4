import type { Refusal, RefusalCode } from '../../base/index.ts';
import { anonymousPrincipal, type Principal } from '../../identity/index.ts';
import type { ReceivedCall } from '../call.ts';
import { noteWouldDeny } from '../observe.ts';

/**
 * Who has no good token, while authentication is only observed: comes in as nobody, with no scope, from the addresses and until the
 * day that the configuration names. Nothing of a token that was refused is believed.
 */
export function observeAuthentication(
  call: ReceivedCall,
  refusal: Refusal,
  now: number,
): Principal | Refusal {
  const { observedAuthentication: observed, resource } = call.server;
  const { address } = call.request;
  if (observed === null || now >= observed.untilMs || !isAboutTokens(refusal.code)) return refusal;
  if (!observed.admits(address)) return refusal;
  noteWouldDeny(call, 'authentication', refusal);
  return anonymousPrincipal(address, resource, Math.floor(observed.untilMs / 1000));
}

/** A key whose day has come is refused, and a request that has two readings too. */
function isAboutTokens(code: RefusalCode): boolean {
  if (code === 'token_key_ended') return false;
  return code.startsWith('token_') || code.startsWith('proof_') || code === 'issuer_unavailable';
}
