import { randomBytes } from 'node:crypto';
import type {
  OAuthClientProvider,
  OAuthDiscoveryState,
  StoredOAuthClientInformation,
  StoredOAuthTokens,
} from '@modelcontextprotocol/client';

/** Plays the user: opens the authorization URL, signs in, consents; gives the URL it was sent back to. */
export type Browser = (authorizationUrl: URL) => Promise<URL>;

/** What an SDK client keeps about its authorization. Fits `OAuthClientProvider` of both SDK generations. */
export interface TestProvider extends OAuthClientProvider {
  readonly redirectUrl: string;
  tokens(): StoredOAuthTokens | undefined;
  clientInformation(): StoredOAuthClientInformation | undefined;
  /** Query of the last callback; taken once. */
  takeCallback(): URLSearchParams;
  /** Every `scope` that the client asked the user for, in order. */
  readonly asked: readonly (string | null)[];
  /** How often tokens were saved: the code's, then each refresh. */
  readonly saved: readonly StoredOAuthTokens[];
  /** Replaces the tokens, as a client does that finds them on disk. */
  putTokens(tokens: StoredOAuthTokens): void;
}

/** Nobody listens there: the browser stops at the redirect. */
const redirectUrl = 'http://127.0.0.1:33418/callback';

export function createProvider(browser: Browser, { refresh = true } = {}): TestProvider {
  const asked: (string | null)[] = [];
  const saved: StoredOAuthTokens[] = [];
  let client: StoredOAuthClientInformation | undefined;
  let tokens: StoredOAuthTokens | undefined;
  let verifier = '';
  let state = '';
  let discovery: OAuthDiscoveryState | undefined;
  let callback: URLSearchParams | undefined;
  return {
    asked,
    saved,
    redirectUrl,
    clientMetadata: {
      client_name: 'conformance client',
      redirect_uris: [redirectUrl],
      grant_types: ['authorization_code', ...(refresh ? ['refresh_token'] : [])],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    },
    state: () => {
      state = randomBytes(16).toString('base64url');
      return state;
    },
    clientInformation: () => client,
    saveClientInformation: (information) => {
      client = information;
    },
    tokens: () => tokens,
    saveTokens: (next) => {
      saved.push(next);
      tokens = next;
    },
    putTokens: (next) => {
      tokens = next;
    },
    saveCodeVerifier: (next) => {
      verifier = next;
    },
    codeVerifier: () => verifier,
    async redirectToAuthorization(url) {
      asked.push(url.searchParams.get('scope'));
      const back = await browser(url);
      if (back.searchParams.get('state') !== state) throw new Error('the callback has another state');
      callback = back.searchParams;
    },
    takeCallback() {
      if (!callback?.get('code')) throw new Error(`no code came back: ${callback}`);
      const taken = callback;
      callback = undefined;
      return taken;
    },
    saveDiscoveryState: (next) => {
      discovery = next;
    },
    discoveryState: () => discovery,
    invalidateCredentials(what) {
      if (what === 'all' || what === 'discovery') discovery = undefined;
      if (what === 'all' || what === 'client') client = undefined;
      if (what === 'all' || what === 'tokens') tokens = undefined;
    },
  };
}
