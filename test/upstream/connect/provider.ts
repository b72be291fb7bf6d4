import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The provider of an upstream: codes with PKCE, refresh tokens that are good once. Its tokens begin with `canary-`. */
export interface UpstreamProvider {
  readonly issuer: string;
  /** Of the next tokens, in seconds. */
  life: number;
  down: boolean;
  withRefresh: boolean;
  /** Delays token answers. */
  delayMs: number;
  lieIssuer: string | null;
  readonly refreshes: string[];
  /** Every secret that was handed out. */
  readonly secrets: Set<string>;
  readonly accepted: Set<string>;
  /** What was revoked, as `hint token`. */
  readonly revoked: string[];
  endRefreshTokens(): void;
  callbackFor(authorizationUrl: URL): string;
  close(): Promise<void>;
}

export async function startUpstreamProvider(clientSecret: string): Promise<UpstreamProvider> {
  const codes = new Map<string, { challenge: string; redirectUri: string }>();
  const refreshTokens = new Set<string>();
  const server = createServer((req, res) => void answer(req, res));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const secret = (kind: string) => {
    const value = `canary-${kind}-${randomBytes(12).toString('hex')}`;
    self.secrets.add(value);
    return value;
  };
  const self: UpstreamProvider = {
    issuer,
    life: 3600,
    down: false,
    withRefresh: true,
    delayMs: 0,
    lieIssuer: null,
    refreshes: [],
    secrets: new Set([clientSecret]),
    accepted: new Set(),
    revoked: [],
    endRefreshTokens: () => refreshTokens.clear(),
    callbackFor({ searchParams: query }) {
      const code = secret('code');
      const redirectUri = query.get('redirect_uri') ?? '';
      codes.set(code, { challenge: query.get('code_challenge') ?? '', redirectUri });
      const back = new URL(redirectUri);
      back.searchParams.set('code', code);
      back.searchParams.set('state', query.get('state') ?? '');
      back.searchParams.set('iss', self.lieIssuer ?? issuer);
      return back.href;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };

  function isGood(form: URLSearchParams): boolean {
    if (form.get('grant_type') === 'refresh_token') {
      self.refreshes.push(form.get('refresh_token') ?? '');
      return refreshTokens.delete(form.get('refresh_token') ?? '');
    }
    const code = codes.get(form.get('code') ?? '');
    codes.delete(form.get('code') ?? '');
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    return code?.challenge === challenge && code.redirectUri === form.get('redirect_uri');
  }

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    if (self.down) return void req.socket.destroy();
    const end = (body: unknown, status = 200) => {
      res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    if (req.url === '/.well-known/oauth-authorization-server') {
      return end({
        issuer,
        authorization_endpoint: `${issuer}/authorize`,
        token_endpoint: `${issuer}/token`,
        revocation_endpoint: `${issuer}/revoke`,
        token_endpoint_auth_methods_supported: ['client_secret_post'],
        authorization_response_iss_parameter_supported: true,
      });
    }
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    const form = new URLSearchParams(Buffer.concat(chunks).toString());
    if (self.delayMs > 0) await new Promise((done) => setTimeout(done, self.delayMs));
    if (form.get('client_secret') !== clientSecret) return end({ error: 'invalid_client' }, 401);
    if (req.url === '/revoke') {
      self.revoked.push(`${form.get('token_type_hint')} ${form.get('token')}`);
      return void res.writeHead(200).end();
    }
    if (!isGood(form)) return end({ error: 'invalid_grant' }, 400);
    const [access, refresh] = [secret('access'), secret('refresh')];
    self.accepted.add(access);
    if (self.withRefresh) refreshTokens.add(refresh);
    end({
      access_token: access,
      token_type: 'Bearer',
      expires_in: self.life,
      ...(self.withRefresh && { refresh_token: refresh }),
    });
  }
  return self;
}
