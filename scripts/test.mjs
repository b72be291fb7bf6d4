// Runs the whole suite: every test/**/*.test.ts, serially enough for a two-core machine.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

// Each test file is a process, and many start more: the sources are made ready once and not by each of them.
const compiled = fileURLToPath(new URL('../node_modules/.cache/node-compile-cache', import.meta.url));

const run = spawnSync(
  process.execPath,
  ['--test', '--test-concurrency=2', '--test-timeout=300000', 'test/**/*.test.ts'],
  { stdio: 'inherit', env: { ...process.env, NODE_COMPILE_CACHE: compiled } },
);
process.exit(run.status ?? 1);
