// `npm run test:crash -- --rounds 200`: rounds in all, over every kind of place and of what goes wrong; see crash.ts.
import { parseArgs } from 'node:util';
import { isPostgresInstalled } from '../support/postgres/index.ts';
import { crash } from './crash.ts';
import { databasePlace, lockedPlace, smallDisk } from './places.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '200' } } });
const places = {
  'embedded store': lockedPlace,
  'small disk': smallDisk,
  PostgreSQL: async () => (isPostgresInstalled ? databasePlace() : null),
};
const share = { 'embedded store': 0.5, 'small disk': 0.2, PostgreSQL: 0.3 };
let isFaulty = false;
for (const [name, make] of Object.entries(places)) {
  const place = await make();
  if (!place) {
    process.stderr.write(`${name}: SKIPPED, it is not to be had on this machine\n`);
    continue;
  }
  const rounds = Math.ceil(Number(values.rounds) * share[name as keyof typeof share]);
  const progress = (round: number) => {
    if (round % 10 === 0) process.stderr.write(`${name}: ${round} of ${rounds} rounds\n`);
  };
  const report = await crash(place, { rounds, progress }).finally(() => place.close());
  process.stdout.write(`${JSON.stringify({ place: name, ...report })}\n`);
  isFaulty ||= report.faults.length > 0;
}
process.exitCode = isFaulty ? 1 : 0;
