// Makes dist/ from src/: plain ESM and declarations, as published. No bundling: what runs is what can be read.
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, globSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);
rmSync('dist', { recursive: true, force: true });

const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'));
const compiled = spawnSync(process.execPath, [join(typescript, 'bin', 'tsc'), '-p', 'tsconfig.build.json'], {
  stdio: 'inherit',
});
if (compiled.status !== 0) process.exit(compiled.status ?? 1);

// Scripts and styles of the pages are served as they are.
for (const file of globSync('src/**/*', { withFileTypes: true })) {
  if (!file.isFile() || /\.tsx?$/.test(file.name)) continue;
  const from = join(file.parentPath, file.name);
  const to = from.replace(/^(.*?)src\b/, '$1dist');
  // A script for browsers beside a module of the same name would replace it.
  if (existsSync(to)) throw new Error(`${from} would overwrite what was compiled from another file`);
  cpSync(from, to);
}
chmodSync('bin/portcullis.js', 0o755);
