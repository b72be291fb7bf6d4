import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isRefusal } from '../../src/base/index.ts';
import { dialectOf, parseMessage } from '../../src/protocol/index.ts';

const read = (value: unknown) =>
  parseMessage(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)), 64);
const refused = (value: unknown): string => {
  const result = read(value);
  assert.ok(isRefusal(result), JSON.stringify(value));
  return result.code;
};

describe('parseMessage', () => {
  it('reads requests, notifications and responses', () => {
    assert.deepEqual(read({ jsonrpc: '2.0', id: 1, method: 'ping' }), {
      kind: 'request',
      id: 1,
      method: 'ping',
      params: {},
    });
    assert.deepEqual(read({ jsonrpc: '2.0', method: 'notifications/initialized' }), {
      kind: 'notification',
      method: 'notifications/initialized',
      params: {},
    });
    assert.deepEqual(read({ jsonrpc: '2.0', id: 'a', result: {} }), {
      kind: 'response',
      id: 'a',
      isError: false,
    });
    assert.deepEqual(read({ jsonrpc: '2.0', id: 'a', error: { code: 1, message: '' } }), {
      kind: 'response',
      id: 'a',
      isError: true,
    });
  });

  for (const [what, value] of Object.entries({
    'a batch': [{ jsonrpc: '2.0', id: 1, method: 'ping' }],
    'an empty batch': [],
    'a string': '"ping"',
    null: 'null',
    'a number': '1',
    'another version': { jsonrpc: '1.0', id: 1, method: 'ping' },
    'no version': { id: 1, method: 'ping' },
    'a null id': { jsonrpc: '2.0', id: null, method: 'ping' },
    'a fractional id': { jsonrpc: '2.0', id: 1.5, method: 'ping' },
    'an object id': { jsonrpc: '2.0', id: {}, method: 'ping' },
    'a huge id': { jsonrpc: '2.0', id: 'x'.repeat(513), method: 'ping' },
    'a method that is no string': { jsonrpc: '2.0', id: 1, method: ['tools/call'] },
    'an empty method': { jsonrpc: '2.0', id: 1, method: '' },
    'a huge method': { jsonrpc: '2.0', id: 1, method: 'x'.repeat(201) },
    'params that are an array': { jsonrpc: '2.0', id: 1, method: 'ping', params: [] },
    'null params': { jsonrpc: '2.0', id: 1, method: 'ping', params: null },
    'a method and a result': { jsonrpc: '2.0', id: 1, method: 'ping', result: {} },
    'a result and an error': { jsonrpc: '2.0', id: 1, result: {}, error: {} },
    'a response without id': { jsonrpc: '2.0', result: {} },
    nothing: {},
  })) {
    it(`refuses ${what}`, () => {
      assert.equal(refused(value), 'malformed_message');
    });
  }

  it('refuses members that a reader without case would take for decisive ones', () => {
    const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'read', arguments: {} } };
    for (const name of ['Method', 'METHOD', 'Id', 'Params', 'JSONRPC', 'paramſ', 'reſult', 'Error']) {
      refused({ ...call, [name]: 'x' });
    }
    for (const name of [
      'Name',
      'NAME',
      'Arguments',
      'argumentſ',
      'URI',
      '_Meta',
      'RequestId',
      'INPUTRESPONSES',
    ]) {
      refused({ ...call, params: { ...call.params, [name]: 'x' } });
    }
    assert.ok(
      !isRefusal(read({ ...call, params: { ...call.params, requestId: 1, inputResponses: {}, other: 1 } })),
    );
  });

  it('never throws, whatever comes', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        read(text);
      }),
      { numRuns: 1000 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void parseMessage(bytes, 8)),
      { numRuns: 1000 },
    );
  });
});

describe('dialectOf', () => {
  const ping = (meta?: object) => {
    const message = read({ jsonrpc: '2.0', id: 1, method: 'ping', params: meta ? { _meta: meta } : {} });
    assert.ok(!isRefusal(message));
    return message;
  };
  const version = 'io.modelcontextprotocol/protocolVersion';

  it('follows the header', () => {
    assert.deepEqual(dialectOf('2026-07-28', ping()), { era: 'modern', revision: '2026-07-28' });
    assert.deepEqual(dialectOf('2025-06-18', ping()), { era: 'legacy', revision: '2025-06-18' });
    assert.deepEqual(dialectOf(undefined, ping()), { era: 'legacy', revision: '2025-03-26' });
  });

  it('lets modern metadata pass under a legacy header', () => {
    assert.deepEqual(dialectOf('2025-11-25', ping({ [version]: '2026-07-28' })), {
      era: 'legacy',
      revision: '2025-11-25',
    });
  });

  it('refuses modern metadata without the header', () => {
    const result = dialectOf(undefined, ping({ [version]: '2026-07-28' }));
    assert.ok(isRefusal(result) && result.code === 'header_mismatch');
  });

  it('names what is supported when asked for another version', () => {
    const result = dialectOf('1900-01-01', ping());
    assert.ok(isRefusal(result) && result.code === 'unsupported_version');
    assert.deepEqual(result.data?.['requested'], '1900-01-01');
    const supported = result.data?.['supported'];
    assert.ok(Array.isArray(supported) && supported.includes('2026-07-28'));
  });
});
