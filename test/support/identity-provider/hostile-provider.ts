import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';

/** What the provider lies about; the rest is as it should be. */
export interface Lies {
  metadataIssuer?: string;
  idTokenIssuer?: string;
  audience?: string;
  nonce?: string | null;
  subject?: string;
  signedBy?: 'another key' | 'none';
  tokenError?: { readonly status: number; readonly body: unknown };
  refreshError?: { readonly status: number; readonly body: unknown };
  refreshSubject?: string;
  claims?: Record<string, unknown>;
  noRefreshToken?: boolean;
  responseIssuer?: boolean;
}

export interface HostileProvider {
  readonly issuer: string;
  lies: Lies;
  /** Requests to the token endpoint. */
  readonly requests: URLSearchParams[];
  /** Issues a code for what the authorization URL asked, and gives the URL that the browser is sent back to. */
  callbackFor(authorizationUrl: URL): string;
  close(): Promise<void>;
}

/** A provider in one process with the test, which says what the test wants. */
export async function startHostileProvider(): Promise<HostileProvider> {
  const [honest, other] = await Promise.all([generateKeyPair('RS256'), generateKeyPair('RS256')]);
  const jwk = { ...(await exportJWK(honest.publicKey)), kid: 'k', alg: 'RS256', use: 'sig' };
  const codes = new Map<string, { nonce: string | null; challenge: string | null }>();
  const requests: URLSearchParams[] = [];
  const server = createServer((req, res) => void answer(req, res));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const self: HostileProvider = {
    issuer,
    lies: {},
    requests,
    callbackFor(url) {
      const code = `code-${codes.size}`;
      const { searchParams: query } = url;
      codes.set(code, { nonce: query.get('nonce'), challenge: query.get('code_challenge') });
      const back = new URL(query.get('redirect_uri') ?? '');
      back.searchParams.set('code', code);
      back.searchParams.set('state', query.get('state') ?? '');
      return back.href;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };

  async function idToken(nonce: string | null, subject: string): Promise<string> {
    const { lies } = self;
    const wanted = lies.nonce === undefined ? nonce : lies.nonce;
    const claims = { ...(wanted !== null && { nonce: wanted }), preferred_username: 'dora', ...lies.claims };
    const token = new SignJWT(claims)
      .setProtectedHeader({ alg: 'RS256', kid: 'k' })
      .setIssuer(lies.idTokenIssuer ?? issuer)
      .setAudience(lies.audience ?? 'portcullis')
      .setSubject(subject)
      .setIssuedAt()
      .setExpirationTime('5 minutes');
    const signed = await token.sign(lies.signedBy === 'another key' ? other.privateKey : honest.privateKey);
    if (lies.signedBy !== 'none') return signed;
    const header = Buffer.from(JSON.stringify({ alg: 'none' })).toString('base64url');
    return `${header}.${signed.split('.')[1]}.`;
  }

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const { lies } = self;
    const end = (body: unknown, status = 200) => {
      res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    if (req.url === '/jwks') return end({ keys: [jwk] });
    if (req.url !== '/token') {
      return end({
        issuer: lies.metadataIssuer ?? issuer,
        authorization_endpoint: `${issuer}/authorize`,
        token_endpoint: `${issuer}/token`,
        jwks_uri: `${issuer}/jwks`,
        response_types_supported: ['code'],
        token_endpoint_auth_methods_supported: ['client_secret_post'],
        id_token_signing_alg_values_supported: ['RS256'],
        authorization_response_iss_parameter_supported: lies.responseIssuer ?? false,
      });
    }
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    const form = new URLSearchParams(Buffer.concat(chunks).toString());
    requests.push(form);
    const subject = lies.subject ?? 'subject-1';
    const tokens = {
      access_token: 'x',
      token_type: 'bearer',
      ...(!lies.noRefreshToken && { refresh_token: `refresh-${requests.length}` }),
    };
    if (form.get('grant_type') === 'refresh_token') {
      if (lies.refreshError) return end(lies.refreshError.body, lies.refreshError.status);
      return end({ ...tokens, id_token: await idToken(null, lies.refreshSubject ?? subject) });
    }
    if (lies.tokenError) return end(lies.tokenError.body, lies.tokenError.status);
    const code = codes.get(form.get('code') ?? '');
    if (code === undefined) return end({ error: 'invalid_grant' }, 400);
    codes.delete(form.get('code') ?? '');
    end({ ...tokens, id_token: await idToken(code.nonce, subject) });
  }
  return self;
}
