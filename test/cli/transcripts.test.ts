import assert from 'node:assert/strict';
import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { it } from 'node:test';
import { home, run } from './support/run.ts';

// Each file in transcripts/ is what a person sees: `$ portcullis …`, then what it prints. Lines on stderr begin with
// `! `, and an exit code that is not 0 stands last, as `[2]`. `<home>` is the directory it runs in. Files that the
// commands need follow after `-- NAME --`. UPDATE_TRANSCRIPTS=1 writes what is printed now.

const folder = join(import.meta.dirname, 'transcripts');

for (const file of globSync('*.txt', { cwd: folder })) {
  it(basename(file, '.txt'), async (t) => {
    const text = readFileSync(join(folder, file), 'utf8');
    const [script = '', ...parts] = text.split(/^-- (.+) --\n/m);
    const cwd = home(t);
    for (let index = 0; index < parts.length; index += 2) {
      const path = join(cwd, parts[index] ?? '');
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, parts[index + 1] ?? '');
    }
    const now = await replay(script, cwd);
    if (process.env['UPDATE_TRANSCRIPTS']) writeFileSync(join(folder, file), now + text.slice(script.length));
    else assert.equal(now, script);
  });
}

/** The header and the commands of a script, each with what it prints now. */
async function replay(script: string, cwd: string): Promise<string> {
  const [header = '', ...steps] = script.split(/^\$ /m);
  let now = header;
  for (const step of steps) {
    const command = step.split('\n', 1)[0] ?? '';
    const { env, parameters, stdin } = words(command);
    const { code, stdout, stderr } = await run(parameters, { cwd, env }, stdin);
    const printed = [
      ...lines(stdout),
      ...lines(stderr).map((line) => `! ${line}`.trimEnd()),
      ...(code === 0 ? [] : [`[${code}]`]),
    ];
    now += `$ ${command}\n${printed.map((line) => `${line.replaceAll(cwd, '<home>')}\n`).join('')}\n`;
  }
  return now;
}

function lines(text: string): string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n');
}

/** `A=b portcullis x 'y z' < text`: variables, words, and one word of standard input. */
function words(command: string): { env: Record<string, string>; parameters: string[]; stdin: string } {
  const [line = '', stdin = ''] = command.split(' < ');
  const all = [...line.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? '');
  const at = all.indexOf('portcullis');
  const env = Object.fromEntries(all.slice(0, at).map((pair) => pair.split('=', 2) as [string, string]));
  return { env, parameters: all.slice(at + 1), stdin };
}
