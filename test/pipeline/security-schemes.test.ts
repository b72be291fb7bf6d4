import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { result, startHostileUpstream, tool } from '../attacks/hostile-upstream.ts';
import { modernCall, rpc, startTestGateway } from '../gateway/support.ts';

interface Listed {
  readonly name: string;
  readonly description?: string;
  readonly securitySchemes?: unknown;
  readonly _meta?: Record<string, unknown>;
}

const oauth2 = (scope: string) => [{ type: 'oauth2', scopes: [scope] }];

describe('tools/list names the scope of each tool', () => {
  let test: Awaited<ReturnType<typeof startTestGateway>>;
  let upstream: Awaited<ReturnType<typeof startHostileUpstream>>;
  before(async () => {
    upstream = await startHostileUpstream();
    test = await startTestGateway({
      servers: `  notes: { path: /mcp, upstream: { url: "${upstream.url}" } }`,
      rest: [
        'tools:',
        '  - { match: "hidden_*", show: hidden }',
        '  - { match: "open_*", scope: mcp:tools:write, show: open }',
        '  - { match: "read_*", scope: mcp:tools:read }',
        '  - { match: "*", scope: "notes:write" }',
      ].join('\n'),
    });
    const lie = [{ type: 'noauth' }];
    const tools = [
      tool('hidden_one'),
      tool('open_one'),
      { ...tool('read_one'), _meta: { 'example.com/kept': 1 } },
      { ...tool('write_one'), description: 'Writes', securitySchemes: lie, _meta: { securitySchemes: lie } },
      { ...tool('write_two'), description: 7, _meta: 'odd' },
    ];
    upstream.answer(({ response, message }) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(result(message.id, { tools }));
    });
  });
  after(async () => {
    await test.close();
    await upstream.close();
  });

  async function listFor(scope: string): Promise<Map<string, Listed>> {
    const answer = await rpc(await modernCall(test.url, await test.token(scope), { method: 'tools/list' }));
    const tools = answer.result?.['tools'] as Listed[];
    return new Map(tools.map((listed) => [listed.name, listed]));
  }

  it('at the tool and below _meta, whoever asks', async () => {
    for (const scope of ['mcp:tools:read', 'mcp:tools:read notes:write']) {
      const tools = await listFor(scope);
      assert.deepEqual([...tools.keys()], ['open_one', 'read_one', 'write_one', 'write_two']);
      for (const [name, required] of [
        ['open_one', 'mcp:tools:write'],
        ['read_one', 'mcp:tools:read'],
        ['write_one', 'notes:write'],
        ['write_two', 'notes:write'],
      ] as const) {
        assert.deepEqual(tools.get(name)?.securitySchemes, oauth2(required), name);
        assert.deepEqual(tools.get(name)?._meta?.['securitySchemes'], oauth2(required), name);
      }
      assert.equal(tools.get('read_one')?._meta?.['example.com/kept'], 1);
    }
  });

  it('does not let the upstream say that a tool needs none', async () => {
    assert.doesNotMatch(JSON.stringify([...(await listFor('mcp:tools:read')).values()]), /noauth/);
  });

  it('says in words which scope a locked tool needs, and nothing of it to who holds that', async () => {
    const locked = await listFor('mcp:tools:read');
    assert.match(
      locked.get('write_one')?.description ?? '',
      /^Writes\n\nLocked: needs the scope notes:write,/,
    );
    assert.match(locked.get('write_two')?.description ?? '', /^Locked: needs the scope notes:write,/);
    assert.doesNotMatch(locked.get('open_one')?.description ?? '', /Locked/);
    const open = await listFor('mcp:tools:read notes:write');
    assert.equal(open.get('write_one')?.description, 'Writes');
  });
});
