import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { checkFaulty } from './faulty.ts';
import { type FaultName, faults } from './vulnerable/index.ts';

/** Over all runs: rows that had to fail and did, that had to and did not, and that failed without a cause. */
const counts = { caught: 0, missed: 0, falseAlarms: 0 };

async function failedRows(names: readonly FaultName[]): Promise<string[]> {
  const { rows } = await checkFaulty(names);
  return rows.filter(({ verdict }) => verdict === 'fail').map(({ id }) => id);
}

function count(failed: readonly string[], expected: readonly string[]): void {
  const caught = expected.filter((row) => failed.includes(row)).length;
  counts.caught += caught;
  counts.missed += expected.length - caught;
  counts.falseAlarms += failed.filter((row) => !expected.includes(row)).length;
}

describe('the vulnerable server', { concurrency: 4 }, () => {
  after((t) => {
    const { caught, missed, falseAlarms } = counts;
    const percent = (part: number, of: number) => `${((100 * part) / Math.max(1, of)).toFixed(1)} %`;
    const recall = percent(caught, caught + missed);
    const precision = percent(caught, caught + falseAlarms);
    t.diagnostic(`${Object.keys(faults).length} faults: recall ${recall}, precision ${precision}`);
  });

  it('fails no row when it has no fault', async () => {
    const failed = await failedRows([]);
    count(failed, []);
    assert.deepEqual(failed, []);
  });

  for (const [name, { rows, mistake }] of Object.entries(faults)) {
    it(`${rows.join(', ')}: ${mistake}`, async () => {
      const failed = await failedRows([name as FaultName]);
      count(failed, rows);
      assert.deepEqual(failed.toSorted(), rows.toSorted());
    });
  }
});
