import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { configurationKey, rules } from '../../src/detections/index.ts';
import { isExpressible, sigmaFiles } from './sigma.ts';

const docs = join(import.meta.dirname, '../../docs');

describe('docs/sigma', () => {
  it('says what the rule table says (npm run sigma writes it)', () => {
    const wanted = sigmaFiles();
    assert.deepEqual(readdirSync(join(docs, 'sigma')).toSorted(), [...wanted.keys()].toSorted());
    for (const [name, text] of wanted)
      assert.equal(readFileSync(join(docs, 'sigma', name), 'utf8'), text, name);
  });

  it('is YAML that Sigma tools read: each rule has an id of its own, a log source or a correlation', () => {
    const ids = new Set<string>();
    for (const [name, text] of sigmaFiles()) {
      for (const document of parseAllDocuments(text)) {
        const rule = document.toJS() as {
          id: string;
          detection?: { condition: string };
          correlation?: object;
        };
        assert.ok(rule.detection?.condition ?? rule.correlation, name);
        assert.match(rule.id, /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/);
        assert.ok(!ids.has(rule.id));
        ids.add(rule.id);
      }
    }
  });
});

describe('docs/detections.md', () => {
  const page = readFileSync(join(docs, 'detections.md'), 'utf8');

  it('has a row for each detection, with its severity and threshold', () => {
    for (const rule of rules) {
      const row = page.split('\n').find((line) => line.startsWith(`| \`${rule.id}\` |`));
      assert.ok(row, `docs/detections.md has no row for ${rule.id}`);
      assert.ok(row.includes(` ${rule.severity} `), `${rule.id}: severity`);
      const threshold = rule.count === 1 ? 'each' : `${rule.count} in ${rule.withinMs / 60_000} min`;
      assert.ok(row.includes(threshold), `${rule.id}: ${threshold}`);
    }
  });

  it('says which have no Sigma rule', () => {
    for (const rule of rules)
      assert.equal(page.includes(`sigma/${rule.id}.yml`), isExpressible(rule), rule.id);
  });

  it('names the keys of the configuration', () => {
    const text = readFileSync(join(docs, 'configuration.md'), 'utf8');
    for (const { id } of rules) assert.ok(text.includes(configurationKey(id)), configurationKey(id));
  });
});
