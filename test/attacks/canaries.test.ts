import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, globSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { signInAndConsent } from '../authorization-server/support.ts';
import { gateway, home, type Running, run } from '../cli/support/run.ts';
import { freePort, modernCall, rawRequest } from '../gateway/support.ts';
import { startFixtureServer } from '../support/fixture-server/index.ts';

/** Values that must be nowhere but where they are used: each is unmistakable. */
const canary = (what: string): string => `CANARY${what}${randomBytes(12).toString('hex')}`;

const secrets = {
  upstreamKey: canary('upstreamkey'),
  childKey: canary('childkey'),
  password: canary('password'),
  wrongPassword: canary('wrongpassword'),
  argument: canary('argument'),
  cookie: canary('cookie'),
  query: canary('query'),
  bearer: canary('bearer'),
};

/**
 * The real program, with secrets in its environment, its arguments' neighbours, tokens, passwords, arguments and URLs, driven over
 * good and bad paths. Afterwards every file it wrote, every line it logged, every answer it gave and the process list are searched.
 */
it('no secret is in a log, an answer, a file or the process list', async (t) => {
  const upstream = await startFixtureServer({ port: 0 });
  t.after(() => upstream.close());
  const cwd = home(t);
  const port = await freePort();
  writeFileSync(join(cwd, 'portcullis.yaml'), configuration(port, upstream.url));
  const env = { UPSTREAM_KEY: secrets.upstreamKey, CHILD_KEY: secrets.childKey };
  await addUser(cwd);
  const running = await gateway(
    t,
    ['serve', '--config', 'portcullis.yaml', '--json', '--log-level', 'debug'],
    { cwd, env },
  );
  const answers: string[] = [];
  const url = `http://127.0.0.1:${port}/notes/mcp`;

  const issued = await obtainTokens(`http://127.0.0.1:${port}`, url, answers);
  await goodCalls(url, issued.access, answers);
  await badCalls({ port, url, access: issued.access }, answers);
  const processes = processList();
  await replays(`http://127.0.0.1:${port}`, issued, answers);
  assert.equal(await running.stop(), 0);

  const places = placesOf(cwd, running, answers, processes);
  assert.ok(places.get('the audit log')?.includes('write_note'), 'the search looks in the right place');
  assert.ok(
    upstream.requests.some(({ headers }) => headers['x-api-key'] === secrets.upstreamKey),
    'the secret was in use',
  );
  const { client: _public, ...issuedSecrets } = issued;
  for (const [name, value] of Object.entries({ ...secrets, ...issuedSecrets })) {
    for (const [place, text] of places) {
      // A client is told its own tokens, once: that answer is not kept in `answers`.
      assert.ok(!text.includes(value), `the ${name} is in ${place}`);
    }
  }
});

function configuration(port: number, upstreamUrl: string): string {
  const child = JSON.stringify([
    process.execPath,
    '-e',
    'process.stderr.write(process.env.CHILD_KEY + "\\n"); setInterval(() => {}, 1000)',
  ]);
  return `
publicUrl: http://127.0.0.1:${port}
listen: { port: ${port} }
data: ./data
servers:
  notes: { path: /notes/mcp, upstream: { url: "${upstreamUrl}", headers: { x-api-key: { env: UPSTREAM_KEY } } } }
  child: { path: /child/mcp, upstream: { command: ${child}, env: { CHILD_KEY: { env: CHILD_KEY } }, timeout: 1s } }
`;
}

async function addUser(cwd: string): Promise<void> {
  const parameters = [
    'users',
    'add',
    'alice',
    '--password-stdin',
    '--role',
    'admin',
    '--data',
    join(cwd, 'data'),
  ];
  const added = await run(parameters, { cwd }, `${secrets.password}\n`);
  assert.equal(added.code, 0, added.stderr);
  assert.ok(!(added.stdout + added.stderr).includes(secrets.password));
}

interface Issued {
  client: string;
  access: string;
  refresh: string;
  code: string;
  verifier: string;
}

/** Registration, sign-in (once with a wrong password), consent, code, tokens, refresh. */
async function obtainTokens(origin: string, resource: string, answers: string[]): Promise<Issued> {
  const redirect = 'http://127.0.0.1:7777/callback';
  const registered = await fetch(`${origin}/oauth/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ client_name: 'canaries', redirect_uris: [redirect] }),
  });
  const { client_id } = (await registered.json()) as { client_id: string };
  const verifier = randomBytes(32).toString('base64url');
  const authorization = new URL(`${origin}/oauth/authorize`);
  authorization.search = new URLSearchParams({
    response_type: 'code',
    client_id,
    redirect_uri: redirect,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    scope: 'mcp:tools:read mcp:tools:write',
    resource,
  }).toString();
  await signInAndConsent(authorization, { name: 'alice', password: secrets.wrongPassword }).catch(
    (error: Error) => {
      answers.push(error.message);
    },
  );
  const back = await signInAndConsent(authorization, { name: 'alice', password: secrets.password });
  const code = back.searchParams.get('code') ?? '';
  const grant = (fields: Record<string, string>) =>
    fetch(`${origin}/oauth/token`, {
      method: 'POST',
      body: new URLSearchParams({ client_id, resource, ...fields }),
    });
  const tokens = await grant({
    grant_type: 'authorization_code',
    code,
    redirect_uri: redirect,
    code_verifier: verifier,
  });
  const first = (await tokens.json()) as { access_token: string; refresh_token: string };
  assert.ok(first.access_token, 'no token was issued');
  return { client: client_id, access: first.access_token, refresh: first.refresh_token, code, verifier };
}

/** Last of all: a code that comes twice ends everything that came from it. */
async function replays(origin: string, issued: Issued, answers: string[]): Promise<void> {
  const { client, code, verifier } = issued;
  for (const fields of [
    {
      grant_type: 'authorization_code',
      code,
      code_verifier: verifier,
      redirect_uri: 'http://127.0.0.1:7777/callback',
    },
    { grant_type: 'refresh_token', refresh_token: secrets.bearer },
    { grant_type: 'refresh_token', refresh_token: issued.refresh },
  ]) {
    const body = new URLSearchParams({ client_id: client, ...(fields as Record<string, string>) });
    const answer = await fetch(`${origin}/oauth/token`, { method: 'POST', body });
    assert.equal(answer.status, 400);
    answers.push(await answer.text());
  }
}

async function goodCalls(url: string, access: string, answers: string[]): Promise<void> {
  const write = {
    method: 'tools/call',
    params: { name: 'write_note', arguments: { name: 'n', body: secrets.argument } },
  };
  const answer = await modernCall(url, access, write);
  assert.equal(answer.status, 200);
  answers.push(await answer.text());
}

async function badCalls(
  { port, url, access }: { port: number; url: string; access: string },
  answers: string[],
): Promise<void> {
  const call = {
    method: 'tools/call',
    params: { name: 'no_such_tool', arguments: { secret: secrets.argument } },
  };
  const keep = async (response: Promise<Response>) => {
    const answer = await response;
    answers.push(JSON.stringify([...answer.headers]), await answer.text());
  };
  await keep(modernCall(url, access, { ...call, headers: { cookie: `s=${secrets.cookie}` } }));
  await keep(modernCall(url, secrets.bearer, call));
  await keep(modernCall(url, `${access}x`, call));
  await keep(modernCall(`${url}?access_token=${secrets.query}`, access, call));
  await keep(modernCall(url.replace('/notes/', '/child/'), access, call));
  await keep(
    fetch(`http://127.0.0.1:${port}/nowhere?${secrets.query}`, { headers: { cookie: secrets.cookie } }),
  );
  await keep(fetch(`http://127.0.0.1:${port}/setup?token=${secrets.query}`));
  await keep(
    fetch(`http://127.0.0.1:${port}/oauth/authorize?client_id=${secrets.query}&state=${secrets.query}`),
  );
  const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"${secrets.argument}"`;
  await keep(
    fetch(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${access}`, 'content-type': 'application/json' },
      body,
    }),
  );
  const noise = `POST /notes/mcp HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${secrets.bearer}\r\nAuthorization: Bearer ${access}\r\nBad Header: ${secrets.cookie}\r\n\r\n`;
  answers.push(await rawRequest(port, noise));
}

function processList(): string {
  if (!existsSync('/proc')) return '';
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, 'latin1');
      } catch {
        return ''; // ended meanwhile
      }
    })
    .join('\n');
}

function placesOf(
  cwd: string,
  running: Running,
  answers: readonly string[],
  processes: string,
): Map<string, string> {
  const places = new Map([
    ['standard output', running.stdout()],
    ['the log', running.stderr()],
    ['an answer', answers.join('\n')],
    ['the process list', processes],
  ]);
  for (const file of globSync('data/**/*', { cwd, withFileTypes: true })) {
    if (!file.isFile()) continue;
    const name = file.name.startsWith('audit.db') ? 'the audit log' : file.name;
    places.set(name, (places.get(name) ?? '') + readFileSync(join(file.parentPath, file.name), 'latin1'));
  }
  return places;
}
