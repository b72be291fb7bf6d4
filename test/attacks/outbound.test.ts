import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { createOutbound, isPublicAddress, OutboundError, publicLookup } from '../../src/outbound/index.ts';

// URLs that somebody else chose, and documents that somebody else wrote.

describe('addresses', () => {
  const never = [
    '0.0.0.0',
    '0.1.2.3',
    '10.0.0.1',
    '100.64.0.1',
    '100.127.255.255',
    '127.0.0.1',
    '127.255.255.254',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.1',
    '192.0.2.1',
    '192.88.99.1',
    '192.168.0.1',
    '198.18.0.1',
    '198.19.255.255',
    '198.51.100.1',
    '203.0.113.1',
    '224.0.0.1',
    '239.255.255.255',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:8.8.8.8',
    '::ffff:7f00:1',
    '::127.0.0.1',
    '::8.8.8.8',
    '64:ff9b::7f00:1',
    '64:ff9b::8.8.8.8',
    '64:ff9b:1::1',
    '100::1',
    '2001::1',
    '2001:0:7f00:1::',
    '2001:10::1',
    '2001:20::1',
    '2001:db8::1',
    '2002:7f00:1::1',
    '2002:808:808::1',
    '3fff::1',
    '5f00::1',
    'fc00::1',
    'fd00:ec2::254',
    'fe80::1',
    'fec0::1',
    'ff02::1',
    'fe80::1%eth0',
    '::1%1',
    '2606:4700::1%eth0',
    '4000::1',
    '',
    'localhost',
    '127.1',
    '0x7f.1',
    '2130706433',
    '017700000001',
    '8.8.8.8.',
    ' 8.8.8.8',
    '8.8.8.8/32',
    '08.8.8.8',
    '[::1]',
    '1.2.3',
    '256.1.1.1',
  ];
  const fine = [
    '1.1.1.1',
    '8.8.8.8',
    '100.63.255.255',
    '100.128.0.1',
    '172.15.255.255',
    '172.32.0.1',
    '192.0.1.1',
    '198.17.255.255',
    '198.20.0.1',
    '223.255.255.255',
    '2606:4700::1111',
    '2a00:1450::1',
    '2001:4860::1',
    '2003::1',
  ];

  it('that are no public ones', () => {
    for (const address of never) assert.equal(isPublicAddress(address), false, address);
  });
  it('that are', () => {
    for (const address of fine) assert.equal(isPublicAddress(address), true, address);
  });
});

describe('a URL from outside', () => {
  const outbound = createOutbound();
  after(() => outbound.close());
  const fetchJson = (url: string) =>
    outbound.fetchJson({ url, trust: 'anyone', timeoutMs: 2000, maxBytes: 1000 });

  const hostile = [
    'http://example.com/',
    'https://127.0.0.1/',
    'https://127.1/',
    'https://0x7f.1/',
    'https://2130706433/',
    'https://017700000001/',
    'https://0/',
    'https://127.0.0.1./',
    'https://0x7f000001./',
    'https://[::1]/',
    'https://[::ffff:127.0.0.1]/',
    'https://[::ffff:7f00:1]/',
    'https://[64:ff9b::7f00:1]/',
    'https://[fe80::1]/',
    'https://[fe80::1%25eth0]/',
    'https://169.254.169.254/latest/meta-data/',
    'https://①②⑦.⓪.⓪.①/',
    'https://localhost/',
    'https://localhost./',
    'https://user:pw@example.com/',
    'https://user@127.0.0.1/',
    'file:///etc/passwd',
    'ftp://example.com/',
    'data:application/json,{}',
    'javascript:1',
    'https:///',
    'https://',
    '//example.com',
    '',
  ];
  for (const url of hostile) {
    it(`${url || '(empty)'} is not fetched`, async () => {
      const error = await fetchJson(url).then(
        () => null,
        (problem: unknown) => problem as Error & { cause?: Error },
      );
      assert.ok(error, 'it was fetched');
      assert.doesNotMatch(error.message, /pw/);
    });
  }
});

describe('a name', () => {
  const answers = (...addresses: string[]) =>
    publicLookup((_name, _options, callback) =>
      callback(
        null,
        addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      ),
    );
  const look = (lookup: ReturnType<typeof answers>, all: boolean) =>
    new Promise<[Error | null, unknown]>((resolve) => {
      lookup('name.example', { all }, (error, address) => resolve([error, address]));
    });

  it('that names this machine or its network, alone or among others, is not connected to', async () => {
    for (const found of [
      ['127.0.0.1'],
      ['::1'],
      ['8.8.8.8', '10.0.0.1'],
      ['::ffff:10.0.0.1', '8.8.8.8'],
      [],
    ]) {
      for (const all of [true, false]) {
        const [error] = await look(answers(...found), all);
        assert.ok(error instanceof OutboundError, found.join());
      }
    }
    assert.deepEqual(await look(answers('8.8.8.8', '1.1.1.1'), false), [null, '8.8.8.8']);
    const [, both] = await look(answers('8.8.8.8', '2606:4700::1'), true);
    assert.equal((both as unknown[]).length, 2);
  });

  it('is judged at every look-up: the second one may lie', async () => {
    let turn = 0;
    const rebinding = publicLookup((_name, _options, callback) =>
      callback(null, [{ address: turn++ === 0 ? '8.8.8.8' : '127.0.0.1', family: 4 }]),
    );
    assert.equal((await look(rebinding, false))[0], null);
    assert.ok((await look(rebinding, false))[0] instanceof OutboundError);
  });
});

describe('a document', () => {
  const outbound = createOutbound();
  let served = 0;
  const server = createServer((request, response) => {
    served++;
    const { port } = server.address() as AddressInfo;
    const json = { 'content-type': 'application/json' };
    switch (request.url) {
      case '/redirect':
        return response.writeHead(302, { location: `http://127.0.0.1:${port}/good` }).end('{}');
      case '/large':
        return response.writeHead(200, json).end(`{"a":"${'x'.repeat(5000)}"}`);
      case '/endless': {
        response.writeHead(200, json);
        const timer = setInterval(() => response.write(' '.repeat(100)), 1);
        return response.on('close', () => clearInterval(timer));
      }
      case '/slow': {
        response.writeHead(200, json);
        const timer = setInterval(() => response.write(' '), 50);
        return response.on('close', () => clearInterval(timer));
      }
      case '/silent':
        return undefined;
      case '/broken':
        return response.writeHead(200, json).end('{"a":');
      case '/error':
        return response.writeHead(500, json).end('{"canary":1}');
      case '/gzip':
        return response.writeHead(200, { ...json, 'content-encoding': 'gzip' }).end('not gzip');
      default:
        return response.writeHead(200, json).end('{"good":true}');
    }
  });
  before(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  after(async () => {
    await outbound.close();
    server.closeAllConnections();
    server.close();
  });
  const get = (path: string) => {
    const { port } = server.address() as AddressInfo;
    return outbound.fetchJson({
      url: `http://127.0.0.1:${port}${path}`,
      trust: 'configured',
      timeoutMs: 500,
      maxBytes: 1000,
    });
  };

  it('comes whole, in time, in bounds and from where it was asked, or not at all', async () => {
    assert.deepEqual(await get('/good'), { good: true });
    for (const path of [
      '/redirect',
      '/large',
      '/endless',
      '/slow',
      '/silent',
      '/broken',
      '/error',
      '/gzip',
    ]) {
      const before = served;
      const from = performance.now();
      const error = await get(path).then(
        () => null,
        (problem: unknown) => problem as Error,
      );
      assert.ok(error, path);
      assert.ok(performance.now() - from < 2000, path);
      assert.doesNotMatch(error.message, /canary/);
      assert.equal(served, before + 1, `${path} was followed`);
    }
    assert.deepEqual(await get('/good'), { good: true });
  });
});
