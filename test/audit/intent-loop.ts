// Writes intents until it is killed, and prints the id of each that was promised to be on disk.
import { writeSync } from 'node:fs';
import { createAuditTrail } from '../../src/audit/index.ts';
import { silentLog, systemClock } from '../../src/base/index.ts';
import { intent } from './support.ts';

const trail = await createAuditTrail({
  dataDir: String(process.argv[2]),
  clock: systemClock,
  log: silentLog,
});

async function loop(): Promise<never> {
  for (;;) {
    const one = intent();
    await trail.intent(one);
    writeSync(1, `${one.request_id}\n`);
  }
}

await Promise.all(Array.from({ length: 8 }, loop));
