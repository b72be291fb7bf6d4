#!/usr/bin/env node
// Starts the command line on a Node that can run it. Plain JavaScript that an old Node understands: the package needs
// Node 22.19, but people start it with what they have, and a clone brings its own Node (optionalDependencies).
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

function isRecent(version) {
  const [major, minor] = version.split('.').map(Number);
  return major > 22 || (major === 22 && minor >= 19);
}

/** In a clone the sources are what was meant; an installed package has `dist` alone. */
function entryPoint() {
  const source = join(root, 'src', 'cli', 'main.ts');
  const built = join(root, 'dist', 'cli', 'main.js');
  const isClone = existsSync(source) && (existsSync(join(root, '.git')) || !existsSync(built));
  return isClone ? source : built;
}

/** The Node that a clone's optionalDependencies installed, or null. */
function ownNode() {
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  const name = `node-${platform}-${process.arch}`;
  const program = process.platform === 'win32' ? 'node.exe' : 'node';
  try {
    const manifest = createRequire(join(root, 'package.json')).resolve(`${name}/package.json`);
    const file = join(dirname(manifest), 'bin', program);
    return existsSync(file) ? file : null;
  } catch {
    return null;
  }
}

/** Runs this file again on another Node: same terminal, signals passed on, same exit code. */
function runOn(node) {
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, PORTCULLIS_NODE: node },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`error: ${node} cannot be run (${error.code})\n`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    process.exit(code ?? 128 + (constants.signals[signal] ?? 0));
  });
}

/**
 * npm starts us through a shell, and a signal for npm ends that shell and not us. When it is gone, we stop too, as if
 * the signal had been for us.
 */
function stopWithNpm() {
  if (!process.env.npm_execpath) return;
  const shell = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === shell) return;
    clearInterval(watch);
    process.kill(process.pid, 'SIGTERM');
  }, 500);
  watch.unref();
}

async function start() {
  stopWithNpm();
  if (isRecent(process.versions.node)) {
    const { main } = await import(pathToFileURL(entryPoint()).href);
    process.exitCode = await main(process.argv.slice(2), process.env);
    return;
  }
  const node = process.env.PORTCULLIS_NODE ? null : ownNode();
  if (node) {
    runOn(node);
    return;
  }
  process.stderr.write(
    `error: Portcullis needs Node 22.19 or newer; this is ${process.version} (${process.execPath})\n` +
      '  install Node 24 from https://nodejs.org, or in a clone run: npm ci\n',
  );
  process.exitCode = 2;
}

await start();
