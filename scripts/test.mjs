// Runs the whole suite: every test/**/*.test.ts, serially enough for a two-core machine.
import { spawnSync } from 'node:child_process';

const run = spawnSync(
  process.execPath,
  ['--test', '--test-concurrency=2', '--test-timeout=300000', 'test/**/*.test.ts'],
  { stdio: 'inherit' },
);
process.exit(run.status ?? 1);
