import assert from 'node:assert/strict';
import { it } from 'node:test';
import { bad, besideRecords, strong } from '../../src/cli/output.ts';
import { captured } from './support/captured.ts';

const hostile = 'a\nb\r\u001b[2J\u009b31m\u202e\u200b\u2028\u{e0041}\ufeff\u2066\u007f\ud800z';
const shown =
  'a\\u000ab\\u000d\\u001b[2J\\u009b31m\\u202e\\u200b\\u2028\\u{e0041}\\ufeff\\u2066\\u007f\\ud800z';

it('a line stays one line, and drives no terminal, whatever it is given', () => {
  const { output, stdout, stderr } = captured({ isTTY: true });
  output.line(hostile);
  output.note(hostile, hostile);
  assert.equal(stdout(), `${shown}\n`);
  assert.equal(stderr(), `${shown}${shown}\n`);
});

it('colour is around what was made neutral, on terminals alone', () => {
  const terminal = captured({ isTTY: true });
  terminal.output.line('x ', strong(hostile));
  assert.equal(terminal.stdout(), `x \u001b[1m${shown}\u001b[22m\n`);
  const pipe = captured();
  pipe.output.note(bad(hostile));
  assert.equal(pipe.stderr(), `${shown}\n`);
});

it('text with lines of its own keeps these alone', async () => {
  const { output, stdout, stderr } = captured();
  output.lines('one\ntwo\u001b[2J\u2028three');
  output.notes('one\rtwo');
  await output.write('cell,"\u009b"\r\nnext\rrow\r\n');
  assert.equal(stdout(), 'one\ntwo\\u001b[2J\\u2028three\ncell,"\\u009b"\r\nnext\\u000drow\r\n');
  assert.equal(stderr(), 'one\\u000dtwo\n');
});

it('JSON says the same in escapes, also beside records', () => {
  const { output, stdout, stderr } = captured();
  output.json({ [hostile]: hostile });
  besideRecords(output).json({ hostile });
  besideRecords(output).line(hostile);
  assert.match(stdout(), /^[ -~]+\n$/);
  assert.deepEqual(JSON.parse(stdout()), { [hostile]: hostile });
  const [json = '', line] = stderr().split('\n');
  assert.deepEqual(JSON.parse(json), { hostile });
  assert.equal(line, shown);
});
