import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { decodeJwt } from 'jose';
import { queryAudit } from '../../src/audit/index.ts';
import { openAccounts } from '../../src/authorization-server/index.ts';
import { Secret, silentLog, systemClock } from '../../src/base/index.ts';
import { dataHome, loadConfig } from '../../src/config/index.ts';
import { startGateway } from '../../src/gateway/index.ts';
import type { Typed } from '../attacks/canary/main-runner.ts';
import {
  alice,
  obtainToken,
  type RunningAuthorizationServer,
  register,
} from '../authorization-server/support.ts';
import { home, root } from '../cli/support/run.ts';
import { freePort, modernCall, until } from '../gateway/support.ts';
import { startFixtureServer } from '../support/fixture-server/index.ts';

/** What docs/incident.md tells, done to a real gateway; then each command of the page is run, and says what the page says. */

const office = '198.51.100.23';
const thief = '203.0.113.99';
const page = join(root, 'docs/incident.md');

it('the incident of the page happens as it is told, and its commands show it', {
  timeout: 180_000,
}, async (t) => {
  const { cwd, names } = await happen(t);
  const type = shell(t, cwd);
  const text = readFileSync(page, 'utf8');
  const told: string[] = [];
  for (const [, block = ''] of text.matchAll(/^<!-- told -->\n```\n([\s\S]*?)^```$/gm)) {
    const written: string[] = [];
    for (const typed of block.split('\n').filter((line) => line.startsWith('$ '))) {
      written.push(typed, ...(await type(typed.slice(2), names.variables)));
      if (typed.includes(' revoke ')) await names.afterRevocation();
    }
    told.push(written.map((line) => `${line}\n`).join(''));
    if (!process.env['UPDATE_TRANSCRIPTS'])
      assert.deepEqual(
        plain(written.join('\n')),
        plain(block.trimEnd()),
        'the page says something else than the command',
      );
  }
  assert.ok(told.length >= 8, 'the page has its blocks');
  if (process.env['UPDATE_TRANSCRIPTS'])
    writeFileSync(
      page,
      text.replace(
        /(^<!-- told -->\n```\n)[\s\S]*?^```$/gm,
        (_all, lead: string) => `${lead}${told.shift()}\`\`\``,
      ),
    );
});

interface Names {
  readonly [name: string]: unknown;
  readonly variables: Record<string, string>;
  afterRevocation(): Promise<void>;
}

/** The program, kept running between commands: a start takes seconds on a slow machine. */
function shell(t: TestContext, cwd: string) {
  const runner = fork(join(import.meta.dirname, '../attacks/canary/main-runner.ts'), {
    execArgv: ['--no-warnings'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  t.after(() => runner.kill('SIGKILL'));
  return async (line: string, variables: Readonly<Record<string, string>>): Promise<string[]> => {
    const [typed = '', file] = line.split(' > ');
    const words = typed.match(/'[^']*'|\S+/g) ?? [];
    const [program, ...parameters] = words.map((word) =>
      word.startsWith("'")
        ? word.slice(1, -1)
        : word.replace(/^\$([A-Z]+)$/, (_all, name: string) => variables[name] ?? ''),
    );
    assert.equal(program, 'portcullis');
    const answer = once(runner, 'message');
    runner.send({ parameters, cwd, env: { HOME: cwd } } satisfies Typed);
    const [{ code, text }] = (await answer) as [{ code: number; text: string }];
    assert.equal(code, 0, `${line}\n${text}`);
    if (file === undefined) return text.trimEnd().split('\n');
    writeFileSync(join(cwd, file), text);
    assert.ok(text.length > 500, 'there is something in the file');
    return [];
  };
}

/** Without what is another each time: ids, times, durations, hashes. */
function plain(text: string): string[] {
  return text
    .replace(/\d{4}-\d{2}-\d{2}T[\d:.]+Z/g, '<time>')
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}(?=@|$|[^0-9a-f-])/g, '<uuid>')
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<uuid>')
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f…-]+(?=@)/g, '<uuid>')
    .replace(/(hmac-sha256:)[\w-]+:[0-9a-f…]+/g, '$1<hash>')
    .replace(/sha256:[0-9a-f…]{8,}/g, 'sha256:<hash>')
    .replace(/@[\w-]{20,40}…?/g, '@<client>')
    .replace(/client [\w-]{32}/g, 'client <client>')
    .replace(/\b(jti|grant_id|kid|values|token_id)([ =])[\w-]{20,}…?/g, '$1$2<id>')
    .replace(/Revoked [\w-]{30,}\./g, 'Revoked <id>.')
    .replace(/http:\/\/127\.0\.0\.1:\d+/g, '<origin>')
    .replace(/\b\d+(?:\.\d+)?( ?ms)\b/g, 'N$1')
    .replace(/p\d\d [\d.-]+/g, 'p N')
    .replace(/max [\d.-]+/g, 'max N')
    .replace(/\b\d+( bytes)\b/g, 'N$1')
    .replace(/\/\d+\)/g, '/N)')
    .replace(/\b\d+ (entries|entry|chains?|saved checkpoints?)\b/g, 'N $1')
    .replace(/^( +\d+ +)[\w-]{32}(?= |$)/gm, '$1<client>')
    .replace(/^.*nobody has signed for these yet\.\n?/gm, '')
    .replace(/ +/g, ' ')
    .split('\n')
    .map((line) => line.trimEnd());
}

async function happen(t: TestContext): Promise<{ cwd: string; names: Names }> {
  const upstream = await startFixtureServer({ port: 0 });
  t.after(() => upstream.close());
  const cwd = home(t);
  // Where commands look by themselves.
  const data = join(dataHome({ HOME: cwd }), 'notes');
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  writeFileSync(
    join(cwd, 'portcullis.yaml'),
    `publicUrl: ${origin}
listen: { port: ${port} }
data: ${data}
trustedProxies: [127.0.0.1/32]
servers:
  notes: { path: /mcp, upstream: { url: "${upstream.url}" } }
  payroll: { path: /payroll/mcp, upstream: { url: "${upstream.url}" } }
auth: { revocation: { withinSeconds: 1 } }
tools:
  - { match: "delete_*", scope: mcp:tools:admin }
  - { match: "*", hint: readOnly, scope: mcp:tools:read }
  - { match: "*", scope: mcp:tools:write }
audit: { checkpoints: { everySeconds: 1, to: { file: ./checkpoints.txt } } }
`,
  );
  const accounts = openAccounts(data, systemClock);
  await accounts.add({ ...alice, password: new Secret(alice.password), role: 'admin' });
  accounts.close();
  const { config } = await loadConfig({ file: 'portcullis.yaml', environment: {}, cwd });
  const running = await startGateway({ config, clock: systemClock, log: silentLog, environment: {} });
  t.after(() => running.close());
  const url = `${origin}/mcp`;
  const as = { issuer: `${origin}/oauth`, resource: url } as RunningAuthorizationServer;
  let client_id = '';
  // An id that begins like an option is typed as --client=ID.
  do ({ client_id } = await register(as, { client_name: 'Notes for the desktop' }));
  while (client_id.startsWith('-'));
  const parameters = { scope: 'mcp:tools:read mcp:tools:write' };
  let access_token = '';
  do ({ access_token } = await obtainToken(as, client_id, { parameters }));
  while (Object.values(decodeJwt(access_token)).some((one) => String(one).startsWith('-')));
  const asClient = (
    tool: string,
    args: Record<string, unknown>,
    { from = office, agent = 'notes-desktop/3.1', at = url } = {},
  ) =>
    modernCall(at, access_token, {
      method: 'tools/call',
      params: { name: tool, arguments: args },
      headers: { 'x-forwarded-for': from, 'user-agent': agent },
    }).then(async (answer) => ({
      status: answer.status,
      id: answer.headers.get('x-request-id') ?? '',
      text: await answer.text(),
    }));
  await asClient('write_note', { name: 'salaries', body: 'n' });
  await asClient('read_notes', {});

  // The same token, somewhere else.
  const elsewhere = { from: thief, agent: 'python-requests/2.32.3' };
  const atPayroll = { ...elsewhere, at: `${origin}/payroll/mcp` };
  assert.equal((await asClient('read_notes', {}, atPayroll)).status, 401);
  const read = await asClient('read_notes', {}, elsewhere);
  assert.equal(read.status, 200, read.text);
  await asClient('write_note', { name: 'salaries', body: 'pay to the new account' }, elsewhere);
  assert.equal((await asClient('delete_note', { name: 'salaries' }, elsewhere)).status, 403);
  for (const name of ['export', 'dump', 'users', 'admin', 'shell', 'exec', 'eval', 'sql', 'backup', 'config'])
    await asClient(`${name}_all`, {}, elsewhere);
  await fetch(`${origin}/oauth/token`, {
    method: 'POST',
    headers: { 'x-forwarded-for': thief },
    body: new URLSearchParams({ grant_type: 'refresh_token', client_id, refresh_token: access_token }),
  });
  const claims = decodeJwt(access_token);
  const variables = {
    TOKEN: String(claims.jti),
    GRANT: String(claims['grant_id']),
    CLIENT: client_id,
    PERSON: String(claims.sub),
    CALL: read.id,
  };
  const afterRevocation = (): Promise<void> =>
    until(async () => {
      if (queryAudit(data, { reason: 'token_revoked' }).next().done === false) return;
      assert.equal((await asClient('read_notes', {}, elsewhere)).status, 401);
      assert.fail('its record is under way');
    }, 10_000);
  // Detections look at records beside the calls; checkpoints come each second.
  await until(() => {
    const found = [...queryAudit(data, { event: 'detection.tool_enumeration' })];
    assert.equal(found.length, 2, 'of the client and of the person');
    assert.ok(readFileSync(join(cwd, 'checkpoints.txt'), 'utf8').length > 0);
  }, 20_000);
  return { cwd, names: { variables, afterRevocation } };
}
