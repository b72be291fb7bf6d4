import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compileStops, type Stop, type Stoppable, type StopTarget } from '../../src/stops/index.ts';

const everything = {
  server: 'notes',
  tool: 'delete_user',
  issuer: 'https://a',
  clientId: 'c',
  organization: 'acme',
};

function stopOf(target: Pick<StopTarget, 'kind' | 'name'> & Partial<StopTarget>): Stop {
  return { server: null, issuer: null, id: 'id', reason: null, by: 'me', at: 0, resumed: null, ...target };
}

function hits(target: Parameters<typeof stopOf>[0], call: Partial<Stoppable> = {}): boolean {
  return compileStops([stopOf(target)]).find({ ...everything, ...call }) !== null;
}

describe('a stop of a tool', () => {
  const tool = (name: string, called: string): boolean => hits({ kind: 'tool', name }, { tool: called });

  it('is a glob over the whole name', () => {
    assert.ok(tool('delete_*', 'delete_user'));
    assert.ok(tool('delete_?ser', 'delete_user'));
    assert.ok(!tool('delete_', 'delete_user'));
    assert.ok(!tool('delete_*', 'undelete_user'));
    assert.ok(tool('*', 'anything'));
  });

  it('takes no other characters for patterns', () => {
    assert.ok(!tool('delete.user', 'delete_user'));
    assert.ok(!tool('(a+)+$', 'aaaa'));
    assert.ok(tool('[a]', '[a]'));
  });

  it('leaves calls that are no tool calls alone', () => {
    assert.ok(!hits({ kind: 'tool', name: '*' }, { tool: null }));
  });

  it('may be of one server', () => {
    assert.ok(hits({ kind: 'tool', name: '*', server: 'notes' }));
    assert.ok(!hits({ kind: 'tool', name: '*', server: 'tickets' }));
  });

  it('is not passed by a name that a person takes for the same', () => {
    const disguises = {
      Cyrillic: 'd\u0435l\u0435t\u0435_user',
      Greek: 'delete_\u03c5ser',
      'other case': 'Delete_User',
      'Cyrillic capitals': 'DEL\u0415TE_USER',
      'full width': '\uff44elete_user',
      mathematical: '\u{1d41d}elete_user',
      'zero width space': 'de\u200blete_user',
      'zero width joiner': 'delete\u200d_user',
      'soft hyphen': 'de\u00adlete_user',
      'tag characters': 'delete\u{e0061}_user',
      'variation selector': 'delete\ufe0f_user',
      'right-to-left mark': '\u200fdelete_user',
      'combining accents': 'd\u0301elete_user',
      'a space at the end': 'delete_user ',
    };
    for (const [what, name] of Object.entries(disguises)) assert.ok(tool('delete_*', name), what);
  });

  it('may itself be written in any of these ways', () => {
    assert.ok(tool('d\u0435lete_*', 'delete_user'));
    assert.ok(tool('DELETE_*', 'delete_user'));
    assert.ok(tool('caf\u00e9', 'cafe\u0301'));
  });

  it('takes no longer for a name that was made to cost', () => {
    const name = 'a'.repeat(100_000);
    assert.ok(!tool(`${'*a'.repeat(50)}*b`, name));
  });
});

describe('a stop of an organization', () => {
  it('holds for every issuer that names it, unless one is given', () => {
    const acme = { kind: 'organization', name: 'acme' } as const;
    assert.ok(hits(acme, { issuer: 'https://a' }));
    assert.ok(hits(acme, { issuer: 'https://b' }));
    assert.ok(hits({ ...acme, issuer: 'https://b' }, { issuer: 'https://b' }));
    assert.ok(!hits({ ...acme, issuer: 'https://b' }, { issuer: 'https://a' }));
  });

  it('takes the name as it is: no glob, no other case, no part of it', () => {
    const organization = (name: string, given: string): boolean =>
      hits({ kind: 'organization', name }, { organization: given });
    assert.ok(!organization('*', 'acme'));
    assert.ok(!organization('acme', 'Acme'));
    assert.ok(!organization('acme', 'acme2'));
    assert.ok(organization('caf\u00e9', 'cafe\u0301'), 'however Unicode composes it');
  });
});

describe('a stop of a client', () => {
  it('holds for all that a client does, not for its tools alone', () => {
    assert.ok(hits({ kind: 'client', name: 'c' }, { tool: null }));
    assert.ok(!hits({ kind: 'client', name: 'c' }, { clientId: 'cc' }));
    assert.ok(!hits({ kind: 'client', name: 'c' }, { clientId: 'C' }));
  });

  it('may be of all clients whose documents lie on a host', () => {
    const name = 'https://bad.example/*';
    assert.ok(hits({ kind: 'client', name }, { clientId: 'https://bad.example/x.json' }));
    assert.ok(!hits({ kind: 'client', name }, { clientId: 'https://bad.example.org/x.json' }));
  });

  it('is of one issuer where it says so: ids of two may be alike', () => {
    assert.ok(!hits({ kind: 'client', name: 'c', issuer: 'https://b' }));
    assert.ok(hits({ kind: 'client', name: 'c', issuer: 'https://a' }));
  });
});

it('a stop of a server holds for all that is sent to it', () => {
  assert.ok(hits({ kind: 'server', name: 'notes' }, { tool: null }));
  assert.ok(!hits({ kind: 'server', name: 'note' }));
  assert.ok(!hits({ kind: 'server', name: '*' }));
});
