import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { BoundedMap } from '../../src/identity/bounded-map.ts';

describe('a bounded map', () => {
  it('keeps the newest entries, whatever was set again, deleted or cleared', () => {
    const key = fc.integer({ min: 0, max: 12 }).map(String);
    const step = fc.oneof(
      { weight: 6, arbitrary: key.map((name) => ({ set: name })) },
      { weight: 2, arbitrary: key.map((name) => ({ delete: name })) },
      { weight: 1, arbitrary: fc.constant({ clear: true }) },
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(step, { maxLength: 100 }), (max, steps) => {
        const map = new BoundedMap<number>(max);
        let model: [string, number][] = [];
        for (const [index, action] of steps.entries()) {
          if ('clear' in action) {
            map.clear();
            model = [];
            continue;
          }
          const name = 'set' in action ? action.set : action.delete;
          model = model.filter(([known]) => known !== name);
          if ('set' in action) {
            map.set(name, index);
            model = [...model, [name, index] as [string, number]].slice(-max);
          } else map.delete(name);
        }
        assert.equal(map.size, model.length);
        for (let i = 0; i <= 12; i++) {
          assert.equal(map.get(String(i)), new Map(model).get(String(i)));
        }
      }),
    );
  });
});
