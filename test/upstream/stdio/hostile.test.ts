import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Secret } from '../../../src/base/index.ts';
import type { JsonObject } from '../../../src/protocol/index.ts';
import { fixture, modernClient, type Received, type StartOptions, upstreamFor } from './harness.ts';

const textOf = (received: Received) => {
  const [first] = received.result['content'] as JsonObject[];
  return JSON.parse(String(first?.['text'])) as JsonObject;
};

async function withRaw(
  options: StartOptions & { flags?: string[] },
  run: (started: ReturnType<typeof upstreamFor>) => Promise<void>,
): Promise<void> {
  const { flags = [], ...rest } = options;
  const started = upstreamFor(fixture('raw', ...flags), { protocol: 'legacy', ...rest });
  try {
    await run(started);
  } finally {
    await started.upstream.close();
  }
}

test('a caller cannot smuggle a second message past the check by a line separator', async () => {
  for (const flags of [[], ['--readline']]) {
    await withRaw({ flags }, async ({ upstream }) => {
      const client = modernClient(upstream);
      const smuggled = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"crash"}}';
      for (const separator of ['\u2028', '\u2029', '\u0085', '\r', '\n', '\r\n']) {
        const inString = JSON.stringify({ a: `x${separator}${smuggled}${separator}y` });
        const text = `{"jsonrpc":"2.0","id":2,${separator.trim() === '' && separator < ' ' ? separator : ''}"method":"tools/call","params":{"name":"echo","arguments":${inString}}}`;
        const answer = await client.raw(text).done;
        assert.equal(answer.failure, null);
        assert.equal(textOf(answer)['a'], `x${separator}${smuggled}${separator}y`);
      }
      const method = 'x"}\n{"jsonrpc":"2.0","id":9,"method":"tools/call"';
      assert.equal((await client.send(method).done).errorCode, -32601);
    });
  }
});

test('lines that are no messages are left out, counted and reported', async () => {
  await withRaw({ limits: { sweepMs: 50 } }, async ({ upstream, lines }) => {
    assert.equal(textOf(await modernClient(upstream).call('garbage').done), 'after garbage' as unknown);
    assert.equal(upstream.statistics().ignored, 6);
    await new Promise((resolve) => setTimeout(resolve, 150));
    assert.equal(lines.filter(({ level, fields }) => level === 'warn' && fields['ignored'] === 6).length, 1);
  });
});

test('a carriage return in an answer cannot end a line of the event stream', async () => {
  await withRaw({}, async ({ upstream }) => {
    const answer = await modernClient(upstream).call('return').done;
    assert.equal(answer.body.includes('\r'), false);
    assert.deepEqual(answer.result['content'], []);
  });
});

test('a message without an end costs the child its life, not the gateway its memory', async () => {
  await withRaw({ limits: { maxMessageBytes: 1 << 20 } }, async ({ upstream }) => {
    const client = modernClient(upstream);
    const flood = await client.call('flood').done;
    assert.equal(flood.failure?.code, 'upstream_unavailable');
    assert.match(flood.failure?.detail ?? '', /size limit/);
    assert.equal((await client.call('echo').done).failure, null, 'the next child serves again');
  });
});

test('a child that does not read its input fails calls instead of filling memory', async () => {
  await withRaw({ limits: { maxStdinQueueBytes: 1 << 20 }, requestTimeoutMs: 2000 }, async ({ upstream }) => {
    const client = modernClient(upstream);
    await client.call('deaf').done;
    const filler = 'x'.repeat(1 << 18);
    const calls = Array.from({ length: 12 }, () => client.call('echo', { filler }));
    await new Promise((resolve) => setTimeout(resolve, 100));
    const refused = calls.filter(({ failure }) => failure?.code === 'upstream_unavailable');
    assert.ok(refused.length >= 4, String(refused.length));
    for (const call of calls) if (!call.ended) call.exchange?.abort();
  });
});

test('a receiver that is behind loses notifications, never the answer', async () => {
  await withRaw({ limits: { maxAnswerQueueBytes: 100_000 } }, async ({ upstream }) => {
    const client = modernClient(upstream);
    const params = { name: 'chatter', arguments: { count: 2000 }, _meta: { progressToken: 't' } };
    const slow = client.send('tools/call', params, 'slow');
    slow.accepts = false;
    assert.equal((await client.call('echo', { a: 1 }).done).failure, null, 'nobody else waits for it');
    assert.equal(slow.ended, false);
    slow.accepts = true;
    slow.exchange?.resume();
    await slow.done;
    assert.equal(slow.last['id'], 'slow');
    assert.ok(slow.events.length > 10 && slow.events.length < 500, String(slow.events.length));
  });
});

test('stderr reaches the log without secrets, escape sequences and control characters', async () => {
  const env = { API_KEY: new Secret('s3cr3t-value'), PEM: new Secret('-----BEGIN\nMIIabcdef\n-----END') };
  await withRaw({ env }, async ({ upstream, lines }) => {
    const encoded = Buffer.from('s3cr3t-value').toString('base64');
    const text = [
      'key is s3cr3t-value!',
      's3cr3t\u001b[0m-value in colours',
      `basic ${encoded}`,
      'MIIabcdef',
      '\u001b]0;title\u0007\u001b[31mred\u001b[0m \u202egnp\u0000\u009b',
      '{"level":50,"msg":"forged"}',
      `${'y'.repeat(100_000)}s3cr3t-value`,
      'last line without an end',
    ].join('\n');
    await modernClient(upstream).call('stderr', { text }).done;
    await upstream.close();
    const written = lines
      .filter(({ fields }) => fields['stderr'])
      .map(({ fields }) => String(fields['stderr']));
    const all = written.join('\n');
    for (const secret of ['s3cr3t', encoded.slice(0, 12), 'MIIabcdef'])
      assert.equal(all.includes(secret), false, secret);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: their absence is what is tested
    assert.doesNotMatch(all.replaceAll('\n', ''), /[\u0000-\u001f\u007f-\u009f\u202e]/);
    assert.match(all, /key is \[secret\]!/);
    assert.match(all, /red \\u202egnp/);
    assert.ok(written.includes('last line without an end'));
    assert.ok(written.every((line) => line.length <= 2000));
  });
});

test('stderr without end is bounded in rate', async () => {
  await withRaw({}, async ({ upstream, lines }) => {
    await modernClient(upstream).call('stderr', { text: 'noise\n'.repeat(5000) }).done;
    assert.ok(lines.filter(({ fields }) => fields['stderr']).length <= 130);
  });
});

test('a child that nests without end does not end the gateway', async () => {
  for (const isolation of ['shared', 'principal'] as const) {
    await withRaw({ isolation }, async ({ upstream }) => {
      const client = modernClient(upstream, 'p');
      const deep = await client.call('deep').done;
      assert.ok(deep.failure?.code === 'upstream_invalid' || deep.result);
      assert.equal((await client.call('echo').done).failure, null);
    });
  }
});
