// Makes the package that users install, in build/: dist/ and documents, without what only this repository needs
// (its own Node, its tools). `npm publish build/package` or `npm install build/portcullis-<version>.tgz`.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);
const run = (command, args) => {
  const { status } = spawnSync(command, args, { stdio: 'inherit', shell: process.platform === 'win32' });
  if (status !== 0) process.exit(status ?? 1);
};

run(process.execPath, ['scripts/build.mjs']);
const target = join('build', 'package');
rmSync('build', { recursive: true, force: true });
mkdirSync(target, { recursive: true });
const {
  private: _p,
  scripts: _s,
  devDependencies: _d,
  optionalDependencies: _o,
  ...published
} = JSON.parse(readFileSync('package.json', 'utf8'));
writeFileSync(join(target, 'package.json'), `${JSON.stringify(published, null, 2)}\n`);
for (const name of published.files)
  if (existsSync(name)) cpSync(name, join(target, name), { recursive: true });
run(process.execPath, ['node_modules/publint/src/cli.js', target]);
run('npm', ['pack', `./${target}`, '--pack-destination', 'build', '--silent']);
