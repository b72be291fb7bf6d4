import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { callTool, modernCall, rpc, startTestGateway, type TestGateway, until } from '../gateway/support.ts';

// Arguments are the caller's, schemas the upstream's. A server that records what reaches it stands behind the gateway.

const draft7 = 'http://json-schema.org/draft-07/schema#';
const pay = {
  $schema: draft7,
  type: 'object',
  properties: {
    amount: { type: 'number' },
    to: { type: 'string' },
    options: { type: 'object' },
    tags: { type: 'array' },
  },
  required: ['amount'],
  additionalProperties: false,
};
const free = { type: 'object' };

const tool = (name: string, inputSchema: unknown) => ({ name, inputSchema, description: name });
let tools = [
  tool('pay', pay),
  tool('free', free),
  tool('hidden_pay', pay),
  tool('write_pay', pay),
  tool('broken', { type: 'object', properties: { a: { $ref: 'https://evil.example/s' } } }),
  tool('mail', { type: 'object', properties: { to: { type: 'string', pattern: '^(?!x)' } } }),
];
let received: string[] = [];
let upstream: Server;
let test: TestGateway;
let off: string;

before(async () => {
  upstream = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const message = JSON.parse(body || '{}') as { id?: unknown; method?: string };
    if (message.method === 'tools/call') received.push(body);
    const result =
      message.method === 'tools/list' ? { tools } : { content: [{ type: 'text', text: 'done' }] };
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify({ jsonrpc: '2.0', id: message.id, result: { resultType: 'complete', ...result } }),
    );
  });
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}/mcp`;
  test = await startTestGateway({
    servers: [
      `  bank: { path: /mcp, upstream: { url: "${url}" } }`,
      `  lax: { path: /lax, validateArguments: false, upstream: { url: "${url}" } }`,
    ].join('\n'),
    audience: ['/mcp', '/lax'],
    rest: [
      'tools:',
      '  - { match: "hidden_*", show: hidden }',
      '  - { match: "write_*", scope: mcp:tools:write }',
      '  - { match: pay, server: bank, when: "args.amount > 100", scope: mcp:tools:admin }',
      '  - { match: free, server: bank, when: "has(args.amount) && args.amount > 100", scope: mcp:tools:admin }',
      '  - { match: pay, scope: mcp:tools:read }',
      '  - { match: free, scope: mcp:tools:read }',
      '  - { match: broken, scope: mcp:tools:read }',
      '  - { match: mail, scope: mcp:tools:read }',
    ].join('\n'),
  });
  off = `${test.origin}/lax`;
});

after(async () => {
  await test.close();
  await new Promise((resolve) => upstream.close(resolve));
});

const reader = () => test.token('mcp:tools:read');

/** Sends the text of the arguments as it is. */
async function send(name: string, args: string, token: string): Promise<{ status: number; text: string }> {
  const response = await fetch(test.url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      authorization: `Bearer ${token}`,
      'mcp-protocol-version': '2025-11-25',
    },
    body: `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":${JSON.stringify(name)},"arguments":${args}}}`,
  });
  return { status: response.status, text: await response.text() };
}

describe('arguments that do not fit the schema', () => {
  it('are refused in both eras with −32602, where and what, and no value; nothing leaves', async () => {
    received = [];
    const canary = 'canary-8f1';
    const modern = await rpc(await callTool(test.url, await reader(), 'pay', { amount: 1, to: [canary] }));
    assert.equal(modern.error?.code, -32602);
    assert.match(modern.error?.message ?? '', /Invalid arguments: \/to must be a text/);
    assert.deepEqual(modern.error?.data, {
      reason: 'arguments_invalid',
      path: '/to',
      problem: 'must be a text',
    });
    const legacy = await send('pay', `{"amount":1,"${canary}":"${canary}"}`, await reader());
    assert.equal(legacy.status, 200);
    assert.match(legacy.text, /"code":-32602/);
    assert.ok(!legacy.text.includes(canary));
    assert.equal(received.length, 0);
    const record = (await test.records()).at(-1);
    assert.deepEqual(
      [record?.reason, record?.tool_name, record?.rule],
      ['arguments_invalid', 'pay', 'tools[4]'],
    );
    assert.ok(!JSON.stringify(record).includes(canary));
    assert.equal((await send('pay', '{"amount":1,"to":"x"}', await reader())).status, 200);
    assert.equal(received.length, 1);
  });

  it('tell nothing of a tool that is hidden, or that the caller may not call', async () => {
    const answers = await Promise.all(
      ['hidden_pay', 'not_there'].flatMap((name) =>
        ['{"amount":1}', '{"amount":"x"}', '{}'].map(
          async (args) => (await send(name, args, await reader())).text,
        ),
      ),
    );
    assert.equal(new Set(answers).size, 1, answers.join('\n'));
    for (const args of ['{"amount":1}', '{"amount":"x"}'])
      assert.equal((await send('write_pay', args, await reader())).status, 403);
  });

  it('leave where the operator switched the check off, which the log says', async () => {
    const token = await test.issuer.sign({ aud: off, scope: 'mcp:tools:read' });
    received = [];
    await (await callTool(off, token, 'pay', { amount: 'x' })).text();
    assert.equal(received.length, 1);
    assert.deepEqual(await events('arguments.check_off'), [{ server: 'lax' }]);
  });

  it('a schema that cannot be used refuses its tool; a pattern that cannot be matched is told', async () => {
    const { error } = await rpc(await callTool(test.url, await reader(), 'broken', {}));
    assert.deepEqual([error?.code, error?.data?.['reason']], [-32603, 'arguments_unchecked']);
    assert.ok((await rpc(await callTool(test.url, await reader(), 'mail', { to: 'x' }))).result);
    assert.equal(
      (await rpc(await callTool(test.url, await reader(), 'mail', { to: 5 }))).error?.code,
      -32602,
    );
    assert.equal((await events('arguments.schema_refused'))[0]?.['tool'], 'broken');
    assert.match(String((await events('arguments.schema_partly_checked'))[0]?.['reason']), /linear time/);
  });

  it('follow the definition: a tool that changed is checked by its new schema', async () => {
    const before = tools;
    tools = tools.map((one) =>
      one.name === 'free' ? tool('free', { type: 'object', required: ['q'] }) : one,
    );
    await (await modernCall(test.url, await reader(), { method: 'tools/list' })).text();
    const answer = await rpc(await callTool(test.url, await reader(), 'free', {}));
    tools = before;
    await (await modernCall(test.url, await reader(), { method: 'tools/list' })).text();
    // By the new schema, or not at all while the change waits for somebody.
    assert.ok(answer.error, JSON.stringify(answer));
  });
});

describe('attack: arguments that a condition and a server may read differently', () => {
  const odd: [args: string, why: string][] = [
    ['{"amount":1,"amount":9999}', 'a member twice'],
    ['{"amount":1,"Amount":9999}', 'a member in two spellings'],
    ['{"amount":1e400}', 'beyond every double'],
    ['{"amount":-1e400}', 'below every double'],
    ['{"amount":90071992547409931}', 'an integer that a double cannot hold'],
    ['{"amount":NaN}', 'no JSON'],
    ['{"amount":Infinity}', 'no JSON'],
    ['{"amount":0x10}', 'no JSON'],
    ['{"amount":"9999"}', 'a text'],
    ['{"amount":[9999]}', 'a list'],
    ['{"amount":null}', 'null'],
    ['{"amount":{"$numberLong":"9999"}}', 'an object'],
    ['[{"amount":9999}]', 'a list of arguments'],
    ['"amount=9999"', 'text for arguments'],
    ['null', 'null for arguments'],
    [`{"amount":1,"options":${'{"a":'.repeat(80)}1${'}'.repeat(80)}}`, 'deeper than anybody reads'],
    ['{"am\\u006funt":9999}', 'an escaped name: the same name'],
    ['{"__proto__":{"amount":1},"amount":9999}', 'a prototype'],
  ];
  for (const name of ['pay', 'free']) {
    for (const [args, why] of odd) {
      it(`${name} with ${why}: nothing leaves without the scope that a large amount needs`, async () => {
        received = [];
        const { text } = await send(name, args, await reader());
        assert.deepEqual(received, [], text);
        assert.ok(!/"result"/.test(text), text);
      });
    }
  }

  it('−0, 1.0 and 1e2 are numbers as they look', async () => {
    received = [];
    for (const amount of ['-0', '1.0', '1e2', '100']) {
      const { text } = await send('pay', `{"amount":${amount}}`, await reader());
      assert.match(text, /done/, amount);
    }
    assert.equal(received.length, 4);
    for (const amount of ['100.00000000000001', '1e3', '101'])
      assert.equal((await send('pay', `{"amount":${amount}}`, await reader())).status, 403, amount);
  });

  it('a look-alike of a tool is another tool', async () => {
    received = [];
    for (const name of [
      'Pay',
      'pay ',
      ' pay',
      'pay\u0000',
      'pay\u200b',
      'p\u0430y',
      'ｐay',
      'pay/',
      '../pay',
      'PAY',
      'pay\n',
    ]) {
      const { text } = await send(name, '{"amount":1}', await reader());
      assert.match(text, /Unknown tool/, JSON.stringify(name));
    }
    assert.equal(received.length, 0);
  });

  it('rules of one server say nothing of a tool with the same name at another', async () => {
    const token = await test.issuer.sign({ aud: off, scope: 'mcp:tools:read' });
    received = [];
    await (await callTool(off, token, 'pay', { amount: 5000 })).text();
    assert.equal(received.length, 1, 'tools[2] is for bank alone');
    assert.equal((await callTool(test.url, await reader(), 'pay', { amount: 5000 })).status, 403);
  });

  it('a tool that appears while the gateway runs is closed until a rule names it', async () => {
    tools = [...tools, tool('added_later', free)];
    const list = await rpc(
      await modernCall(test.url, await test.token('mcp:tools:admin'), { method: 'tools/list' }),
    );
    assert.ok(!JSON.stringify(list).includes('added_later'));
    received = [];
    const { error } = await rpc(
      await callTool(test.url, await test.token('mcp:tools:admin'), 'added_later', {}),
    );
    assert.equal(error?.message, 'Unknown tool');
    assert.equal(received.length, 0);
  });
});

async function events(name: string): Promise<Record<string, unknown>[]> {
  const { DatabaseSync } = await import('node:sqlite');
  let found: Record<string, unknown>[] = [];
  await until(() => {
    const db = new DatabaseSync(`${test.dataDir}/audit.db`, { readOnly: true });
    const rows = db.prepare("SELECT event, data FROM entries WHERE phase = 'event'").all() as Record<
      string,
      unknown
    >[];
    db.close();
    found = rows
      .filter((row) => row['event'] === name)
      .map((row) => JSON.parse(String(row['data'])) as Record<string, unknown>);
    assert.ok(found.length > 0, name);
  });
  return found;
}
