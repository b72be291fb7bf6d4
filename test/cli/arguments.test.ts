import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Command } from '../../src/cli/command.ts';
import { parseCommandLine } from '../../src/cli/parse.ts';

const command: Command = {
  name: 'revoke',
  summary: '',
  usage: [],
  words: ['KIND', 'ID'],
  options: { data: { value: 'DIR', help: '' }, client: { value: 'ID', help: '' } },
  run: () => Promise.reject(new Error('is not run')),
};
const parse = (...parameters: string[]) => parseCommandLine(command, parameters, 'portcullis');

test('an id that begins with - can be given: ids are random, one in 64 does', () => {
  assert.deepEqual(parse('client', '--data', 'd', '--', '-abc').words, ['client', '-abc']);
  assert.equal(parse('--client=-abc').text('client'), '-abc');
});

test('who forgets that is told what to write', () => {
  assert.throws(() => parse('client', '-abc'), { message: /unknown option -a/, hint: /goes last, after --/ });
  assert.throws(() => parse('--client', '-abc'), { message: /needs a value/, hint: 'write --client=ID' });
  assert.throws(() => parse('client', '--', '-abc', 'more'), { message: /takes fewer arguments/ });
});
