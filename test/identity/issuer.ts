import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  type JWK,
  type JWTHeaderParameters,
  SignJWT,
} from 'jose';

/** A real issuer for tests: its metadata and keys are served over HTTP, its tokens are whatever the test says. */
export interface TestIssuer {
  readonly issuer: string;
  readonly requests: string[];
  /** Signs claims as they are (defaults for iss, sub, exp, iat, jti, client_id). A claim set to undefined is left out. */
  sign(claims: Record<string, unknown>, header?: Partial<JWTHeaderParameters>): Promise<string>;
  readonly publicJwk: JWK;
  readonly privateKey: CryptoKey;
  /** Stops answering; tokens can still be signed. */
  stop(): Promise<void>;
  /** Makes a new key; the old one leaves the key set unless `keepOld`. */
  rotate(options: { keepOld: boolean }): Promise<void>;
}

export async function startIssuer(algorithm = 'ES256'): Promise<TestIssuer> {
  let number = 1;
  let pair = await generateKeyPair(algorithm, { extractable: true });
  let keys: JWK[] = [await publicKey(pair.publicKey, algorithm, 'key-1')];
  const requests: string[] = [];
  const server: Server = createServer((request, response) => {
    requests.push(request.url ?? '');
    response.setHeader('content-type', 'application/json');
    if (request.url === '/jwks') response.end(JSON.stringify({ keys }));
    else if (request.url === '/.well-known/openid-configuration') {
      response.end(JSON.stringify({ issuer, jwks_uri: `${issuer}/jwks` }));
    } else response.writeHead(404).end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    issuer,
    requests,
    get publicJwk() {
      return keys[0] ?? {};
    },
    get privateKey() {
      return pair.privateKey;
    },
    async sign(claims, header = {}) {
      const now = Math.floor(Date.now() / 1000);
      const defaults = {
        iss: issuer,
        sub: 'alice',
        client_id: 'client',
        iat: now,
        exp: now + 300,
        jti: `id-${now}`,
      };
      const all = Object.fromEntries(
        Object.entries({ ...defaults, ...claims }).filter(([, value]) => value !== undefined),
      );
      const protectedHeader = { alg: algorithm, typ: 'at+jwt', kid: `key-${number}`, ...header };
      return new SignJWT(all).setProtectedHeader(protectedHeader).sign(pair.privateKey);
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
    async rotate({ keepOld }) {
      number += 1;
      pair = await generateKeyPair(algorithm, { extractable: true });
      keys = [await publicKey(pair.publicKey, algorithm, `key-${number}`), ...(keepOld ? keys : [])];
    },
  };
}

async function publicKey(key: CryptoKey, alg: string, kid: string): Promise<JWK> {
  return { ...(await exportJWK(key)), alg, kid, use: 'sig' };
}
