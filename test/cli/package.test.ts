import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { it } from 'node:test';
import { everything, root } from './support/run.ts';

it('the built program runs as it is published: compiled, without sources', async (t) => {
  const copy = mkdtempSync(join(tmpdir(), 'portcullis-package-'));
  t.after(() => rmSync(copy, { recursive: true, force: true }));
  for (const name of [
    'src',
    'bin',
    'scripts',
    'schema',
    'package.json',
    'tsconfig.json',
    'tsconfig.build.json',
  ]) {
    cpSync(join(root, name), join(copy, name), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  execFileSync(process.execPath, ['scripts/build.mjs'], { cwd: copy });
  rmSync(join(copy, 'src'), { recursive: true });

  const server = [process.execPath, everything, 'stdio'];
  const parameters = [
    'bin/portcullis.js',
    'protect',
    '--json',
    '--port',
    '0',
    '--data',
    'data',
    '--',
    ...server,
  ];
  const child = spawn(process.execPath, parameters, {
    cwd: copy,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
  });
  t.after(() => child.kill('SIGKILL'));
  let said = '';
  child.stderr.on('data', (text) => {
    said += String(text);
  });
  const ended = once(child, 'exit').then(([code]) => Promise.reject(new Error(`exit ${code}: ${said}`)));
  const [line] = (await Promise.race([once(createInterface(child.stdout), 'line'), ended])) as [string];
  const { servers, setup } = JSON.parse(line) as { servers: { url: string }[]; setup: string };
  assert.equal((await fetch(servers[0]?.url ?? '', { method: 'POST', body: '{}' })).status, 401);
  assert.match(await (await fetch(setup)).text(), /Create administrator/);
  ended.catch(() => {}); // the exit that follows is asked for
  child.kill('SIGTERM');
  const [code] = (await once(child, 'exit')) as [number];
  assert.equal(code, 0);
});
