import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { alice, signInAndConsent } from '../authorization-server/support.ts';
import { until } from '../gateway/support.ts';

const require = createRequire(import.meta.url);

/** A program of an installed package, and its version. */
export interface Program {
  readonly file: string;
  readonly version: string;
}

export function installed(name: string, program: string): Program {
  const manifest = findManifest(name);
  const { bin, version } = require(manifest) as { bin: Record<string, string>; version: string };
  return { file: join(dirname(manifest), bin[program] ?? ''), version };
}

function findManifest(name: string): string {
  const found = (require.resolve.paths(name) ?? []).map((folder) => join(folder, name, 'package.json'));
  for (const path of found) {
    try {
      return require.resolve(path);
    } catch {} // the next folder up
  }
  throw new Error(`${name} is not installed`);
}

/** A home of its own: what the client keeps there is gone with the test. */
export function clientHome(t: TestContext): string {
  const home = mkdtempSync(join(tmpdir(), 'portcullis-client-'));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  return home;
}

/**
 * The environment of a client on a machine whose browser does nothing (`true`): what it would show is on stderr too.
 * The Inspector signs in without a terminal only if it may open a browser.
 */
export function clientEnvironment(home: string): Record<string, string> {
  const path = `${dirname(process.execPath)}:/usr/bin:/bin`;
  return { PATH: path, HOME: home, BROWSER: 'true', MCP_AUTO_OPEN_ENABLED: 'true', NO_COLOR: '1' };
}

/** Waits for authorization URLs among what a client writes, and does with each what a person would. */
export function actAsPerson(output: NodeJS.ReadableStream): { readonly asked: string[]; text(): string } {
  const asked: string[] = [];
  let text = '';
  let read = 0;
  output.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    for (;;) {
      const match = /https?:\/\/[^\s"'<>]+\/oauth\/authorize\?[^\s"'<>]+(?=\s)/.exec(text.slice(read));
      if (match === null) return;
      read += match.index + match[0].length;
      const [url] = match;
      if (asked.includes(url)) continue;
      asked.push(url);
      signInAndConsent(url, alice)
        .then((back) => until(async () => void (await fetch(back)), 15_000)) // it may listen only after it has shown the URL
        .catch((error: unknown) => {
          text += `\nthe person failed: ${String(error)}\n`;
        });
    }
  });
  return { asked, text: () => text };
}

export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly asked: readonly string[];
}

/** Runs a client to its end, signing in where it asks. */
export async function runClient(parameters: readonly string[], home: string): Promise<Run> {
  const child: ChildProcess = spawn(process.execPath, [...parameters], {
    cwd: home,
    env: clientEnvironment(home),
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
    killSignal: 'SIGKILL',
  });
  if (child.stdout === null || child.stderr === null) throw new Error('no pipes');
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk;
  });
  const person = actAsPerson(child.stderr);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr: person.text(), asked: person.asked };
}
