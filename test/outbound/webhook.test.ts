import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Secret } from '../../src/base/index.ts';
import { backOffMs, retryAfterMs, signWebhook } from '../../src/outbound/index.ts';

test('signs as Standard Webhooks does: the vector of its reference libraries', () => {
  const headers = signWebhook(
    {
      id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      body: '{"test": 2432232314}',
      now: 1_614_265_330_000,
    },
    new Secret('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'),
  );
  assert.deepEqual(headers, {
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  });
});

test('another body, id, second or secret gives another signature', () => {
  const delivery = { id: 'a', body: '{}', now: 1_000_000 };
  const sign = (more: Partial<typeof delivery>, secret = 'plain secret') =>
    signWebhook({ ...delivery, ...more }, new Secret(secret))['webhook-signature'];
  const signatures = [
    sign({}),
    sign({ body: '[]' }),
    sign({ id: 'b' }),
    sign({ now: 1_001_000 }),
    sign({}, 'x'),
  ];
  assert.equal(new Set(signatures).size, signatures.length);
  assert.equal(sign({}), sign({ now: 1_000_999 }));
});

test('back-off doubles up to its bound, and never by a whole step at once', () => {
  const options = { firstMs: 100, slowestMs: 1_000 };
  assert.deepEqual(
    [1, 2, 3, 4, 5, 1_000].map((failures) => backOffMs(failures, options, 0)),
    [50, 100, 200, 400, 500, 500],
  );
  assert.equal(backOffMs(1, options, 0.5), 75);
});

test('Retry-After: seconds, a date, and what is neither', () => {
  assert.equal(retryAfterMs('7', 0), 7_000);
  assert.equal(retryAfterMs('Thu, 01 Jan 1970 00:00:09 GMT', 1_000), 8_000);
  assert.equal(retryAfterMs('Thu, 01 Jan 1970 00:00:09 GMT', 10_000), 0);
  assert.equal(retryAfterMs('999999999', 0), 3_600_000);
  for (const value of [null, '', 'soon', '-5x']) assert.equal(retryAfterMs(value, 0), null);
});
