import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { it } from 'node:test';
import { queryAudit } from '../../src/audit/index.ts';
import { silentLog, systemClock } from '../../src/base/index.ts';
import { loadConfig } from '../../src/config/index.ts';
import { startGateway } from '../../src/gateway/index.ts';
import { home } from '../cli/support/run.ts';
import { freePort, until } from './support.ts';

/** The last thing that a start does is to open its port: everything before it was open by then. */
it('a start that fails leaves nothing open, and is not told of as one that ran', async (t) => {
  const cwd = home(t);
  const file = join(cwd, 'portcullis.yaml');
  const start = async (port: number) => {
    writeFileSync(
      file,
      `publicUrl: http://127.0.0.1:${port}\nlisten: { port: ${port} }\ndata: ./data\nservers: { notes: { upstream: { url: "http://127.0.0.1:9/mcp" } } }\n`,
    );
    const { config } = await loadConfig({ file, environment: {}, cwd });
    return startGateway({ config, clock: systemClock, log: silentLog, environment: {} });
  };
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  t.after(() => taken.close());
  const before = process.getActiveResourcesInfo().length;
  await assert.rejects(start((taken.address() as { port: number }).port), /is in use/);
  await until(() => assert.ok(process.getActiveResourcesInfo().length <= before)); // handles close a turn later
  const second = await start(await freePort());
  await second.close();
  const events = [...queryAudit(join(cwd, 'data'), { events: true, order: 'oldest' })].flatMap((entry) =>
    entry.phase === 'event' && entry.event.startsWith('gateway.') ? [entry.event] : [],
  );
  assert.deepEqual(events, ['gateway.started', 'gateway.stopped']);
});
