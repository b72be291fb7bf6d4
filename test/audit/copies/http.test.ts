import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { queryAudit } from '../../../src/audit/index.ts';
import { Secret } from '../../../src/base/index.ts';
import { intent, record, temporaryDirectory, until } from '../support.ts';
import { eventsNamed, receiver, trailWith } from './support.ts';

const idsIn = (body: string) =>
  (JSON.parse(body) as { data: { records: { request_id?: string }[] } }).data.records.flatMap(
    ({ request_id }) => request_id ?? [],
  );

test('a webhook gets every record, signed over id, time and body', async (t) => {
  const { url, received } = await receiver(t, [{ status: 204 }]);
  const dataDir = temporaryDirectory(t);
  const headers = { authorization: new Secret('Bearer of-the-receiver') };
  const trail = await trailWith(t, dataDir, { kind: 'webhook', url: `${url}/hook`, headers });
  await trail.intent(intent({ request_id: 'r1' }));
  trail.outcome(record({ request_id: 'r1' }));
  await trail.flush();
  await until(() => trail.copies()[0]?.delivered === 3); // the first says that the chain begins
  assert.deepEqual(
    received.flatMap(({ body }) => idsIn(body)),
    ['r1', 'r1'],
  );
  for (const { body, path, headers: got } of received) {
    assert.equal(path, '/hook');
    assert.equal(got['authorization'], 'Bearer of-the-receiver');
    const signed = `${got['webhook-id']}.${got['webhook-timestamp']}.${body}`;
    const expected = createHmac('sha256', Buffer.from('c2VjcmV0', 'base64')).update(signed).digest('base64');
    assert.equal(got['webhook-signature'], `v1,${expected}`);
    assert.match(String(got['webhook-id']), new RegExp(`^audit_${trail.writer}_\\d+-\\d+$`));
  }
});

test('what failed comes again with the same id and bytes; the trail says so, with no secret', async (t) => {
  const { url, received } = await receiver(t, [{ status: 503 }, { status: 500 }, { status: 200 }]);
  const dataDir = temporaryDirectory(t);
  const trail = await trailWith(t, dataDir, { kind: 'webhook', url: `${url}/hook?token=in-the-url` });
  trail.outcome(record({ request_id: 'r1' }));
  await trail.flush();
  await until(() => eventsNamed(dataDir, 'audit.sink_recovered').length === 1);
  const attempts = received.slice(0, 3);
  assert.equal(new Set(attempts.map(({ headers }) => headers['webhook-id'])).size, 1);
  assert.equal(new Set(attempts.map(({ body }) => body)).size, 1);
  const [failed] = eventsNamed(dataDir, 'audit.sink_failed');
  assert.equal(failed?.data?.['sink'], 'webhook');
  assert.equal(failed?.data?.['place'], new URL(url).host);
  assert.match(String(failed?.data?.['reason']), /answered with status 503/);
  const [recovered] = eventsNamed(dataDir, 'audit.sink_recovered');
  assert.equal(recovered?.data?.['dropped'], 0);
  assert.doesNotMatch(JSON.stringify([failed, recovered]), /in-the-url|c2VjcmV0/);
});

test('a receiver that is dead holds up no call; the store has all, and what found no room is counted', async (t) => {
  const { url } = await receiver(t, [{ status: 503 }]);
  const dataDir = temporaryDirectory(t);
  const trail = await trailWith(t, dataDir, { kind: 'webhook', url, queueRecords: 50 });
  for (let index = 0; index < 120; index += 1) await trail.intent(intent({ request_id: `r${index}` }));
  await until(() => (trail.copies()[0]?.dropped ?? 0) >= 70);
  assert.equal([...queryAudit(dataDir)].length, 120);
  assert.equal(trail.healthy(), true);
  assert.equal(trail.copies()[0]?.waiting, 50);
  assert.equal(eventsNamed(dataDir, 'audit.sink_failed').length, 1);
});

test('with block calls wait until the copy has room, and nothing is left out', async (t) => {
  const { url, received } = await receiver(t, [{ status: 503 }, { status: 503 }, { status: 200 }]);
  const dataDir = temporaryDirectory(t);
  const trail = await trailWith(t, dataDir, {
    kind: 'webhook',
    url,
    queueRecords: 10,
    overflow: 'block',
    records: 5,
  });
  const ids = Array.from({ length: 60 }, (_, index) => `r${index}`);
  for (const request_id of ids) await trail.intent(intent({ request_id }));
  await until(() => trail.copies()[0]?.waiting === 0);
  const state = trail.copies()[0];
  assert.equal(state?.dropped, 0);
  assert.ok((state?.blockedMs ?? 0) > 0);
  const taken = received
    .slice(2)
    .flatMap(({ body }) => idsIn(body))
    .filter((id) => id !== undefined);
  assert.deepEqual(taken, ids);
});

test('a trail with block and a dead receiver still closes', async (t) => {
  const { url } = await receiver(t, [{ status: 503 }]);
  const dataDir = temporaryDirectory(t);
  const trail = await trailWith(t, dataDir, { kind: 'webhook', url, queueRecords: 1, overflow: 'block' });
  for (let index = 0; index < 5; index += 1) trail.outcome(record({ request_id: `r${index}` }));
  await until(() => trail.copies()[0]?.failing === true);
  for (let index = 5; index < 9; index += 1) trail.outcome(record({ request_id: `r${index}` }));
  await trail.close();
  assert.equal([...queryAudit(dataDir)].length, 9);
});

test('what the receiver will never take is left out, counted, and does not hold up the rest', async (t) => {
  const { url, received } = await receiver(t, [{ status: 400 }, { status: 200 }]);
  const dataDir = temporaryDirectory(t);
  const trail = await trailWith(t, dataDir, { kind: 'webhook', url });
  trail.outcome(record({ request_id: 'bad' }));
  await until(() => trail.copies()[0]?.dropped === 2); // with the entry that begins the chain
  trail.outcome(record({ request_id: 'good' }));
  await until(() => received.some(({ body }) => body.includes('"good"')));
  await until(() => eventsNamed(dataDir, 'audit.sink_failed').length === 1);
  assert.match(String(eventsNamed(dataDir, 'audit.sink_failed')[0]?.data?.['reason']), /status 400/);
});

test('OTLP: the shape of the JSON encoding, the path, partial success', async (t) => {
  const partial = JSON.stringify({ partialSuccess: { rejectedLogRecords: '1', errorMessage: 'no' } });
  const { url, received } = await receiver(t, [
    { status: 200, body: partial },
    { status: 200, body: '{}' },
  ]);
  const dataDir = temporaryDirectory(t);
  const trail = await trailWith(t, dataDir, { kind: 'otlp', url });
  trail.outcome(record({ request_id: 'r1', timestamp: '2026-07-28T10:00:00.123Z', result: 'denied_auth' }));
  await until(() => eventsNamed(dataDir, 'audit.sink_failed').length === 1);
  assert.equal(trail.copies()[0]?.dropped, 1);
  const first = received[0];
  assert.equal(first?.path, '/v1/logs');
  assert.equal(first?.headers['content-type'], 'application/json');
  const request = JSON.parse(first?.body ?? '{}');
  const { resource, scopeLogs } = request.resourceLogs[0];
  assert.deepEqual(resource.attributes[0], { key: 'service.name', value: { stringValue: 'portcullis' } });
  const [began, log] = scopeLogs[0].logRecords;
  assert.equal(began.eventName, 'audit.chain_started');
  assert.equal(log.timeUnixNano, '1785232800123000000');
  assert.match(log.observedTimeUnixNano, /^\d{19}$/);
  assert.equal(log.severityNumber, 13);
  assert.equal(log.eventName, 'portcullis.call.outcome');
  assert.equal(JSON.parse(log.body.stringValue).request_id, 'r1');
  const attributes = new Map(
    log.attributes.map(({ key, value }: { key: string; value: object }) => [key, value]),
  );
  assert.deepEqual(attributes.get('gen_ai.tool.name'), { stringValue: 'create_note' });
  assert.deepEqual(attributes.get('http.response.status_code'), { intValue: '200' });
  assert.match(
    String(eventsNamed(dataDir, 'audit.sink_failed')[0]?.data?.['reason']),
    /turned 1 records away/,
  );
});
