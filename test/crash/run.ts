// `npm run test:crash -- --rounds 200`: rounds in all, over every kind of place and of what goes wrong; see crash.ts.
// `--place embedded|disk|postgres`: all of them there.
import { parseArgs } from 'node:util';
import { isPostgresInstalled } from '../support/postgres/index.ts';
import { crash } from './crash.ts';
import { databasePlace, lockedPlace, smallDisk } from './places.ts';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '200' }, place: { type: 'string' } },
});
const places = {
  embedded: { share: 0.5, make: lockedPlace },
  disk: { share: 0.2, make: smallDisk },
  postgres: { share: 0.3, make: async () => (isPostgresInstalled ? databasePlace() : null) },
};
const chosen = Object.entries(places).filter(([name]) => (values.place ?? name) === name);
if (chosen.length === 0) throw new Error(`--place is one of ${Object.keys(places).join(', ')}`);
let isFaulty = false;
for (const [name, { share, make }] of chosen) {
  const place = await make();
  if (!place) {
    process.stderr.write(`${name}: SKIPPED, it is not to be had on this machine\n`);
    continue;
  }
  const rounds = Math.ceil(Number(values.rounds) * (values.place ? 1 : share));
  const progress = (round: number) => {
    if (round % 10 === 0) process.stderr.write(`${name}: ${round} of ${rounds} rounds\n`);
  };
  const report = await crash(place, { rounds, progress }).finally(() => place.close());
  process.stdout.write(`${JSON.stringify({ place: name, ...report })}\n`);
  isFaulty ||= report.faults.length > 0;
}
process.exitCode = isFaulty ? 1 : 0;
