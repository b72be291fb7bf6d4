import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { createAlerts, testAlert } from '../../src/alerts/index.ts';
import { AlertQueue } from '../../src/alerts/queue.ts';
import type { AuditEvent } from '../../src/audit/index.ts';
import { Secret, silentLog, systemClock } from '../../src/base/index.ts';
import type { Severity } from '../../src/detections/index.ts';
import { createOutbound } from '../../src/outbound/index.ts';
import { until } from '../gateway/support.ts';
import { startReceiver } from './receiver.ts';

const secret = 'a secret of the receiver';

async function setUp(t: TestContext, options: { maxAttempts?: number; maxQueue?: number } = {}) {
  const receiver = await startReceiver(secret);
  const outbound = createOutbound();
  const events: AuditEvent[] = [];
  const alerts = createAlerts({
    outbound,
    clock: systemClock,
    log: silentLog,
    record: (event) => events.push(event),
    gateway: 'https://mcp.example.com',
    firstRetryMs: 1,
    ...options,
  });
  alerts.use({ url: receiver.url, secret: new Secret(secret) });
  t.after(async () => {
    await alerts.close();
    await outbound.close();
    await receiver.stop();
  });
  return { receiver, alerts, events };
}

const detection = (severity: Severity, name = 'denied_burst') => ({
  ...testAlert('2026-11-25T10:00:00.000Z'),
  severity,
  detection: name,
});

describe('the webhook', () => {
  it('gets each alert once, signed over id, time and body', async (t) => {
    const { receiver, alerts } = await setUp(t);
    for (let index = 0; index < 20; index++) alerts.send(detection('high', `d${index}`));
    await until(() => assert.equal(receiver.taken.length, 20));
    assert.ok(receiver.taken.every(({ isGenuine }) => isGenuine));
    assert.deepEqual(
      receiver.taken.map(({ alert }) => alert.type),
      Array.from({ length: 20 }, (_, index) => `detection.d${index}`),
    );
    assert.equal(receiver.taken[0]?.alert.data['gateway'], 'https://mcp.example.com');
  });

  it('is tried again with the same id until it takes it; the trail knows of both ends', async (t) => {
    const { receiver, alerts, events } = await setUp(t);
    receiver.answerWith(500, 503, 429);
    alerts.send(detection('high'));
    await until(() => assert.equal(receiver.taken.length, 1));
    assert.equal(new Set(receiver.attempts.map(({ id }) => id)).size, 1);
    assert.equal(receiver.attempts.length, 4);
    await until(() =>
      assert.deepEqual(
        events.map(({ event }) => event),
        ['alerts.failing', 'alerts.recovered'],
      ),
    );
    assert.ok(!JSON.stringify(events).includes('CANARY'), 'what the receiver wrote is in the trail');
  });

  it('that refuses one alert for good does not hold up the next', async (t) => {
    const { receiver, alerts } = await setUp(t);
    receiver.answerWith(400, 400, 400);
    alerts.send(detection('high', 'poison'));
    alerts.send(detection('high', 'good'));
    await until(() =>
      assert.deepEqual(
        receiver.taken.map(({ alert }) => alert.type),
        ['detection.good'],
      ),
    );
  });

  it('is not followed to where it redirects', async (t) => {
    const { receiver, alerts } = await setUp(t, { maxAttempts: 3 });
    receiver.answerWith(302, 302, 302);
    alerts.send(detection('high', 'moved'));
    alerts.send(detection('high', 'good'));
    await until(() => assert.equal(receiver.attempts.length, 4));
  });

  it('that is another after a reload gets what comes then', async (t) => {
    const { receiver, alerts } = await setUp(t);
    const other = await startReceiver(secret);
    t.after(() => other.stop());
    alerts.use({ url: other.url, secret: new Secret(secret) });
    alerts.send(detection('low'));
    await until(() => assert.equal(other.taken.length, 1));
    assert.equal(receiver.attempts.length, 0);
  });
});

describe('the queue', () => {
  const alert = (severity: Severity, id: string) => ({ id, severity, body: '' });

  it('is bounded: when it is full, a flood of small alerts does not push out a grave one', () => {
    const queue = new AlertQueue(3);
    queue.add(alert('critical', 'first'));
    for (let index = 0; index < 1000; index++) queue.add(alert('low', `low-${index}`));
    assert.equal(queue.size, 3);
    assert.equal(queue.add(alert('high', 'late'))?.id, 'low-1');
    assert.deepEqual([queue.take()?.id, queue.take()?.id, queue.take()?.id], ['first', 'low-0', 'late']);
  });
});
