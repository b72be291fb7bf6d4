import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressGroup, createFloodGuard, type FloodGuard } from '../../src/limits/index.ts';
import { limitOf } from './fixtures.ts';

function guardOf(maxAddresses = 1000): FloodGuard {
  return createFloodGuard({ address: limitOf(20, 1000), failures: limitOf(5, 60_000), maxAddresses });
}

const groups: [address: string | undefined, group: string][] = [
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::FFFF:c000:201', '192.0.2.1'],
  ['0:0:0:0:0:ffff:192.0.2.1', '192.0.2.1'],
  ['64:ff9b::192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:0DB8:0001:0002::', '2001:db8:1:2::/64'],
  ['2001:db8::1:2:3:4:5', '2001:db8:0:1::/64'],
  ['2001:db8::', '2001:db8:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['::', '0:0:0:0::/64'],
  [undefined, 'unknown'],
  ['', 'unknown'],
  ['192.0.2.01', 'unknown'],
  ['192.0.2.1, 198.51.100.1', 'unknown'],
  ['localhost', 'unknown'],
  ['1::2::3', 'unknown'],
];

for (const [address, group] of groups) {
  test(`${address} counts as ${group}`, () => assert.equal(addressGroup(address), group));
}

test('every address of a /64 counts as one, those of two as two; every writing of an IPv4 address as one', () => {
  const prefix = fc.array(fc.integer({ min: 1, max: 0xffff }), { minLength: 4, maxLength: 4 });
  const host = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 4, maxLength: 4 });
  const write = (parts: number[]) => parts.map((part) => part.toString(16)).join(':');
  fc.assert(
    fc.property(prefix, prefix, host, host, (a, b, x, y) => {
      assert.equal(addressGroup(write([...a, ...x])), addressGroup(write([...a, ...y])));
      assert.equal(
        addressGroup(write([...a, ...x])) === addressGroup(write([...b, ...x])),
        write(a) === write(b),
      );
    }),
  );
  fc.assert(
    fc.property(fc.ipV4(), (address) => {
      const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
      assert.equal(addressGroup(`::ffff:${address}`), address);
      assert.equal(addressGroup(`::ffff:${write([a * 256 + b, c * 256 + d])}`), address);
    }),
  );
});

test('an address gets its requests, another its own', () => {
  const guard = guardOf();
  for (let index = 0; index < 20; index++) assert.equal(guard.check('192.0.2.1', 0).admitted, true);
  const refused = guard.check('192.0.2.1', 0);
  assert.ok(!refused.admitted);
  const { layer, retryAfterMs, limit, remaining } = refused;
  assert.deepEqual(
    { layer, retryAfterMs, limit, remaining },
    {
      layer: 'address',
      retryAfterMs: 50,
      limit: 20,
      remaining: 0,
    },
  );
  assert.equal(guard.check('192.0.2.1', 49).admitted, false);
  assert.equal(guard.check('192.0.2.1', 50).admitted, true);
  assert.equal(guard.check('192.0.2.2', 50).admitted, true);
});

test('attack: after too many bad tokens an address waits, before another is looked at', () => {
  const guard = guardOf();
  let tried = 0;
  for (let now = 0; now < 10_000; now += 10) {
    if (!guard.check('192.0.2.1', now).admitted) continue;
    tried++;
    guard.failed('192.0.2.1', now);
  }
  assert.equal(tried, 5);
  const verdict = guard.check('192.0.2.1', 10_000);
  assert.ok(!verdict.admitted && verdict.limit === 5);
  assert.equal(verdict.retryAfterMs, 2000);
  assert.equal(guard.check('192.0.2.1', 11_999).admitted, false);
  assert.equal(guard.check('192.0.2.1', 12_000).admitted, true);
  assert.equal(guard.check('192.0.2.2', 10_000).admitted, true);
});

test('attack: another address of the same /64, or another writing, is no new start', () => {
  const guard = guardOf();
  for (let index = 0; index < 5; index++) {
    guard.failed(`2001:db8:0:1::${index}`, 0);
    guard.failed(index % 2 ? '::ffff:192.0.2.1' : '192.0.2.1', 0);
  }
  assert.equal(guard.check('2001:db8:0:1:ffff::1', 0).admitted, false);
  assert.equal(guard.check('::ffff:c000:201', 0).admitted, false);
  assert.equal(guard.check('2001:db8:0:2::1', 0).admitted, true);
});

test('many requests that fail at the same moment owe no more than a full burst', () => {
  const guard = guardOf();
  for (let index = 0; index < 1000; index++) guard.failed('192.0.2.1', 0);
  const verdict = guard.check('192.0.2.1', 0);
  assert.ok(!verdict.admitted && verdict.retryAfterMs === 12_000);
});

test('of two waits the longer is told', () => {
  const guard = guardOf();
  for (let index = 0; index < 20; index++) guard.check('192.0.2.1', 0);
  for (let index = 0; index < 5; index++) guard.failed('192.0.2.1', 0);
  const verdict = guard.check('192.0.2.1', 0);
  assert.ok(!verdict.admitted && verdict.retryAfterMs === 12_000 && verdict.limit === 5);
});

test('attack: a flood of addresses stays within the bound and frees nobody', () => {
  const guard = guardOf(1000);
  for (let index = 0; index < 5; index++) guard.failed('192.0.2.1', 0);
  for (let index = 0; index < 50_000; index++) {
    const address = `2001:db8:${(index >> 8).toString(16)}:${(index & 255).toString(16)}::1`;
    if (guard.check(address, 0).admitted) guard.failed(address, 0);
  }
  assert.ok(guard.size() <= 2000, `${guard.size()}`);
  assert.equal(guard.check('192.0.2.1', 0).admitted, false);
});
