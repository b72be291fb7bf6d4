import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, it } from 'node:test';
import { configJsonSchema, inspectConfig, loadConfig } from '../../src/config/index.ts';
import { brief, directory, faultsFrom, faultsOf, head, load, smallest } from './support/workspace.ts';

const root = resolve(import.meta.dirname, '../..');

describe('a configuration file', () => {
  it('is complete with three keys: every default is the safe one', async (t) => {
    const { config } = await load(t, smallest);
    assert.equal(config.listen.host, '127.0.0.1');
    assert.deepEqual(config.trustedProxies, []);
    assert.deepEqual(
      config.servers.map(({ resource }) => resource),
      ['http://127.0.0.1:4180/mcp'],
    );
    assert.equal(config.auth.embedded?.accessTokenMinutes, 15);
    assert.equal(config.tools, null);
    assert.deepEqual(config.limits.client, [{ count: 600, periodMs: 60_000, burst: 600 }]);
    assert.equal(config.auth.scopesAdvertised, 'minimal');
  });

  it('cannot be changed afterwards', async (t) => {
    const { config } = await load(t, smallest);
    assert.throws(() => Object.assign(config.limits, { client: null }), TypeError);
    assert.throws(() => (config.servers as unknown[]).push({}), TypeError);
  });

  it('reads everything that this version supports', async (t) => {
    const { config } = await load(
      t,
      `
publicUrl: https://mcp.example.com
listen: { host: 0.0.0.0, port: 8443 }
trustedProxies: [10.0.0.0/8, 192.0.2.7, "fd00::/8"]
data: /var/lib/portcullis
servers:
  notes: { upstream: { command: [notes, --stdio], env: { KEY: { env: NOTES_KEY } }, cwd: work, isolation: principal, protocol: legacy, timeout: 2s } }
  tickets: { path: /tickets, upstream: { url: "http://10.0.0.7:3000/mcp", headers: { x-api-key: { env: NOTES_KEY } }, connections: 4 } }
auth:
  embedded: { accessTokenMinutes: 5, refreshTokenDays: 1, clients: { metadataDocuments: false, dynamicRegistration: false } }
  issuers:
    - { issuer: "https://idp.example.com", audience: "https://mcp.example.com/tickets", typ: [at+jwt], claims: { organization: org_id, scopes: scp } }
  scopesAdvertised: all
tools:
  - { match: "delete_*", server: tickets, hint: destructive, scope: mcp:tools:admin, limit: 60/min burst 10, confirm: other, show: locked }
limits: { client: none, concurrent: { client: 3 } }
`,
      { NOTES_KEY: 'value' },
    );
    const [notes, tickets] = config.servers;
    assert.deepEqual(config.trustedProxies, ['10.0.0.0/8', '192.0.2.7/32', 'fd00::/8']);
    assert.equal(notes?.path, '/notes/mcp');
    assert.ok(notes?.upstream.kind === 'stdio');
    assert.equal(notes.upstream.env['KEY']?.reveal(), 'value');
    assert.ok(notes.upstream.cwd?.endsWith('/work'));
    assert.deepEqual(
      [notes.upstream.isolation, notes.upstream.protocol, notes.upstream.requestTimeoutMs],
      ['principal', 'legacy', 2000],
    );
    assert.equal(tickets?.resource, 'https://mcp.example.com/tickets');
    assert.ok(tickets.upstream.kind === 'http');
    assert.equal(tickets.upstream.headers['x-api-key']?.reveal(), 'value');
    assert.deepEqual(config.auth.embedded?.clients, {
      metadataDocuments: false,
      dynamicRegistration: null,
      redirectSchemes: [
        'cursor',
        'vscode',
        'vscode-insiders',
        'vscodium',
        'windsurf',
        'zed',
        'claude',
        'warp',
      ],
    });
    const [issuer] = config.auth.issuers;
    assert.deepEqual(issuer?.audience, ['https://mcp.example.com/tickets']);
    assert.deepEqual(issuer.claims, {
      organization: 'org_id',
      scopes: ['scp'],
      subject: 'sub',
      client: null,
    });
    assert.deepEqual(issuer.typ, ['at+jwt']);
    assert.deepEqual(config.tools, [
      {
        match: 'delete_*',
        server: 'tickets',
        hint: 'destructive',
        when: null,
        scope: 'mcp:tools:admin',
        limit: { each: [{ count: 60, periodMs: 60_000, burst: 10 }], total: [] },
        confirm: 'other',
        show: 'locked',
        capture: null,
        source: 'tools[0]',
      },
    ]);
    assert.deepEqual(config.limits.client, []);
    assert.deepEqual(config.limits.concurrent, { client: 3, upstream: 200, streams: 256 });
  });

  it('turns the embedded authorization server off where issuers replace it', async (t) => {
    const issuers = 'auth: { issuers: [ { issuer: "https://idp.example.com", audience: [a] } ] }\n';
    assert.equal((await load(t, smallest + issuers)).config.auth.embedded, null);
  });
});

describe('faults', () => {
  it('come all at once, in the order of the file, each with its place', async (t) => {
    const faults = await faultsOf(
      t,
      `pubicUrl: http://127.0.0.1:4180
mode: enforc
data: ./data
listen: { prot: 1 }
servers:
  notes:
    path: mcp
    upstream: { comand: [notes], timeout: soon }
tools:
  - { match: "*", scope: "two words" }
  - { match: "x" }
  - { mtch: y, limit: 5/fortnight }
`,
    );
    const seen = faults.map(({ line, column, path, hint }) => `${line}:${column} ${path} ${hint}`);
    assert.deepEqual(seen, [
      '1:1 pubicUrl did you mean publicUrl?',
      '2:1 mode did you mean enforce?',
      '4:11 listen.prot did you mean port?',
      '7:5 servers.notes.path begin with /, no %, no // and no / at the end, such as /mcp or /tickets/mcp',
      '8:17 servers.notes.upstream.comand did you mean command?',
      '8:34 servers.notes.upstream.timeout write one such as 60s, 15m, 2h or 90d',
      '10:19 tools[0].scope write one word such as mcp:tools:read',
      '11:5 tools[1] give it a scope, limit, confirm, show or capture',
      '12:7 tools[2].mtch did you mean match?',
      '12:16 tools[2].limit write one such as 600/min, 5/s, 60/min burst 10 or 600/min and 10000/day',
    ]);
    assert.ok(faults.every(({ source }) => source === 'portcullis.yaml'));
  });

  it('name what is missing', async (t) => {
    assert.deepEqual(brief(await faultsOf(t, '')), [
      'publicUrl: is missing',
      'data: is missing',
      'servers: is missing',
    ]);
    assert.deepEqual(brief(await faultsOf(t, `${head}servers: {}`)), ['servers: names no server']);
    assert.match((await faultsOf(t, '- a'))[0]?.message ?? '', /must be a map/);
  });

  it('include what YAML itself forbids: duplicate keys, unknown tags, alias bombs, two documents', async (t) => {
    assert.match((await faultsOf(t, `${smallest}data: ./other\n`))[0]?.message ?? '', /unique/);
    assert.equal((await faultsOf(t, `${smallest}data: ./other\n`))[0]?.line, 4);
    assert.match((await faultsOf(t, 'data: !!js/function x'))[0]?.message ?? '', /tag/);
    assert.match((await faultsOf(t, `${smallest}---\n${smallest}`))[0]?.message ?? '', /not valid YAML/);
    const bomb = ['a: &a [x, x, x, x, x, x, x, x, x]'];
    for (const [from, to] of ['ab', 'bc', 'cd', 'de', 'ef'])
      bomb.push(`${to}: &${to} [${Array(9).fill(`*${from}`).join(', ')}]`);
    assert.match((await faultsOf(t, bomb.join('\n')))[0]?.message ?? '', /aliases/);
  });

  it('include a file that is not there, is too large, or is no file', async (t) => {
    const cwd = directory(t);
    const open = (file: string) => faultsFrom(loadConfig({ file, cwd, environment: {} }));
    assert.match((await open('none.yaml'))[0]?.message ?? '', /does not exist/);
    assert.match((await open('.'))[0]?.message ?? '', /no regular file/);
    writeFileSync(join(cwd, 'big.yaml'), `# ${'x'.repeat(1024 * 1024)}\n${smallest}`);
    assert.match((await open('big.yaml'))[0]?.message ?? '', /larger than/);
  });

  it('treat __proto__ and constructor as the unknown keys that they are', async (t) => {
    for (const key of ['__proto__', 'constructor', 'toString']) {
      assert.deepEqual(brief(await faultsOf(t, `${smallest}${key}: { a: 1 }\n`)), [
        `${key}: is no known key`,
      ]);
    }
    const named = await faultsOf(t, `${head}servers: { __proto__: { upstream: { command: [x] } } }\n`);
    assert.ok(named.length > 0);
  });
});

describe('what comes with the product', () => {
  it('has an example that is fine and explains itself by line', async () => {
    const file = 'examples/portcullis.yaml';
    const { config } = await loadConfig({
      file,
      cwd: root,
      environment: { NOTES_KEY: 'a', TICKETS_KEY: 'b' },
    });
    assert.equal(config.servers.length, 2);
    const { explain } = await inspectConfig({ file, cwd: root });
    const lines = readFileSync(join(root, file), 'utf8').split('\n');
    for (const { path, origin } of explain.filter(({ origin }) => origin !== 'default')) {
      const line = lines[Number(origin.split(':').at(-1)) - 1] ?? '';
      const key =
        path
          .replace(/\[\d+\]$/, '')
          .split('.')
          .at(-1) ?? '';
      assert.ok(line.includes(key), `${path} is said to stand on: ${line}`);
    }
  });

  it('has a JSON Schema that is the one of the sources', () => {
    const written = JSON.parse(readFileSync(join(root, 'schema/config.schema.json'), 'utf8'));
    assert.deepEqual(written, JSON.parse(JSON.stringify(configJsonSchema())), 'run: node scripts/schema.ts');
  });
});

describe('config explain', () => {
  it('says of every value whether the file or a default set it', async (t) => {
    const { explain } = await load(t, `${smallest}limits: { client: 5/s }\n`);
    const origins = Object.fromEntries(
      explain.map(({ path, value, origin }) => [path, `${value} (${origin})`]),
    );
    assert.equal(origins['limits.client'], '5/s (portcullis.yaml:4)');
    assert.equal(origins['limits.organization'], '60000/min (default)');
    assert.equal(origins['servers.notes.path'], '/mcp (default)');
    assert.equal(origins['auth.embedded.accessTokenMinutes'], '15 (default)');
    assert.equal(origins['tools'], 'built-in rules (default)');
  });
});
