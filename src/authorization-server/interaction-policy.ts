import { interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider';
import { isSelfRegistered, redirectTarget } from './clients/index.ts';

const { Check, base } = interactionPolicy;

/**
 * When a person has to be asked. oidc-provider's policy with two rules of ours: an account that is gone has to sign in
 * again, and consent is remembered only for clients that somebody vouches for (a metadata document on an https host, or
 * the configuration) and only where the code goes to https. Any program on the computer can listen on a loopback port
 * or claim a scheme (RFC 8252 section 8.6), and anybody can register under any name.
 */
export function createInteractionPolicy(): interactionPolicy.DefaultPolicy {
  const policy = base();
  policy.get('login')?.checks.add(
    new Check('account_gone', 'End-User authentication is required', 'login_required', ({ oidc }) => {
      return oidc.session?.accountId !== undefined && oidc.account === undefined;
    }),
  );
  const consent = policy.get('consent');
  // Goes by what the client says of itself; ours goes by where the code is sent.
  consent?.checks.remove('native_client_prompt');
  consent?.checks.add(
    new Check(
      'identity_unverified',
      'this client requires End-User interaction',
      'interaction_required',
      ({ oidc }) => isFirstPass(oidc) && !isRememberable(oidc),
    ),
  );
  return policy;
}

function isFirstPass(oidc: KoaContextWithOIDC['oidc']): boolean {
  return oidc.result?.consent === undefined;
}

/** Whether an earlier consent of the same person may stand for this request. */
export function isRememberable({ client, params }: KoaContextWithOIDC['oidc']): boolean {
  const redirectUri = params?.['redirect_uri'];
  if (client === undefined || typeof redirectUri !== 'string') return false;
  return !isSelfRegistered(client) && redirectTarget(redirectUri, [])?.kind === 'web';
}
