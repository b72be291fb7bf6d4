import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { everything, gateway, home, root, run, start } from './support/run.ts';

const server = ['--', process.execPath, everything, 'stdio'];

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

describe('protect', () => {
  it('says in one line of JSON that it is ready, and stops in order at a signal', async (t) => {
    const cwd = home(t);
    const running = await gateway(t, ['protect', '--json', '--port', '0', '--data', 'd', ...server], { cwd });
    const [only] = running.ready.servers;
    assert.equal(running.ready.ready, true);
    assert.equal(only?.name, 'everything');
    assert.match(only.url, /^http:\/\/127\.0\.0\.1:\d+\/mcp$/);
    assert.match(running.ready.issuer ?? '', /^http:\/\/127\.0\.0\.1:\d+\/oauth$/);
    assert.match(running.ready.setup ?? '', /\/setup\?/);
    assert.equal(running.ready.audit, join(cwd, 'd/audit.db'));
    assert.equal(running.ready.console, null);
    const answer = await fetch(only.url, {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'application/json' },
    });
    assert.equal(answer.status, 401);
    await answer.body?.cancel();
    // npm passes on what the terminal sends to both: two within a moment are one.
    running.child.kill('SIGINT');
    assert.equal(await running.stop('SIGINT'), 0);
    assert.equal(running.stdout().split('\n').length, 2);
    await assert.rejects(fetch(only.url));
  });

  it('keeps its audit log where audit reads it, and its accounts where users does', async (t) => {
    const cwd = home(t);
    const running = await gateway(t, ['protect', '--json', '--port', '0', ...server], { cwd });
    const answer = await fetch(running.ready.servers[0]?.url ?? '', { method: 'POST', body: '{}' });
    await answer.body?.cancel();
    const follow = start(['audit', 'tail', '--follow', '--json', '--lines', '1'], { cwd });
    t.after(() => follow.kill('SIGKILL'));
    const [line] = (await once(follow.stdout ?? follow, 'data')) as [Buffer];
    assert.equal((JSON.parse(line.toString()) as { reason: string }).reason, 'token_missing');
    follow.kill('SIGINT');
    assert.deepEqual(await once(follow, 'exit'), [0, null]);
    const added = await run(
      ['users', 'add', 'alice', '--password-stdin', '--role', 'admin', '--json'],
      { cwd },
      'correct horse battery\n',
    );
    assert.equal((JSON.parse(added.stdout) as { name: string }).name, 'alice');
    const listed = await run(['users', 'list', '--name', 'everything'], { cwd });
    assert.match(listed.stdout, /^alice +admin/);
    const query = await run(['audit', 'query', '--since', '1h', '--result', 'denied_auth'], { cwd });
    assert.match(query.stdout, /denied_auth everything .* token_missing/);
    assert.equal(await running.stop(), 0);
    const again = await gateway(t, ['protect', '--json', '--port', '0', ...server], { cwd });
    assert.equal(again.ready.setup, null);
    assert.equal(await again.stop(), 0);
  });

  it('refuses a port that is taken when it was asked for, and takes the next one when it was not', async (t) => {
    const cwd = home(t);
    const taken = createServer().listen(0, '127.0.0.1');
    t.after(() => taken.close());
    await once(taken, 'listening');
    const { port } = taken.address() as { port: number };
    const { code, stderr } = await run(['protect', '--port', String(port), '--data', 'd', ...server], {
      cwd,
    });
    assert.equal(code, 1, stderr);
    assert.match(stderr, new RegExp(`error: .*${port}`));
    const ports: string[] = [];
    for (const data of ['a', 'b']) {
      const { ready } = await gateway(t, ['protect', '--json', '--data', data, ...server], { cwd });
      ports.push(new URL(ready.servers[0]?.url ?? '').port);
    }
    assert.notEqual(ports[0], ports[1]);
  });

  it('ends when the shell that npm put in between is ended', {
    skip: process.platform === 'win32',
  }, async (t) => {
    const cwd = home(t);
    const bin = join(root, 'bin/portcullis.js');
    const line = `"${process.execPath}" "${bin}" protect --json --port 0 --data d -- "${process.execPath}" "${everything}" stdio; true`;
    const shell = spawn('sh', ['-c', line], {
      cwd,
      env: { PATH: process.env['PATH'], HOME: cwd, npm_execpath: 'npm' },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    t.after(() => shell.kill('SIGKILL'));
    const [first] = (await once(shell.stdout, 'data')) as [Buffer];
    const { servers } = JSON.parse(first.toString()) as { servers: { url: string }[] };
    shell.kill('SIGTERM');
    // Its stdout ends with the last process that holds it: the gateway.
    await once(shell.stdout, 'close');
    await assert.rejects(fetch(servers[0]?.url ?? ''));
  });

  it('tells a person what to paste', async (t) => {
    const cwd = home(t);
    const child = start(['protect', '--port', '0', '--data', 'my data', ...server], { cwd });
    t.after(() => child.kill('SIGKILL'));
    let text = '';
    child.stdout?.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    while (!text.includes('Ctrl+C')) await once(child.stdout ?? child, 'data');
    const url = /http:\/\/127\.0\.0\.1:\d+\/mcp/.exec(text)?.[0];
    for (const line of [
      `claude mcp add --transport http everything ${url}`,
      `code --add-mcp '{"name":"everything","type":"http","url":"${url}"}'`,
      `npx @modelcontextprotocol/inspector --server-url ${url} --transport http`,
      `portcullis audit tail --follow --data '${join(cwd, 'my data')}'`,
    ]) {
      assert.ok(text.includes(line), `${line}\nis not in\n${text}`);
    }
    assert.ok(!text.includes('\u001b'), 'colour goes to terminals alone');
    child.kill('SIGTERM');
    assert.deepEqual(await once(child, 'exit'), [0, null]);
  });
});

describe('serve', () => {
  const configuration = (port: number, more = '') =>
    `http: { drainSeconds: 1 }\npublicUrl: http://127.0.0.1:${port}\nlisten: { port: ${port} }\ndata: ./d\n` +
    `servers:\n  one: { upstream: { command: ["${process.execPath}", "${everything}", stdio] } }\n${more}`;

  async function serving(
    t: TestContext,
  ): Promise<{ file: string; port: number; running: Awaited<ReturnType<typeof gateway>> }> {
    const cwd = home(t);
    const port = await freePort();
    const file = join(cwd, 'portcullis.yaml');
    writeFileSync(file, configuration(port));
    return { file, port, running: await gateway(t, ['serve', '--json'], { cwd }) };
  }

  it('takes up a changed file, and keeps the old one when the new one has faults', async (t) => {
    const { file, port, running } = await serving(t);
    const path = (name: string) =>
      fetch(`http://127.0.0.1:${port}${name}`, { method: 'POST' }).then(async (answer) => {
        await answer.body?.cancel();
        return answer.status;
      });
    assert.equal(await path('/one/mcp'), 404);
    writeFileSync(file, configuration(port, '  broken: { upstream: { comand: [x] } }\napprovals: {}\n'));
    await running.says('the old one stays in force');
    assert.match(running.stderr(), /portcullis\.yaml:7:25: .*comand/);
    assert.match(running.stderr(), /approvals: is not in this version/);
    assert.notEqual(await path('/mcp'), 404);
    writeFileSync(
      file,
      configuration(port, '  two: { path: /two, upstream: { url: "http://127.0.0.1:9/mcp" } }\n'),
    );
    await running.says('the configuration was reloaded');
    assert.notEqual(await path('/two'), 404);
    assert.equal(await running.stop(), 0);
  });

  it('reads the file again at SIGHUP', async (t) => {
    const { running } = await serving(t);
    running.child.kill('SIGHUP');
    await running.says('the configuration was reloaded');
    assert.equal(await running.stop(), 0);
  });

  it('starts nothing when a start cannot succeed', async (t) => {
    const cwd = home(t);
    writeFileSync(join(cwd, 'portcullis.yaml'), configuration(4180).replace('./d', './portcullis.yaml/d'));
    const { code, stdout } = await run(['serve', '--json'], { cwd });
    assert.notEqual(code, 0);
    const { ok } = JSON.parse(stdout) as { ok: boolean };
    assert.equal(ok, false);
    assert.ok(!existsSync(join(cwd, 'd')));
  });
});
