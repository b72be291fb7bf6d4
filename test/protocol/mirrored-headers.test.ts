import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isRefusal, type Refusal } from '../../src/base/index.ts';
import {
  checkMirroredHeaders,
  checkMirroredParameters,
  decodeHeaderValue,
  type JsonObject,
  type Message,
  parseMessage,
} from '../../src/protocol/index.ts';

const version = '2026-07-28';
const meta = { 'io.modelcontextprotocol/protocolVersion': version };

function request(method: string, params: JsonObject): Message {
  const message = parseMessage(
    Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta: meta } })),
    64,
  );
  assert.ok(!isRefusal(message));
  return message;
}

const encode = (value: string) => `=?base64?${Buffer.from(value).toString('base64')}?=`;

describe('mirrored headers', () => {
  const call = request('tools/call', { name: 'read_user', arguments: {} });
  const good = { method: 'tools/call', name: 'read_user', version };
  const code = (refusal: Refusal | null) => refusal?.code ?? null;

  it('agree', () => {
    assert.equal(checkMirroredHeaders(good, call, 'modern'), null);
    assert.equal(checkMirroredHeaders({ ...good, name: encode('read_user') }, call, 'modern'), null);
  });

  it('disagree', () => {
    for (const headers of [
      { ...good, method: 'tools/list' },
      { ...good, method: 'Tools/Call' },
      { ...good, name: 'delete_user' },
      { ...good, name: 'READ_USER' },
      { ...good, name: encode('delete_user') },
      { ...good, name: '=?base64?%%%?=' },
      { ...good, name: '=?base64?cmVhZF91c2Vy?= ' },
      { ...good, name: 'read_user, delete_user' },
      { ...good, version: '2025-11-25' },
      { ...good, method: undefined },
      { ...good, name: undefined },
    ]) {
      assert.equal(
        code(checkMirroredHeaders(headers, call, 'modern')),
        'header_mismatch',
        JSON.stringify(headers),
      );
    }
  });

  it('must be true in the legacy era too, where they may be missing', () => {
    const none = { method: undefined, name: undefined, version: '2025-11-25' };
    assert.equal(checkMirroredHeaders(none, call, 'legacy'), null);
    assert.equal(
      code(checkMirroredHeaders({ ...none, name: 'delete_user' }, call, 'legacy')),
      'header_mismatch',
    );
    assert.equal(
      code(checkMirroredHeaders({ ...none, method: 'tools/list' }, call, 'legacy')),
      'header_mismatch',
    );
  });

  it('names a resource by its URI', () => {
    const read = request('resources/read', { uri: 'file:///ä' });
    const headers = { method: 'resources/read', version };
    assert.equal(checkMirroredHeaders({ ...headers, name: encode('file:///ä') }, read, 'modern'), null);
    assert.equal(
      code(checkMirroredHeaders({ ...headers, name: 'file:///a' }, read, 'modern')),
      'header_mismatch',
    );
  });

  it('round-trips every value through the Base64 form', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (value) =>
        assert.equal(decodeHeaderValue(encode(value)), value),
      ),
    );
  });
});

describe('mirrored parameters', () => {
  const region = { header: 'region', path: ['region'], type: 'string' } as const;
  const count = { header: 'count', path: ['page', 'count'], type: 'integer' } as const;
  const check = (headers: Record<string, string>, args: JsonObject) =>
    checkMirroredParameters([region, count], (name) => headers[name], args)?.code ?? null;

  it('agree, also by number and in Base64', () => {
    assert.equal(check({}, {}), null);
    assert.equal(check({ 'mcp-param-region': 'eu' }, { region: 'eu' }), null);
    assert.equal(check({ 'mcp-param-region': encode('日本') }, { region: '日本' }), null);
    assert.equal(check({ 'mcp-param-count': '42.0' }, { page: { count: 42 } }), null);
    assert.equal(check({ 'mcp-param-other': 'x' }, {}), null);
  });

  it('disagree', () => {
    assert.equal(check({}, { region: 'eu' }), 'header_mismatch');
    assert.equal(check({ 'mcp-param-region': 'us' }, { region: 'eu' }), 'header_mismatch');
    assert.equal(check({ 'mcp-param-region': 'eu' }, {}), 'header_mismatch');
    assert.equal(check({ 'mcp-param-region': 'eu' }, { region: null }), 'header_mismatch');
    assert.equal(check({ 'mcp-param-count': '0x2a' }, { page: { count: 42 } }), 'header_mismatch');
    assert.equal(check({ 'mcp-param-count': '42' }, { page: { count: '42x' } }), 'header_mismatch');
  });
});
