import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import { inspectConfig, loadConfig } from '../../src/config/index.ts';
import { brief, directory, faultsFrom, faultsOf, head, load } from './support/workspace.ts';

const canary = 'canary-4f1d9c7be2';
const withEnv = (reference: string) =>
  `${head}servers: { notes: { upstream: { command: [notes], env: { KEY: ${reference} } } } }\n`;
const withHeader = (reference: string) =>
  `${head}servers: { notes: { upstream: { url: "http://127.0.0.1:1/mcp", headers: { x-api-key: ${reference} } } } }\n`;

async function secretOf(loading: ReturnType<typeof load>): Promise<string | undefined> {
  const upstream = (await loading).config.servers[0]?.upstream;
  return upstream?.kind === 'stdio'
    ? upstream.env['KEY']?.reveal()
    : upstream?.headers['x-api-key']?.reveal();
}

describe('a secret', () => {
  it('comes from a variable, a file or a command, without the newline at its end', async (t) => {
    assert.equal(await secretOf(load(t, withEnv('{ env: A }'), { A: canary })), canary);
    const file = join(directory(t), 'secret');
    writeFileSync(file, `${canary}\r\n`);
    assert.equal(await secretOf(load(t, withHeader(`{ file: ${file} }`))), canary);
    const program = `[${process.execPath}, -e, "console.log(process.env.A + '$A')"]`;
    assert.equal(await secretOf(load(t, withEnv(`{ command: ${program} }`), { A: canary })), `${canary}$A`);
  });

  it('is relative to the configuration file', async (t) => {
    const cwd = directory(t);
    writeFileSync(join(cwd, 'key'), canary);
    writeFileSync(join(cwd, 'portcullis.yaml'), withEnv('{ file: ./key }'));
    const elsewhere = loadConfig({ file: join(cwd, 'portcullis.yaml'), cwd: '/', environment: {} });
    assert.equal(await secretOf(elsewhere), canary);
  });

  it('that is missing is named by its reference', async (t) => {
    assert.match(
      brief(await faultsOf(t, withEnv('{ env: A }')))[0] ?? '',
      /KEY: the environment variable A is not set/,
    );
    assert.match(brief(await faultsOf(t, withEnv('{ env: A }'), { A: '' }))[0] ?? '', /A is empty/);
    assert.match(
      brief(await faultsOf(t, withEnv('{ file: /none/here }')))[0] ?? '',
      /\/none\/here does not exist/,
    );
    assert.match(brief(await faultsOf(t, withEnv('{ file: / }')))[0] ?? '', /no regular file|cannot be read/);
    assert.match(brief(await faultsOf(t, withEnv('{ command: [/none/here] }')))[0] ?? '', /was not found/);
  });

  it('file is bounded', async (t) => {
    const file = join(directory(t), 'large');
    writeFileSync(file, canary.repeat(10_000));
    const faults = await faultsOf(t, withEnv(`{ file: ${file} }`));
    assert.match(brief(faults)[0] ?? '', /larger than 65536 bytes/);
  });

  it('never reaches a message, an explanation or a print', async (t) => {
    const loaded = await load(t, withEnv('{ env: A }'), { A: canary });
    const printed = [
      JSON.stringify(loaded),
      inspect(loaded, { depth: 20 }),
      String(loaded.config.servers[0]),
    ];
    assert.ok(printed.every((text) => !text.includes(canary)));
    assert.ok(JSON.stringify(loaded.explain).includes('{ env: A }'));
    const script = `[${process.execPath}, -e, "console.log(process.env.A); console.error(process.env.A); process.exit(3)"]`;
    const faults = await faultsOf(t, withEnv(`{ command: ${script} }`), { A: canary });
    assert.match(brief(faults)[0] ?? '', /exit code 3/);
    assert.ok(!JSON.stringify(faults).includes(canary));
  });

  it('cannot break out of its header', async (t) => {
    for (const value of [`${canary}\r\nx-admin: 1`, `${canary}\u0000`, `${canary}é€`]) {
      const faults = await faultsOf(t, withHeader('{ env: A }'), { A: value });
      assert.match(brief(faults)[0] ?? '', /no header can carry/);
      assert.ok(!JSON.stringify(faults).includes(canary));
    }
  });

  it('command is bounded in what it writes, reads no shell, and is not run for a file with faults', async (t) => {
    const flood = `[${process.execPath}, -e, "process.stdout.write('x'.repeat(1e6))"]`;
    assert.match(
      brief(await faultsOf(t, withEnv(`{ command: ${flood} }`)))[0] ?? '',
      /more than 65536 bytes/,
    );
    const marker = join(directory(t), 'ran');
    await faultsOf(t, withEnv(`{ command: ["/bin/sh;", "touch ${marker}"] }`));
    await faultsOf(t, `${withEnv(`{ command: [touch, ${marker}] }`)}mode: wrong\n`, {
      PATH: '/usr/bin:/bin',
    });
    assert.ok(!existsSync(marker));
  });

  it('is not fetched to explain or inspect a file', async (t) => {
    const cwd = directory(t);
    const marker = join(cwd, 'ran');
    writeFileSync(join(cwd, 'portcullis.yaml'), withEnv(`{ command: [touch, ${marker}] }`));
    const { explain } = await inspectConfig({ file: 'portcullis.yaml', cwd });
    assert.ok(explain.some(({ value }) => value === `{ command: [touch, ${marker}] }`));
    assert.ok(!existsSync(marker));
  });
});

describe('a literal', () => {
  it('is refused where a secret belongs, with its line and what to write', async (t) => {
    for (const literal of [`"${canary}"`, '12345', 'true', '"Bearer abc"', '""']) {
      const [fault, ...more] = await faultsOf(t, withHeader(literal));
      assert.deepEqual(
        [fault?.line, fault?.path, more.length],
        [3, 'servers.notes.upstream.headers.x-api-key', 0],
      );
      assert.match(fault?.message ?? '', /literal/);
      assert.match(fault?.hint ?? '', /x-api-key: \{ env: X_API_KEY \}/);
      assert.match(brief(await faultsOf(t, withEnv(literal)))[0] ?? '', /literal/);
    }
  });

  it('is refused in arguments', async (t) => {
    const suspicious = [
      ['--api-key=abc'],
      ['--api-key', 'abc'],
      ['--apikey=abc'],
      ['--github-token=abc'],
      ['--password', canary],
      ['-e', 'API_KEY=abc'],
      ['SECRET=abc'],
      ['--header', 'Authorization: Bearer abcdefgh12345'],
      ['sk-proj-abcdefghijklmnop1234'],
      ['ghp_abcdefghijklmnopqrstuvwxyz0123456789'],
      ['postgres://user:pass@db/x'],
      ['https://user:pass@host/x'],
      ['AKIAIOSFODNN7EXAMPLE'],
      ['eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc'],
      ['xoxb-1234567890-abcdefghij'],
    ];
    for (const args of suspicious) {
      const text = `${head}servers: { notes: { upstream: { command: ${JSON.stringify(['notes', ...args])} } } }\n`;
      const faults = await faultsOf(t, text);
      assert.match(brief(faults)[0] ?? '', /command\[\d\]: looks like a secret/, args.join(' '));
      assert.ok(!JSON.stringify(faults).includes(canary));
    }
  });

  it('is not seen where there is none', async (t) => {
    const innocent = [
      ['-y', '@modelcontextprotocol/server-filesystem', '/some/dir'],
      ['--token-file=/run/secrets/x', '--password-stdin', '--max-tokens=5', '--keyboard=us'],
      ['--url', 'https://example.com/a?page=2', '--author=bob', '--secret-store', '--tokenizer=x'],
      ['user@example.com', 'git@github.com:a/b.git', 'https://example.com/@scope/x'],
    ];
    for (const args of innocent) {
      await load(
        t,
        `${head}servers: { notes: { upstream: { command: ${JSON.stringify(['notes', ...args])} } } }\n`,
      );
    }
  });

  it('is refused in URLs', async (t) => {
    for (const url of [
      'http://u:p@h/',
      'http://token@h/',
      'http://h/?api_key=x',
      'http://h/mcp?x=1&access_token=y',
      'http://h/?sig=z',
    ]) {
      const faults = await faultsOf(t, `${head}servers: { notes: { upstream: { url: "${url}" } } }\n`);
      assert.match(brief(faults)[0] ?? '', /in the URL|in the query/, url);
    }
  });

  it('is not repeated by any message, wherever it stands', async (t) => {
    const file = `publicUrl: https://x:${canary}@h
data: 5
mode: ${canary}
listen: { host: [${canary}], port: ${canary} }
trustedProxies: [${canary}]
servers:
  notes: { path: ${canary}, upstream: { command: [x, --token=${canary}], env: { A: ${canary} }, timeout: ${canary} } }
  tickets: { upstream: { url: "${canary}", headers: { authorization: "Bearer ${canary}" } } }
auth: { issuers: [ { issuer: ${canary}, audience: [x], algorithms: [${canary}], typ: [${canary}] } ], scopesAdvertised: ${canary} }
tools: [ { match: x, scope: "${canary} ${canary}", limit: ${canary}, show: ${canary} } ]
`;
    const faults = await faultsOf(t, file);
    assert.ok(faults.length >= 15);
    assert.ok(
      !JSON.stringify(faults).includes(canary),
      JSON.stringify(faults.filter((f) => JSON.stringify(f).includes(canary))),
    );
    for (const broken of [
      `a: "${canary}`,
      `a: ${canary}: b: c`,
      `{ a: ${canary}`,
      `a: *${canary}`,
      `\t${canary}: [`,
      `a: @${canary}`,
    ]) {
      const syntax = await faultsFrom(load(t, broken));
      assert.ok(!JSON.stringify(syntax).includes(canary), JSON.stringify(syntax));
    }
  });
});
