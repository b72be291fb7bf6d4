import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';

const program = '/usr/bin/glewlwyd';
const tables = '/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3';

/** Letters alone: glewlwyd does not decode the form encoding of RFC 6749 section 2.3.1 in a Basic header. */
export const glewlwydClient = { id: 'portcullis', secret: 'aSecretOfTheClient' };
/** What glewlwyd knows of a server behind Portcullis (RFC 8707): who holds the scope may ask for a token of that audience. */
export const protectedResource = 'https://portcullis.test/mcp';
export const protectedScope = 'mcp:tools:read';
export const administrator = { username: 'admin', password: 'password' };

/** Debian's glewlwyd (C, libjwt-like stack of its own): an OpenID provider that shares no code with what is tested. */
export const isGlewlwydInstalled = existsSync(program) && existsSync(tables);

export interface Glewlwyd {
  readonly issuer: string;
  addUser(user: {
    readonly username: string;
    readonly password: string;
    readonly groups: readonly string[];
  }): Promise<void>;
  changeUser(username: string, change: Readonly<Record<string, unknown>>): Promise<void>;
  /** What a signed-in browser sends along. */
  signIn(username: string, password: string): Promise<string>;
  stop(): Promise<void>;
  close(): Promise<void>;
}

export async function startGlewlwyd(redirectUri: string): Promise<Glewlwyd> {
  const directory = mkdtempSync(join(tmpdir(), 'portcullis-glewlwyd-'));
  const port = await freePort();
  const url = `http://localhost:${port}`;
  writeFileSync(join(directory, 'glewlwyd.conf'), configuration(port, url, directory));
  const db = new DatabaseSync(join(directory, 'glewlwyd.db'));
  db.exec(readFileSync(tables, 'utf8'));
  db.close();
  const child = spawn(program, [`--config-file=${join(directory, 'glewlwyd.conf')}`], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-8000);
    });
  }
  const stop = () => stopped(child);
  const close = async () => {
    await stop();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await answering(url, child);
    const api = await administration(url);
    await configure(api, url, redirectUri);
    return { issuer: `${url}/api/oidc`, ...people(api, url), stop, close };
  } catch (error) {
    await close();
    throw new Error(`glewlwyd: ${String(error)}\n${said}`);
  }
}

function configuration(port: number, url: string, directory: string): string {
  return `port=${port}
bind_address="127.0.0.1"
external_url="${url}"
login_url="login.html"
api_prefix="api"
log_mode="console"
log_level="WARNING"
cookie_domain="localhost"
cookie_secure=0
session_expiration=3600
session_key="GLEWLWYD2_SESSION_ID"
admin_session_authentication="cookie"
profile_session_authentication="cookie"
login_api_enabled=true
admin_scope="g_admin"
profile_scope="g_profile"
user_module_path="/usr/lib/glewlwyd/user"
client_module_path="/usr/lib/glewlwyd/client"
user_auth_scheme_module_path="/usr/lib/glewlwyd/scheme"
plugin_module_path="/usr/lib/glewlwyd/plugin"
hash_algorithm="SHA512"
database = { type = "sqlite3", path = "${join(directory, 'glewlwyd.db')}" };
`;
}

type Api = (method: string, path: string, body?: unknown) => Promise<void>;

async function administration(url: string): Promise<Api> {
  const cookie = await session(url, administrator);
  return async (method, path, body) => {
    const response = await fetch(`${url}/api/${path}`, {
      method,
      headers: { cookie, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    assert.equal(response.status, 200, `${method} ${path}: ${response.status} ${await response.text()}`);
  };
}

async function configure(api: Api, url: string, redirectUri: string): Promise<void> {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  await api('PUT', 'mod/user/database', {
    module: 'database',
    name: 'database',
    display_name: 'people',
    parameters: {
      'use-glewlwyd-connection': true,
      'data-format': { groups: { multiple: true, read: true, write: true } },
    },
  });
  await api('PUT', 'mod/user/database/reset');
  await api('POST', 'scope/', { name: protectedScope, display_name: 'read', password_required: true });
  await api('POST', 'mod/plugin/', {
    module: 'oidc',
    name: 'oidc',
    display_name: 'oidc',
    parameters: {
      iss: `${url}/api/oidc`,
      'jwt-type': 'rsa',
      'jwt-key-size': '256',
      key: privateKey,
      cert: publicKey,
      'access-token-duration': 60,
      'refresh-token-duration': 86_400,
      'code-duration': 60,
      'refresh-token-rolling': true,
      'refresh-token-one-use': 'always',
      'allow-non-oidc': false,
      'auth-type-code-enabled': true,
      'auth-type-refresh-enabled': true,
      'auth-type-token-enabled': false,
      'auth-type-id-token-enabled': true,
      'auth-type-none-enabled': false,
      'auth-type-password-enabled': false,
      'auth-type-client-enabled': false,
      'pkce-allowed': true,
      'pkce-required': true,
      'pkce-method-plain-allowed': false,
      'introspection-revocation-allowed': true,
      'introspection-revocation-allow-target-client': true,
      'resource-allowed': true,
      'resource-scope': { [protectedScope]: [protectedResource] },
      'jwks-show': true,
      'service-documentation': '',
      'op-policy-uri': '',
      'op-tos-uri': '',
      'name-claim': 'mandatory',
      'email-claim': 'mandatory',
      claims: [
        { name: 'groups', 'user-property': 'groups', type: 'string', mandatory: true, scope: [] },
        {
          name: 'preferred_username',
          'user-property': 'username',
          type: 'string',
          mandatory: true,
          scope: [],
        },
      ],
    },
  });
  await api('POST', 'client/', {
    client_id: glewlwydClient.id,
    name: 'Portcullis',
    password: glewlwydClient.secret,
    client_secret: glewlwydClient.secret,
    confidential: true,
    enabled: true,
    scope: [],
    redirect_uri: [redirectUri],
    authorization_type: ['code', 'refresh_token'],
    token_endpoint_auth_method: ['client_secret_post', 'client_secret_basic'],
  });
}

function people(api: Api, url: string): Pick<Glewlwyd, 'addUser' | 'changeUser' | 'signIn'> {
  return {
    async addUser({ username, password, groups }) {
      const email = `${username}@example.com`;
      await api('POST', 'user/', {
        username,
        password,
        groups,
        email,
        name: username,
        enabled: true,
        scope: ['openid', protectedScope],
      });
      const cookie = await session(url, { username, password });
      const response = await fetch(`${url}/api/auth/grant/${glewlwydClient.id}`, {
        method: 'PUT',
        headers: { cookie, 'content-type': 'application/json' },
        body: JSON.stringify({ scope: `openid ${protectedScope}` }),
      });
      assert.equal(response.status, 200, await response.text());
    },
    changeUser: (username, change) => api('PUT', `user/${username}`, change),
    signIn: (username, password) => session(url, { username, password }),
  };
}

async function session(url: string, credentials: { username: string; password: string }): Promise<string> {
  const response = await fetch(`${url}/api/auth/`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(credentials),
  });
  assert.equal(response.status, 200, `glewlwyd does not sign in ${credentials.username}`);
  return response.headers
    .getSetCookie()
    .map((line) => line.split(';', 1)[0])
    .join('; ');
}

async function answering(url: string, child: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode}`);
    const response = await fetch(`${url}/config`).catch(() => null);
    await response?.arrayBuffer();
    if (response?.ok) return;
    await sleep(100);
  }
  throw new Error('does not answer');
}

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
  await ended;
  clearTimeout(timer);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  assert.ok(typeof address === 'object' && address !== null);
  return address.port;
}
