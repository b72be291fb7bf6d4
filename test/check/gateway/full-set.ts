import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { decodeJwt, importJWK, type JWK, SignJWT } from 'jose';
import { Secret, systemClock } from '../../../src/base/index.ts';
import {
  type AuditSource,
  logIn,
  type MillOptions,
  mill,
  noTokens,
  openContext,
  ownKey,
  type RunOptions,
  readLock,
  type TokenName,
  writeLock,
} from '../../../src/check/index.ts';
import { declaredBy } from '../../../src/cli/check/declared.ts';
import { inspectConfig } from '../../../src/config/index.ts';
import { alice, bob, signInAndConsent } from '../../authorization-server/support.ts';
import { run } from '../../cli/support/run.ts';
import { startTestGateway } from '../../clients/gateway.ts';

/** Our gateway, and everything that check can be given about it: no row is left that cannot be tested. */
export interface FullSet {
  readonly options: RunOptions;
  close(): Promise<void>;
}

const config = {
  servers: {
    notes: { upstream: { command: [process.execPath, join(import.meta.dirname, 'notes-server.ts')] } },
  },
  tools: [
    { match: 'delete_*', scope: 'mcp:tools:admin', confirm: 'other' },
    { match: 'write_*', scope: 'mcp:tools:write', limit: '30/min' },
    { match: '*', hint: 'readOnly', scope: 'mcp:tools:read' },
    { match: '*', scope: 'mcp:tools:admin' },
  ],
  limits: { client: '240/min', address: '100000/min', addressFailures: '300/min' },
  audit: {
    keep: '400d',
    also: [{ file: './copy.jsonl' }],
    checkpoints: { everySeconds: 1, to: { file: './checkpoints.jsonl' } },
  },
  http: { drainSeconds: 1 },
};

export async function startFullSet(more: Record<string, unknown> = {}): Promise<FullSet> {
  const gateway = await startTestGateway({
    accounts: [
      { ...alice, role: 'admin' },
      { ...bob, role: 'user' },
    ],
    config: { ...config, ...more },
  });
  const target = new URL(gateway.servers[0]?.url ?? '');
  const file = join(gateway.data, '..', 'portcullis.yaml');
  const { explain } = await inspectConfig({ file, cwd: gateway.data });
  const bare: RunOptions = {
    target,
    clock: systemClock,
    version: 'test',
    timeLimitMs: 240_000,
    paceMs: 0,
    tokens: noTokens,
    allowed: {
      burst: true,
      register: true,
      tools: [
        { name: 'write_note', args: { name: 'check', body: 'check' } },
        { name: 'delete_note', args: { name: 'check' } },
      ],
    },
    expectPublic: false,
    audit: auditOf(gateway.data),
    lock: null,
    declared: declaredBy('portcullis.yaml', explain),
    mill: null,
  };
  const signedIn = await signIn(bare, alice);
  const bobs = await signIn(bare, bob);
  const good = signedIn.tokens.good;
  if (!good) throw new Error('no token');
  const sign = await signer(gateway.data, good.secret.reveal());
  const others = await otherTokens(sign, target);
  const tokens = {
    ...signedIn,
    tokens: {
      ...others,
      good,
      ...(bobs.tokens.good && { 'other-principal': { ...bobs.tokens.good, name: 'other-principal' } }),
    },
  };
  const lock = readLock(await writeLock({ ...bare, tokens }));
  const trials = await mill({ ...sign.key, audience: target.href, now: Math.floor(Date.now() / 1000) });
  return {
    options: { ...bare, tokens, lock, mill: { issuer: 'https://lab.example', trials } },
    close: () => gateway.close(),
  };
}

async function signIn(options: RunOptions, person: typeof alice) {
  return logIn(await openContext(options, new Map()), {
    issuer: null,
    clientId: null,
    clientMetadataUrl: null,
    scope: 'mcp:tools:read mcp:tools:write mcp:tools:admin mcp:resources:read',
    waitMs: 30_000,
    show: (url) => void signInAndConsent(url, person).then((back) => fetch(back)),
  });
}

interface Sign {
  (claims: Record<string, unknown>, typ?: string): Promise<string>;
  readonly key: Omit<MillOptions, 'audience' | 'now'>;
}

/** Signs with the very key of the authorization server: what it would never say, in its own hand. */
async function signer(data: string, good: string): Promise<Sign> {
  const file = JSON.parse(readFileSync(join(data, 'authorization-keys.json'), 'utf8')) as {
    signing: { jwk: JWK }[];
  };
  const jwk = file.signing[0]?.jwk;
  if (!jwk) throw new Error('no key');
  const claims = decodeJwt(good);
  const privateKey = await importJWK(jwk, 'ES256');
  if (privateKey instanceof Uint8Array) throw new Error('a shared key');
  const { d: _private, ...shown } = jwk;
  const key = {
    issuer: String(claims.iss),
    scope: String(claims['scope']),
    claims,
    key: { privateKey, jwk: { ...shown, alg: 'ES256' } },
    otherKey: await ownKey('ES256'),
  };
  const sign = async (change: Record<string, unknown>, typ = 'at+jwt') => {
    const all = Object.fromEntries(
      Object.entries({ ...claims, ...change }).filter(([, value]) => value !== undefined),
    );
    return new SignJWT(all).setProtectedHeader({ alg: 'ES256', kid: jwk.kid ?? '', typ }).sign(privateKey);
  };
  return Object.assign(sign, { key });
}

async function otherTokens(sign: Sign, target: URL) {
  const now = Math.floor(Date.now() / 1000);
  const other = 'https://other.example/mcp';
  const texts: Partial<Record<TokenName, string>> = {
    'read-only': await sign({ scope: 'mcp:tools:read', jti: 'read-only' }),
    expired: await sign({ iat: now - 7200, exp: now - 3600 }),
    'not-yet-valid': await sign({ nbf: now + 3600, exp: now + 7200 }),
    'other-issuer': await sign({ iss: 'https://issuer.example' }),
    'wrong-audience': await sign({ aud: other }),
    'sibling-resource': await sign({ aud: `${target.origin}/sibling/mcp` }),
    'no-audience': await sign({ aud: undefined }),
    'multiple-audience': await sign({ aud: [target.href, other] }),
    'id-token': await sign({ aud: 'client', nonce: 'n' }, 'JWT'),
  };
  return Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [name, { name, secret: new Secret(text) }]),
  );
}

function auditOf(data: string): AuditSource {
  return {
    async read() {
      const db = new DatabaseSync(join(data, 'audit.db'), { readOnly: true });
      try {
        return db
          .prepare('SELECT * FROM records ORDER BY seq')
          .all()
          .map((row) => JSON.stringify(row))
          .join('\n');
      } finally {
        db.close();
      }
    },
    async verify() {
      const { code, stdout } = await run(['audit', 'verify', '--data', data], { cwd: data });
      return {
        holds: code === 0,
        said: stdout.split('\n')[0]?.replace(/\d+ (entries|saved)/g, 'some $1') ?? '',
      };
    },
  };
}
