import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { guessServerName, type ProtectOptions, protectConfig } from '../../src/config/index.ts';
import { faultsFrom } from './support/workspace.ts';

const base: ProtectOptions = {
  target: { command: ['npx', '-y', '@modelcontextprotocol/server-filesystem', '/some/dir'] },
  port: 4180,
  portGiven: false,
  environment: { HOME: '/home/u', KEY: 'value' },
  cwd: '/work',
};

describe('protect without a file', () => {
  it('serves one server on loopback, with every default of a file', async () => {
    const { config, explain } = await protectConfig(base);
    assert.equal(config.publicUrl, 'http://127.0.0.1:4180');
    assert.deepEqual(config.listen, { host: '127.0.0.1', port: 4180 });
    assert.deepEqual(
      config.servers.map(({ name, path }) => `${name} ${path}`),
      ['filesystem /mcp'],
    );
    assert.equal(config.data, '/home/u/.portcullis/filesystem');
    assert.equal(config.tools, null);
    assert.ok(config.auth.embedded);
    assert.equal(explain.find(({ path }) => path === 'listen.port')?.origin, 'default');
    assert.equal(explain.find(({ path }) => path.endsWith('upstream.command'))?.origin, 'COMMAND');
  });

  it('keeps data apart by name, below XDG_DATA_HOME where there is one', async () => {
    const environment = { HOME: '/home/u', XDG_DATA_HOME: '/data' };
    assert.equal(
      (await protectConfig({ ...base, environment, name: 'a' })).config.data,
      '/data/portcullis/a',
    );
    assert.equal((await protectConfig({ ...base, data: 'here' })).config.data, '/work/here');
    const [fault] = await faultsFrom((async () => protectConfig({ ...base, environment: {} }))());
    assert.equal(fault?.source, '--data');
  });

  it('passes variables and headers by reference', async () => {
    const stdio = (await protectConfig({ ...base, env: ['KEY'], isolation: 'principal' })).config.servers[0]
      ?.upstream;
    assert.ok(stdio?.kind === 'stdio');
    assert.equal(stdio.env['KEY']?.reveal(), 'value');
    assert.equal(stdio.isolation, 'principal');
    const url = { ...base, target: { url: 'http://127.0.0.1:3000/mcp' }, header: ['x-api-key=env:KEY'] };
    const http = (await protectConfig(url)).config.servers[0]?.upstream;
    assert.ok(http?.kind === 'http');
    assert.equal(http.headers['x-api-key']?.reveal(), 'value');
  });

  it('refuses what a file would be refused for, naming the option', async () => {
    const refused: [Partial<ProtectOptions>, string, RegExp][] = [
      [{ host: '10.0.0.1', publicUrl: 'http://10.0.0.1:4180' }, '--public-url', /plain http/],
      [{ host: '10.0.0.1', publicUrl: 'http://127.0.0.1:4180' }, '--host', /beyond this machine/],
      [{ host: '0.0.0.0' }, '--host', /no client can type/],
      [{ publicUrl: 'https://a.example' }, '--public-url', /where TLS ends/],
      [{ tlsCert: 'a.pem' }, '--tls-cert', /go together/],
      [{ env: ['MISSING'] }, '--env', /MISSING is not set/],
      [{ env: ['KEY=value'] }, '--env', /name of an environment variable/],
      [{ clientLimit: 'often' }, '--client-limit', /no rate/],
      [{ isolation: 'none' }, '--isolation', /one of shared, principal/],
      [{ name: 'My Server' }, '--name', /server name/],
      [{ trustedProxy: ['0.0.0.0/0'] }, '--trusted-proxy', /everybody/],
      [{ header: ['a=env:KEY'] }, '--header', /reached by a URL/],
      [{ target: { command: ['x', '--api-key=canary'] } }, 'COMMAND', /looks like a secret/],
      [{ target: { url: 'http://u:canary@h/' } }, 'URL', /user or password/],
      [{ target: { url: 'http://h/' }, header: ['x-api-key=canary'] }, '--header', /where the value is kept/],
      [{ target: { url: 'http://h/' }, env: ['KEY'] }, '--env', /started by a command/],
    ];
    for (const [options, source, message] of refused) {
      const faults = await faultsFrom((async () => protectConfig({ ...base, ...options }))());
      const found = faults.find((fault) => fault.source === source && message.test(fault.message));
      assert.ok(found, `${JSON.stringify(options)} gave ${JSON.stringify(faults)}`);
      assert.ok(!JSON.stringify(faults).includes('canary'));
    }
  });
});

describe('the name of a server', () => {
  const commands: [string, string][] = [
    ['npx -y @modelcontextprotocol/server-filesystem /dir', 'filesystem'],
    ['npx -y @modelcontextprotocol/server-filesystem@1.2.3 /dir', 'filesystem'],
    ['node node_modules/@modelcontextprotocol/server-everything/dist/index.js stdio', 'everything'],
    ['uvx mcp-server-git --repository x', 'git'],
    ['python3 -m my_server', 'my-server'],
    ['/opt/tools/notes.py', 'notes'],
    ['docker run -i ghcr.io/acme/notes', 'notes'],
    ['node', 'mcp'],
    ['node ../..', 'mcp'],
  ];
  for (const [command, name] of commands) {
    it(`of ${command} is ${name}`, () =>
      assert.equal(guessServerName({ command: command.split(' ') }), name));
  }

  it('of a URL is its host, where that says something', () => {
    assert.equal(guessServerName({ url: 'http://127.0.0.1:3000/mcp' }), 'mcp');
    assert.equal(guessServerName({ url: 'https://mcp.tickets.example.com/x' }), 'tickets-example-com');
  });
});
