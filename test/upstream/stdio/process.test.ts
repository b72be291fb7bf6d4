import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Secret } from '../../../src/base/index.ts';
import type { JsonObject } from '../../../src/protocol/index.ts';
import { fixture, legacyClient, modernClient, type Received, upstreamFor } from './harness.ts';

const textOf = (received: Received) => {
  const [first] = received.result['content'] as JsonObject[];
  return JSON.parse(String(first?.['text'])) as JsonObject;
};
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A zombie is dead: it only waits for somebody to ask how it ended. */
function isAlive(pid: unknown): boolean {
  try {
    process.kill(Number(pid), 0);
    if (process.platform !== 'linux') return true;
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${Number(pid)}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

test('the child gets the allow-listed environment and its own, and nothing else of the gateway', async () => {
  const { upstream } = upstreamFor(fixture('raw'), {
    protocol: 'legacy',
    env: { API_KEY: new Secret('key-1'), PATH: new Secret('/own') },
    environment: {
      PATH: '/usr/bin',
      HOME: '/home/x',
      LC_ALL: 'C',
      PORTCULLIS_KEY: 'gateway secret',
      AWS_SECRET_ACCESS_KEY: 'x',
      NODE_OPTIONS: '--inspect',
      LD_PRELOAD: 'x',
      TERM: '() { :; }; echo',
    },
  });
  try {
    const environment = textOf(await modernClient(upstream).call('environment').done);
    assert.deepEqual(environment, { PATH: '/own', HOME: '/home/x', LC_ALL: 'C', API_KEY: 'key-1' });
  } finally {
    await upstream.close();
  }
});

test('arguments are not read by a shell', async () => {
  const { upstream } = upstreamFor(fixture('raw', '; touch /tmp/portcullis-shell', '$(id)', '`id`'), {
    protocol: 'legacy',
  });
  try {
    assert.equal((await modernClient(upstream).call('echo', { a: 1 }).done).failure, null);
  } finally {
    await upstream.close();
  }
});

test('a child that dies fails its calls and comes back; sessions and subscriptions live on', async () => {
  const { upstream } = upstreamFor(fixture('raw'), { protocol: 'legacy' });
  try {
    const client = await legacyClient(upstream);
    const stream = client.raw(null, { httpMethod: 'GET' });
    await client.send('resources/subscribe', { uri: 'r:/x' }).done;
    let changes = 0;
    upstream.onToolsChanged(() => {
      changes += 1;
    });
    const before = textOf(await client.call('pid').done)['pid'];
    const hanging = client.call('hang');
    const crash = await client.call('crash').done;
    assert.equal(crash.failure?.code, 'upstream_unavailable');
    assert.match(crash.failure?.detail ?? '', /exited with code 3/);
    assert.equal((await hanging.done).failure?.code, 'upstream_unavailable');
    const pid = textOf(await client.call('pid').done)['pid'];
    assert.notEqual(pid, before);
    assert.equal(changes, 1);
    await stream.until(({ events }) => events.length >= 1);
    assert.deepEqual(textOf(await client.call('subscriptions').done), ['+r:/x']);
    await client.call('updated', { uri: 'r:/x' }).done;
    await stream.until(({ body }) => body.includes('resources/updated'));
    stream.exchange?.abort();
  } finally {
    await upstream.close();
  }
});

test('a shared child that dies is started again without a call', async () => {
  const { upstream } = upstreamFor(fixture('raw'), { protocol: 'legacy' });
  try {
    await upstream.start();
    await modernClient(upstream).call('crash').done;
    assert.equal(upstream.state(), 'down');
    for (let waited = 0; upstream.state() !== 'ready' && waited < 3000; waited += 50) await pause(50);
    assert.equal(upstream.state(), 'ready');
  } finally {
    await upstream.close();
  }
});

test('a child that cannot start is down with its reason, and tried again with growing delay', async () => {
  const { upstream } = upstreamFor(fixture('raw', '--exit-at-once'), {
    limits: { restartDelayMs: 100, restartPatienceMs: 150 },
  });
  try {
    await assert.rejects(upstream.start(), /exited with code 1: no licence found/);
    assert.equal(upstream.state(), 'down');
    const client = modernClient(upstream);
    const call = await client.call('echo').done;
    assert.match(call.failure?.detail ?? '', /no licence found/);
    await client.call('echo').done;
    const early = await client.call('echo').done;
    assert.match(early.failure?.detail ?? '', /next start in/);
  } finally {
    await upstream.close();
  }
  const missing = upstreamFor(['/nowhere/at-all']);
  await assert.rejects(missing.upstream.start(), /ENOENT/);
  await missing.upstream.close();
});

test('a child that never answers is down in time', async () => {
  const { upstream } = upstreamFor(fixture('raw', '--silent'), {
    limits: { probeTimeoutMs: 100, handshakeTimeoutMs: 400 },
  });
  try {
    await assert.rejects(upstream.start(), /did not become ready in 400 ms/);
    assert.equal(upstream.state(), 'down');
    await pause(1000);
    assert.equal(upstream.statistics().processes, 0);
  } finally {
    await upstream.close();
  }
});

test('children that end or stay silent at the probe are legacy', async () => {
  for (const flag of ['--exit-on-probe', '--silent-on-probe']) {
    const { upstream, lines } = upstreamFor(fixture('raw', flag), { limits: { probeTimeoutMs: 200 } });
    try {
      await upstream.start();
      assert.ok(
        lines.some(({ fields }) => fields['era'] === 'legacy'),
        flag,
      );
      assert.equal((await modernClient(upstream).call('echo').done).failure, null);
      await pause(100);
      assert.equal(upstream.statistics().processes, 1);
    } finally {
      await upstream.close();
    }
  }
});

test('an orderly stop closes stdin first, and leaves no process whatever the child does', async () => {
  for (const flags of [[], ['--ignore-end'], ['--ignore-end', '--ignore-sigterm'], ['--grandchild']]) {
    const { upstream } = upstreamFor(fixture('raw', ...flags), { protocol: 'legacy' });
    const { pid, grandchild } = textOf(await modernClient(upstream).call('pid').done);
    await upstream.close();
    assert.equal(isAlive(pid), false, flags.join(' '));
    assert.equal(grandchild !== null && isAlive(grandchild), false, 'grandchild');
    assert.equal(upstream.statistics().processes, 0);
  }
});

test('a grandchild does not outlive a child that crashed', async () => {
  const { upstream } = upstreamFor(fixture('raw', '--grandchild'), { protocol: 'legacy' });
  try {
    const client = modernClient(upstream);
    const { grandchild } = textOf(await client.call('pid').done);
    assert.ok(isAlive(grandchild));
    await client.call('crash').done;
    for (let waited = 0; isAlive(grandchild) && waited < 3000; waited += 50) await pause(50);
    assert.equal(isAlive(grandchild), false);
  } finally {
    await upstream.close();
  }
});

test('a gateway that exits without closing takes its children with it', async () => {
  const [program, ...args] = fixture('raw', '--ignore-end', '--ignore-sigterm');
  const code = `
    const { upstreamFor, modernClient } = await import(${JSON.stringify(new URL('harness.ts', import.meta.url).href)});
    const { upstream } = upstreamFor(${JSON.stringify([program, ...args])}, { protocol: 'legacy' });
    const answer = await modernClient(upstream).call('pid').done;
    process.stdout.write(answer.body);
    process.exit(0);
  `;
  const gateway = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  for await (const chunk of gateway.stdout) output += String(chunk);
  const pid = /\\"pid\\":(\d+)/.exec(output)?.[1];
  assert.ok(pid, output);
  for (let waited = 0; isAlive(pid) && waited < 2000; waited += 50) await pause(50);
  assert.equal(isAlive(pid), false);
});
