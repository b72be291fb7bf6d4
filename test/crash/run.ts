// `npm run test:crash -- --rounds 200`: see crash.ts.
import { parseArgs } from 'node:util';
import { crash } from './crash.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '200' } } });
const report = await crash(Number(values.rounds), (round) => {
  if (round % 10 === 0) process.stderr.write(`${round} rounds\n`);
});
process.stdout.write(`${JSON.stringify(report)}\n`);
process.exitCode = report.faults.length === 0 ? 0 : 1;
