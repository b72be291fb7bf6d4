import assert from 'node:assert/strict';
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it, type TestContext } from 'node:test';
import { home, run, start } from '../../cli/support/run.ts';
import { Canaries } from './canaries.ts';
import type { Typed } from './main-runner.ts';
import { processList } from './world.ts';

/** A command that fails, or a start that cannot be, with secrets wherever they may be. */
interface Case {
  readonly name: string;
  /** @returns what to type; `secret` makes a canary. */
  readonly given: (
    make: (where: string) => string,
    cwd: string,
  ) => {
    readonly command: readonly string[];
    readonly config?: string;
    readonly env?: Record<string, string>;
    readonly stdin?: string;
    readonly files?: Record<string, string>;
  };
  /** What shows that it failed for the reason that it is here for. */
  readonly says: RegExp;
}

const base = 'publicUrl: http://127.0.0.1:4999\nlisten: { port: 4999 }\ndata: ./data\n';
const notes = 'servers: { notes: { path: /mcp, upstream: { url: "http://127.0.0.1:1/mcp" } } }\n';
const serve = ['serve', '--config', 'portcullis.yaml'] as const;
const check = ['config', 'check', '--config', 'portcullis.yaml'] as const;

const one = (rest: string) =>
  `${base}servers: { notes: { upstream: { url: "http://127.0.0.1:1/mcp" } } }\n${rest}\n`;
const upstream = (rest: string) =>
  `${base}servers: { notes: { upstream: { url: "http://127.0.0.1:1/mcp", ${rest} } } }\n`;
const key = '{ env: KEY }';
/** By what it is of: the file with a URL, given from its `//` on. */
const urlsOf: Readonly<Record<string, (url: string) => string>> = {
  'the gateway': (url) => `publicUrl: "https:${url}"\n${notes}`,
  'a server': (url) => `${base}servers: { notes: { upstream: { url: "https:${url}" } } }\n`,
  PostgreSQL: (url) => one(`postgres: { url: "postgres:${url}" }`),
  Redis: (url) => one(`redis: { url: "redis:${url}" }`),
  'the webhook of alerts': (url) => one(`alerts: { webhook: { url: "https:${url}", secret: ${key} } }`),
  'a webhook of records': (url) =>
    one(`audit: { also: [{ webhook: { url: "https:${url}", secret: ${key} } }] }`),
  'a collector of records': (url) => one(`audit: { also: [{ otlp: "https:${url}" }] }`),
  'a collector of traces': (url) => one(`telemetry: { otlp: "https:${url}" }`),
  'an issuer': (url) => one(`auth: { issuers: [{ issuer: "https:${url}", audience: x }] }`),
  'an endpoint of introspection': (url) =>
    one(
      `auth: { issuers: [{ issuer: "https://i.example", audience: x, verify: introspection, introspection: { endpoint: "https:${url}", clientId: x, clientSecret: ${key} } }] }`,
    ),
  'a key set': (url) =>
    one(`auth: { issuers: [{ issuer: "https://i.example", audience: x, jwks: "https:${url}" }] }`),
  'a provider to sign in at': (url) =>
    one(
      `auth: { embedded: { signIn: { oidc: { issuer: "https:${url}", clientId: x, clientSecret: ${key} } } } }`,
    ),
  'a provider to connect to': (url) =>
    upstream(`connect: { issuer: "https:${url}", clientId: x, clientSecret: ${key} }`),
  'a provider of exchanged tokens': (url) =>
    upstream(`exchange: { issuer: "https:${url}", clientId: x, clientSecret: ${key} }`),
  'a header, typed out': (url) => upstream(`headers: { authorization: "Bearer ${url}" }`),
  'a variable, typed out': (url) =>
    `${base}servers: { notes: { upstream: { command: [x], env: { DSN: "postgres:${url}" } } } }\n`,
  'an argument of a server': (url) =>
    `${base}servers: { notes: { upstream: { command: [x, "--dsn", "postgres:${url}"] } } }\n`,
  'a command, in one text': (url) =>
    `${base}servers: { notes: { upstream: { command: "x --dsn=postgres:${url}" } } }\n`,
  'a secret, typed out': (url) => one(`auth: { vaultKey: "${url}" }`),
  'a secret that is a list': (url) => one(`auth: { vaultKey: ["${url}"] }`),
  'a reference with more': (url) => one(`auth: { vaultKey: { env: KEY, value: "${url}" } }`),
  'a name that is a value': (url) => one(`auth: { vaultKey: { "${url}": 1 } }`),
  'a reference to what is no name': (url) => one(`auth: { vaultKey: { env: "${url}" } }`),
  'a web page that may call': (url) => one(`allowedOrigins: ["https:${url}"]`),
};

const cases: readonly Case[] = [
  {
    name: 'a literal where a secret belongs',
    given: (make) => ({
      command: check,
      config: `${base}servers: { notes: { upstream: { url: "http://127.0.0.1:1/mcp", headers: { x-api-key: "${make('literal')}" } } } }\n`,
    }),
    says: /x-api-key/,
  },
  {
    name: 'a literal in a command, of a shape that is a key',
    given: (make) => ({
      command: check,
      config: `${base}servers: { notes: { upstream: { command: [server, --token, "sk-${make('command')}"] } } }\nbroken: 1\n`,
    }),
    says: /broken/,
  },
  {
    name: 'credentials in the URL of an upstream',
    given: (make) => ({
      command: check,
      config: `${base}servers: { notes: { upstream: { url: "http://user:${make('userinfo')}@127.0.0.1:1/mcp?key=${make('query')}" } } }\n`,
    }),
    says: /url/,
  },
  {
    name: 'a secret that is not YAML where it stands',
    given: (make) => ({ command: check, config: `${base}servers: {\n  password: "${make('YAML')}\n` }),
    says: /not valid YAML/,
  },
  {
    name: 'a command that is to give a secret, and fails with it on both outputs',
    given: (make) => {
      const script =
        'process.stdout.write(process.env.LEAK); process.stderr.write(process.env.LEAK); process.exit(1)';
      const command = JSON.stringify([process.execPath, '-e', script]);
      return {
        command: check,
        env: { LEAK: make('secret command') },
        config: `${base}servers: { notes: { upstream: { url: "http://127.0.0.1:1/mcp", headers: { x-api-key: { command: ${command} } } } } }\n`,
      };
    },
    says: /x-api-key/,
  },
  {
    name: 'a secret with a line break, which no header can carry',
    given: (make) => ({
      command: check,
      env: { KEY: `${make('header')}\r\nx: y` },
      config: `${base}servers: { notes: { upstream: { url: "http://127.0.0.1:1/mcp", headers: { x-api-key: { env: KEY } } } } }\n`,
    }),
    says: /x-api-key/,
  },
  {
    name: 'a key of the vault that is none',
    given: (make) => ({
      command: check,
      env: { VAULT: make('vault'), SECRET: make('client secret') },
      config: `${base}servers: { notes: { upstream: { url: "http://127.0.0.1:1/mcp", connect: { issuer: "https://idp.example", clientId: x, clientSecret: { env: SECRET } } } } }\nauth: { vaultKey: { env: VAULT } }\n`,
    }),
    says: /vaultKey/,
  },
  {
    name: 'webhook secrets that are too short or damaged',
    given: (make) => ({
      command: check,
      env: { HOOK: `whsec_${make('webhook')}!!`, SHORT: make('short').slice(0, 12) },
      config: `${base}${notes}alerts: { webhook: { url: "https://hooks.example/${make('path')}", secret: { env: SHORT } } }\naudit: { also: [{ webhook: { url: "https://hooks.example/x", secret: { env: HOOK } } }] }\n`,
    }),
    says: /secret/,
  },
  {
    name: 'a database that does not answer',
    given: (make) => ({
      command: serve,
      env: { DB: `postgres://gate:${make('postgres')}@127.0.0.1:1/audit?sslpassword=${make('sslpassword')}` },
      config: `${base}${notes}postgres: { url: { env: DB } }\n`,
    }),
    says: /audit trail|postgres/i,
  },
  {
    name: 'a URL of a database, or of Redis, that is none',
    given: (make) => ({
      command: check,
      env: { DB: `mysql://u:${make('postgres')}@h/d`, REDIS: `http://u:${make('redis')}@h` },
      config: `${base}${notes}postgres: { url: { env: DB } }\nredis: { url: { env: REDIS } }\n`,
    }),
    says: /postgres\.url/,
  },
  ...['authorization-keys.json', 'audit-keys.json', 'master.key'].map(
    (file): Case => ({
      name: `a damaged ${file}`,
      given: (make) => ({
        command: serve,
        config: base + notes,
        files: { [`data/${file}`]: `${make('damaged file')} {"d":"${make('damaged file')}"` },
      }),
      says: new RegExp(file.replace('.', '\\.')),
    }),
  ),
  {
    name: 'a private key that does not fit its certificate',
    given: (make) => ({
      command: serve,
      config: `${base.replace('http:', 'https:')}${notes}tls: { cert: cert.pem, key: { file: key.pem } }\n`,
      files: {
        'cert.pem': 'no certificate',
        'key.pem': `-----BEGIN PRIVATE KEY-----\n${make('private key')}\n-----END PRIVATE KEY-----\n`,
      },
    }),
    says: /certificate|tls/,
  },
  {
    name: 'a server that does not start, and prints its environment',
    given: (make) => ({
      command: [
        'protect',
        '--env',
        'CHILD_KEY',
        '--port',
        '4998',
        '--',
        process.execPath,
        '-e',
        'console.error(process.env.CHILD_KEY, "failed"); process.exit(3)',
      ],
      env: { CHILD_KEY: make('child') },
    }),
    says: /did not start/,
  },
  {
    name: 'protect: credentials in the URL',
    given: (make) => ({ command: ['protect', `http://user:${make('userinfo')}@127.0.0.1:1/mcp`] }),
    says: /url|credential|user/i,
  },
  {
    name: 'protect: a header that is typed out',
    given: (make) => ({
      command: ['protect', '--header', `x-api-key=${make('header')}`, 'http://127.0.0.1:1/mcp'],
    }),
    says: /header/,
  },
  {
    name: 'doctor: a URL with secrets, of a server that does not answer',
    given: (make) => ({
      command: [
        'doctor',
        `http://user:${make('userinfo')}@127.0.0.1:1/mcp?access_token=${make('query')}#${make('fragment')}`,
      ],
    }),
    says: /./,
  },
  {
    name: 'check: the same',
    given: (make) => ({
      command: [
        'check',
        `http://user:${make('userinfo')}@127.0.0.1:1/mcp?access_token=${make('query')}`,
        '--token-stdin',
      ],
      stdin: `${make('token')}\n`,
    }),
    says: /./,
  },
  {
    name: 'users add: a password that is too short',
    given: (make) => ({
      command: ['users', 'add', 'alice', '--password-stdin', '--data', 'data'],
      stdin: `${make('password').slice(0, 11)}\n`,
    }),
    says: /password/,
  },
  {
    name: 'users add: two lines, one of them a password',
    given: (make) => ({
      command: ['users', 'add', 'alice', '--password-stdin', '--data', 'data'],
      stdin: `${make('password')}\n${make('more')}\n`,
    }),
    says: /more than one line/,
  },
  {
    name: 'alerts test: a webhook that is not there',
    given: (make) => ({
      command: ['alerts', 'test', '--config', 'portcullis.yaml'],
      env: { HOOK: make('webhook secret') },
      config: `${base}${notes}alerts: { webhook: { url: "http://127.0.0.1:1/services/${make('path of the webhook')}", secret: { env: HOOK } } }\n`,
    }),
    says: /./,
  },
  {
    name: 'check: a client secret that is typed out',
    given: (make) => ({
      command: [
        'check',
        'http://127.0.0.1:1/mcp',
        '--client-credentials',
        '--client-id',
        'x',
        '--client-secret',
        make('client secret'),
      ],
    }),
    says: /names no secret/,
  },
  {
    name: 'check: a file of tokens that is none',
    given: (make) => ({
      command: ['check', 'http://127.0.0.1:1/mcp', '--tokens', 'data/tokens.json'],
      files: { 'data/tokens.json': `{"good":"${make('token')}","${make('name')}":7,` },
    }),
    says: /--tokens/,
  },
  {
    name: 'check: tokens under names that are none',
    given: (make) => ({
      command: ['check', 'http://127.0.0.1:1/mcp', '--tokens', 'data/tokens.json'],
      files: { 'data/tokens.json': `{"good":["${make('token')}"],"bad":{"x":"${make('token')}"}}` },
    }),
    says: /--tokens/,
  },
  {
    name: 'check: a list of hosts with passwords',
    given: (make) => ({
      command: ['check', '--host-list', 'data/hosts.txt'],
      files: { 'data/hosts.txt': `ftp://u:${make('userinfo')}@h/${make('path')}\n` },
    }),
    says: /URL/,
  },
  {
    name: 'audit open: a key that is typed out, and one that is damaged',
    given: (make) => ({
      command: ['audit', 'open', 'x', '--key', 'data/key.pem', '--data', 'data'],
      files: {
        'data/key.pem': `-----BEGIN PRIVATE KEY-----\n${make('private key')}\n-----END PRIVATE KEY-----\n`,
      },
    }),
    says: /key/,
  },
  {
    name: 'audit open: a JWK with a member too few',
    given: (make) => ({
      command: ['audit', 'open', 'x', '--key', 'data/key.json', '--data', 'data'],
      files: { 'data/key.json': `{"kty":"EC","crv":"P-256","d":"${make('private key')}"}` },
    }),
    says: /key/,
  },
  {
    name: 'audit match: arguments that are no JSON',
    given: (make) => ({
      command: [
        'audit',
        'match',
        '--tool',
        'x',
        '--args',
        `{"password": ${make('an argument')}`,
        '--data',
        'data',
      ],
      files: { 'data/x': '' },
    }),
    says: /--args/,
  },
  {
    name: 'policy explain: the same',
    given: (make) => ({
      command: ['policy', 'explain', '--tool', 'x', '--args', `{"password": ${make('an argument')}`],
      config: base + notes,
    }),
    says: /--args/,
  },
  // Every URL that a file can hold, with a password in it, and then something else that is wrong.
  ...Object.entries(urlsOf).flatMap(([name, given]): Case[] =>
    (['check', 'explain'] as const).map((verb) => ({
      name: `config ${verb}: a password in the URL of ${name}`,
      given: (make) => ({
        command: ['config', verb, '--config', 'portcullis.yaml'],
        env: { KEY: Buffer.alloc(32, 7).toString('base64') },
        config: `${given(`//gate:${make(`password of ${name}`)}@host.example/${make(`path of ${name}`)}?token=${make(`query of ${name}`)}`)}broken: 1\n`,
      }),
      says: /broken/,
    })),
  ),
];

describe('what a command says when it fails', () => {
  const runner = fork(join(import.meta.dirname, 'main-runner.ts'), {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  after(() => runner.kill('SIGKILL'));
  // What is not written by way of the process's streams: the log.
  let logged = '';
  for (const stream of [runner.stdout, runner.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => {
      logged += text;
    });
  const type = async (
    typed: Typed,
    stdin: string | undefined,
  ): Promise<{ code: number | null; text: string }> => {
    if (stdin !== undefined) {
      const { code, stdout, stderr } = await run(typed.parameters, typed, stdin);
      return { code, text: stdout + stderr };
    }
    const answer = once(runner, 'message');
    runner.send(typed);
    return (await answer)[0] as { code: number; text: string };
  };
  for (const one of cases) {
    it(one.name, async (t) => {
      await failsClean(t, one, { json: false, type });
      if (one.given((where) => where, '').stdin === undefined) await failsClean(t, one, { json: true, type });
    });
  }

  it('nor does the log of all of them', () => {
    assert.match(logged, /upstream wrote/);
    assert.doesNotMatch(logged, /CANARY/);
  });

  it('and a password on its way in is in no process list', async (t) => {
    const canaries = new Canaries();
    const cwd = home(t);
    const password = canaries.make('password');
    const child = start(['users', 'add', 'alice', '--password-stdin', '--data', 'data'], { cwd });
    const found = canaries.foundIn(processList());
    child.stdin?.end(`${password}\n`);
    await new Promise((resolve) => child.once('exit', resolve));
    assert.deepEqual([...found, ...canaries.foundIn(processList())], []);
  });
});

interface How {
  readonly json: boolean;
  readonly type: (typed: Typed, stdin: string | undefined) => Promise<{ code: number | null; text: string }>;
}

async function failsClean(t: TestContext, { given, says }: Case, { json, type }: How): Promise<void> {
  const canaries = new Canaries();
  const cwd = home(t);
  const { command, config, env = {}, stdin, files = {} } = given((where) => canaries.make(where), cwd);
  if (config !== undefined) writeFileSync(join(cwd, 'portcullis.yaml'), config);
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(join(cwd, 'data'), { recursive: true, mode: 0o700 });
    writeFileSync(join(cwd, file), text, { mode: 0o600 });
  }
  const rest = command.indexOf('--');
  const at = rest === -1 ? command.length : rest;
  const parameters = json ? [...command.slice(0, at), '--json', ...command.slice(at)] : command;
  const unused = canaries.make('variable');
  const { code, text } = await type({ parameters, cwd, env: { ...env, UNUSED: unused } }, stdin);
  assert.ok(code !== 0 && code !== -1, `it did not fail: ${code}`);
  assert.match(text, says);
  assert.deepEqual(canaries.foundIn(text), []);
  assert.doesNotMatch(text, /CANARY/, 'nor a part of one');
}

it('nor a process that ends of a fault of ours, whatever the error carries', async (t) => {
  const canaries = new Canaries();
  const [url, args] = [canaries.make('URL'), canaries.make('arguments of a refused command')];
  // As ioredis rejects for a wrong password: what it sent is a property.
  const program = `
    import { main } from ${JSON.stringify(new URL('../../../src/cli/main.ts', import.meta.url).href)};
    await main(['--version'], {});
    const error = Object.assign(new Error('refused by redis://default:${url}@h\\n\\u001b[2J'), { command: { name: 'auth', args: ['${args}'] } });
    error.cause = new Error('${args}');
    void Promise.reject(error);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { cwd: home(t) });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  const [code] = (await once(child, 'close')) as [number];
  assert.equal(code, 1);
  assert.match(said, /a fault of Portcullis: Error: refused by redis:\/\/\[redacted\]@h\n/);
  assert.match(said, / at /, 'where it was');
  assert.deepEqual(canaries.foundIn(said), []);
  assert.ok(!said.includes('\u001b'));
});
