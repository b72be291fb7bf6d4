import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { parse } from 'yaml';
import { systemClock } from '../../src/base/index.ts';
import { commands } from '../../src/cli/command-table.ts';
import { runCommandLine } from '../../src/cli/main.ts';
import { captured } from '../cli/support/captured.ts';
import { run } from '../cli/support/run.ts';
import { assertInert, assertInertCsv, assertInertJson, hostile, marker } from './injection/hostile.ts';
import { type HostileServer, startHostileServer } from './injection/server.ts';
import { hostileData, hostileFiles, openId, requestId, tool } from './injection/world.ts';

/** One use of a command in which somebody else's text is shown, or written to a file. */
interface Row {
  /** After the command's name. `SERVER` and `DATA` stand for the hostile server and data. */
  readonly typed: readonly string[];
  readonly stdin?: string;
  /** Files that it writes. */
  readonly files?: readonly string[];
  /** Output that is its own form. */
  readonly form?: 'csv' | 'json';
  /** What shows that the hostile text got as far as the output; the marker, unless given. */
  readonly shows?: RegExp;
  /** The same with --json is another row, or there is none. */
  readonly textOnly?: true;
  /** In a process of its own: it serves, or writes its log. */
  readonly alone?: true;
}

const data = ['--data', 'DATA'];
const config = (file: string) => ['--config', file];
const checkUrl = [
  'SERVER/mcp',
  '--only',
  'A03,A05,A06,A07,A10,A11,D01,D02,D03,D04,D05,D06,H10',
  '--time-limit',
  '20',
];
const printable = hostile.replaceAll('\0', '');
const noRow: Row[] = [];

/** By command: a new one without a row fails below. Beside these, every command is given a hostile option and word. */
const table: Readonly<Record<string, readonly Row[]>> = {
  protect: [
    // What the server writes before it dies stands in the error, and in the log.
    {
      typed: [
        '--port',
        '0',
        '--log-level',
        'info',
        '--',
        process.execPath,
        '-e',
        'console.error(process.argv[1]); process.exit(3)',
        printable,
      ],
      alone: true,
    },
  ],
  serve: [{ typed: config('faults.yaml') }, { typed: config('broken.yaml'), shows: /broken\.yaml/ }],
  'config check': [
    { typed: config('faults.yaml') },
    { typed: config('broken.yaml'), shows: /broken\.yaml/ },
    { typed: config(printable) },
  ],
  'config explain': [{ typed: config('good.yaml') }],
  'policy explain': [
    { typed: [...config('good.yaml'), '--tool', printable, '--scopes', printable] },
    { typed: [...config('good.yaml'), '--tool', 'x', '--server', printable] },
  ],
  'policy test': [
    { typed: ['cases.yaml', ...config('good.yaml')], shows: /cases as expected|"cases"/ },
    { typed: ['bad-cases.yaml', ...config('good.yaml')] },
  ],
  'policy init': [
    { typed: ['SERVER/mcp'] },
    {
      typed: ['--out', 'policy.yaml', 'SERVER/mcp'],
      files: ['policy.yaml'],
      shows: /policy\.yaml/,
      textOnly: true,
    },
  ],
  doctor: [{ typed: ['SERVER/locked/mcp'] }, { typed: ['SERVER/mcp'], shows: /connects/ }],
  check: [
    { typed: checkUrl },
    { typed: [...checkUrl, '--lock', 'lock.json', '--suppress', 'suppress.json'], textOnly: true },
    ...(['sarif', 'junit', 'markdown', 'html'] as const).map(
      (format): Row => ({ typed: [...checkUrl, '--format', format], textOnly: true }),
    ),
    ...(['json', 'terminal', 'sarif', 'html'] as const).map(
      (format): Row => ({
        typed: [...checkUrl, '--format', format, '--output', 'report'],
        files: ['report'],
        shows: /./,
        textOnly: true,
      }),
    ),
    { typed: [...checkUrl, '--write-lock', 'new.json'], files: ['new.json'], textOnly: true },
    { typed: ['--host-list', 'hosts.txt'], shows: /URL/ },
  ],
  'audit tail': [{ typed: data }],
  'audit query': [{ typed: [...data, '--events'] }, { typed: [...data, '--tool', printable], shows: /^/ }],
  'audit trace': [{ typed: [requestId, ...data] }, { typed: [printable, ...data], shows: /no call/ }],
  'audit stats': [{ typed: data }],
  'audit export': [
    { typed: [...data, '--format', 'jsonl'], form: 'json', textOnly: true },
    { typed: [...data, '--format', 'ocsf'], form: 'json', textOnly: true },
    { typed: [...data, '--format', 'ecs'], form: 'json', textOnly: true },
    { typed: [...data, '--format', 'csv'], form: 'csv', textOnly: true },
  ],
  'audit verify': [{ typed: [...data, '--checkpoint', 'checkpoint.txt'], shows: /./ }],
  'audit match': [{ typed: [...data, '--tool', printable, '--args', '{}'], shows: /./ }],
  'audit open': [
    { typed: [openId, '--key', 'DATA/key.pem', ...data] },
    { typed: ['--records', 'records.jsonl', '--key', 'key.pem'] },
    { typed: [printable, '--key', 'key.pem', ...data], shows: /no call/ },
  ],
  'audit keys': [{ typed: data, shows: /./ }],
  'audit retention': [
    { typed: [...data, '--keep', printable], shows: /keep/ },
    { typed: [...data, '--keep', '1d', '--dry-run'], shows: /./ },
  ],
  report: [{ typed: data }, { typed: [...data, '--policy'], textOnly: true, shows: /tools:/ }],
  'pins list': [{ typed: data }],
  'pins diff': [{ typed: ['notes', 'plain', ...data] }, { typed: ['notes', tool, ...data] }],
  'pins approve': [
    { typed: ['notes', 'plain', ...data], textOnly: true },
    { typed: ['notes', tool, ...data] },
    // What is refused says what to type: the name is quoted for a shell.
    { typed: ['notes', tool, '--hash', `sha256:${'0'.repeat(64)}`, ...data], shows: /pins diff notes '/ },
  ],
  'pins export': [
    { typed: data, form: 'json', textOnly: true },
    { typed: [...data, '--lock', 'pins.lock'], files: ['pins.lock'], shows: /pins\.lock/, textOnly: true },
  ],
  'alerts test': [{ typed: config('good.yaml'), shows: /alert/ }],
  'users add': [
    {
      typed: [printable, '--password-stdin', ...data],
      stdin: 'correct horse battery staple',
      shows: /name/i,
    },
  ],
  'users list': [{ typed: data }, { typed: [...data, '--removed'] }],
  'users remove': [{ typed: [printable, ...data], shows: /account/ }],
  'users restore': [{ typed: [`${printable}x`, ...data] }],
  'grants list': [{ typed: data }],
  revoke: [
    { typed: ['user', printable, ...data], shows: /account/ },
    { typed: ['subject', printable, '--issuer', printable, ...data], shows: /Revoked|"ok"/ },
  ],
  stop: [{ typed: ['tool', printable.slice(0, 100), '--reason', printable, ...data], textOnly: true }],
  'stop list': [{ typed: data }],
  resume: [{ typed: ['tool', `${printable}x`, ...data], shows: /not stopped/ }],
};

describe('what commands show and write of others is inert', () => {
  let cwd = '';
  let server: HostileServer;
  before(async () => {
    cwd = realpathSync(mkdtempSync(join(tmpdir(), 'portcullis-injection-')));
    server = await startHostileServer();
    hostileFiles(cwd, server.url);
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    writeFileSync(join(cwd, 'key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
    await hostileData(join(cwd, 'data'));
    const stop = ['stop', 'tool', hostile, '--reason', hostile, '--server', 'x', '--data', join(cwd, 'data')];
    assert.match((await type(stop, {})).stdout, /Stopped/);
  });
  after(async () => {
    await server.close();
    rmSync(cwd, { recursive: true, force: true });
  });

  const environment = () => ({ HOME: cwd, HOOK: `whsec_${Buffer.alloc(32, 7).toString('base64')}` });
  /** Each on data of its own: some change them. */
  const typed = (name: string, row: Row): string[] => {
    const own = mkdtempSync(join(cwd, 'own-'));
    if (row.typed.some((word) => word.startsWith('DATA')))
      cpSync(join(cwd, 'data'), join(own, 'data'), { recursive: true });
    for (const file of row.files ?? []) rmSync(join(cwd, file), { force: true });
    const words = row.typed.map((word) =>
      word.replace('SERVER', server.url).replace(/^DATA/, join(own, 'data')),
    );
    return [...name.split(' '), ...words];
  };

  async function type(parameters: readonly string[], { alone, stdin = '' }: Pick<Row, 'alone' | 'stdin'>) {
    if (alone) return run(parameters, { cwd, env: environment() }, stdin);
    const { output, stdout, stderr } = captured({ isTTY: true });
    const json = parameters.includes('--json');
    const context = { output, json, cwd, clock: systemClock, environment: environment(), self: 'portcullis' };
    await runCommandLine(parameters, { ...context, stdin: Readable.from([Buffer.from(stdin)]) });
    return { stdout: stdout(), stderr: stderr() };
  }

  for (const { name } of commands) {
    const rows = table[name] ?? noRow;
    it(name, async () => {
      assert.ok(
        rows.length > 0,
        `portcullis ${name} has no row in this table: which text of others does it show?`,
      );
      for (const row of rows) {
        const parameters = typed(name, row);
        const what = parameters.join(' ').slice(0, 80);
        const { stdout, stderr } = await type(parameters, row);
        const files = (row.files ?? []).map((file) => {
          assert.ok(existsSync(join(cwd, file)), `${what} wrote no ${file}: ${stderr}`);
          return readFileSync(join(cwd, file), 'utf8');
        });
        assertInert(stderr, what);
        for (const text of files) assertInert(text, `a file of ${what}`);
        if (row.form === 'csv') assertInertCsv(stdout, what);
        else if (row.form === 'json') assertInertDocument(stdout, what);
        else assertInert(stdout, what);
        assert.match(stdout + stderr, row.shows ?? new RegExp(marker), what);
        if (row.files && !row.shows?.test(files.join('')))
          assert.match(files.join(''), new RegExp(marker), what);
        if (row.textOnly || row.alone) continue;
        const asJson = await type([...typed(name, row), '--json'], row);
        assertInertJson(asJson.stdout, `${what} --json`);
        assertInert(asJson.stderr, `${what} --json`);
      }
    });
  }

  it('has rows for commands alone that there are', () => {
    const known = commands.map(({ name }) => name);
    assert.deepEqual(
      Object.keys(table).filter((name) => !known.includes(name)),
      [],
    );
  });

  it('whatever is typed', async () => {
    for (const { name } of commands) {
      for (const parameters of [
        [`--${hostile}`],
        [hostile, hostile, hostile, hostile],
        ['--data', hostile],
        ['--config', hostile],
      ]) {
        for (const json of [[], ['--json']]) {
          const { stdout, stderr } = await type([...name.split(' '), ...json, ...parameters], {});
          assertInert(stdout + stderr, `${name} ${parameters[0]?.slice(0, 10)}`);
          if (json.length > 0) assertInertJson(stdout, name);
        }
      }
    }
    for (const parameters of [[hostile], ['audit', hostile], ['help', hostile]])
      assertInert((await type(parameters, {})).stderr, 'an unknown command');
  });

  it('a policy that is written from hostile names is YAML that names what is plain, and nothing else', () => {
    const { tools } = parse(readFileSync(join(cwd, 'policy.yaml'), 'utf8')) as { tools: { match: string }[] };
    assert.deepEqual(
      tools.map(({ match }) => match),
      ['delete_note', 'read_note'],
    );
  });

  it('a policy that is proposed from hostile calls is YAML too', async () => {
    const { stdout } = await type(['report', '--policy', '--data', join(cwd, 'data')], {});
    assert.ok(parse(stdout));
  });

  it('a lock file that is written of hostile pins says the same as they', () => {
    const { servers } = JSON.parse(readFileSync(join(cwd, 'pins.lock'), 'utf8')) as {
      servers: Record<string, Record<string, unknown>>;
    };
    assert.deepEqual(Object.keys(servers['notes'] ?? {}), [tool, 'plain']);
  });
});

/** One document, or one a line. */
function assertInertDocument(text: string, where: string): void {
  assertInert(text, where);
  const whole = text.startsWith('{\n');
  if (whole) JSON.parse(text);
  else assertInertJson(text, where);
}
