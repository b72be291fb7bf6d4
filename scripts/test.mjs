// Runs the whole suite: every test/**/*.test.ts, serially enough for a two-core machine.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

// Each test file is a process, and many start more: the sources are made ready once and not by each of them.
const compiled = fileURLToPath(new URL('../node_modules/.cache/node-compile-cache', import.meta.url));
const reporter = fileURLToPath(new URL('failed-files.mjs', import.meta.url));
// More failures than these are no accident of timing.
const mostAgain = 5;

const scratch = mkdtempSync(join(tmpdir(), 'portcullis-tests-'));
const failed = join(scratch, 'failed');
let status = run(['--test-concurrency=2', 'test/**/*.test.ts']);
const again = readFileSync(failed, 'utf8').split('\n').filter(Boolean);
if (status !== 0 && again.length > 0 && again.length <= mostAgain) {
  const names = again.map((file) => relative(process.cwd(), file)).join(', ');
  process.stdout.write(
    `\nOnce more, alone and one after the other (what passes now is unsteady): ${names}\n\n`,
  );
  status = run(['--test-concurrency=1', ...again]);
}
rmSync(scratch, { recursive: true, force: true });
process.exit(status);

function run(parameters) {
  const reporters = ['spec', 'stdout', reporter, failed].map((value, index) =>
    index % 2 === 0 ? `--test-reporter=${value}` : `--test-reporter-destination=${value}`,
  );
  const options = { stdio: 'inherit', env: { ...process.env, NODE_COMPILE_CACHE: compiled } };
  return (
    spawnSync(process.execPath, ['--test', '--test-timeout=300000', ...reporters, ...parameters], options)
      .status ?? 1
  );
}
