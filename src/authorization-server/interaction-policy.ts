import { interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider';
import { redirectTarget } from './clients/index.ts';

const { Check, base } = interactionPolicy;

/**
 * When a person has to be asked. oidc-provider's policy, and two rules more: an account that is gone has to sign in
 * again, and consent is remembered only where the code goes to an https URL. Any program on the computer can listen on
 * a loopback port or claim a scheme (RFC 8252 section 8.6).
 */
export function createInteractionPolicy(): interactionPolicy.DefaultPolicy {
  const policy = base();
  policy.get('login')?.checks.add(
    new Check('account_gone', 'End-User authentication is required', 'login_required', ({ oidc }) => {
      return oidc.session?.accountId !== undefined && oidc.account === undefined;
    }),
  );
  policy
    .get('consent')
    ?.checks.add(
      new Check(
        'redirect_unverifiable',
        'this redirect URI requires End-User interaction',
        'interaction_required',
        ({ oidc }) => isFirstPass(oidc) && !leadsToWeb(oidc.params?.['redirect_uri']),
      ),
    );
  return policy;
}

function isFirstPass(oidc: KoaContextWithOIDC['oidc']): boolean {
  return oidc.result?.consent === undefined;
}

function leadsToWeb(redirectUri: unknown): boolean {
  return typeof redirectUri === 'string' && redirectTarget(redirectUri)?.kind === 'web';
}
