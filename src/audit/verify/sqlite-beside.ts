import { messageOf } from '../../base/index.ts';
import type { Db } from '../../store/index.ts';
import type { ChainCheck } from './chains.ts';
import { compareReleased, releasedSql } from './released.ts';

const nowhere = { writer: null, position: null };
const mostFaults = 20;

/**
 * What is kept beside the entries, and can be made anew from them: indexes, and the calls without an outcome, which queries go by.
 * @param isWhole whether `faultsOfFile` has been asked already, and found none
 */
export function compareBeside(db: Db, check: ChainCheck, isWhole: boolean): void {
  try {
    for (const fault of isWhole ? [] : faultsOfFile(db)) {
      check.find('index', nowhere, `the file contradicts itself: ${fault}`);
    }
    compareOpenCalls(db, check);
    compareReleased(db.prepare(releasedSql).all(), check);
  } catch (error) {
    check.find('unreadable', nowhere, `the store cannot be read to its end: ${messageOf(error)}`);
  }
}

/** Entries are read without any index, so whoever takes one out of an index, by the bytes of the file, hides it from queries alone. */
export function faultsOfFile(db: Db): string[] {
  const answers = db.prepare(`PRAGMA integrity_check(${mostFaults})`).tuples();
  return answers.map(([answer]) => String(answer)).filter((answer) => answer !== 'ok');
}

function compareOpenCalls(db: Db, check: ChainCheck): void {
  const listed = new Set<string>();
  const rows = db
    .prepare(
      `SELECT open_calls.request_id, phase = 'intent' AND
       iif(json_valid(entry), entry, '{}') ->> '$.request_id' IS open_calls.request_id
     FROM open_calls LEFT JOIN records ON records.seq = open_calls.seq`,
    )
    .tuples();
  for (const [requestId, isItsIntent] of rows) if (Number(isItsIntent) === 1) listed.add(String(requestId));
  const wrong = rows.length - listed.size;
  for (const { requestId, writer, position } of check.orphans()) {
    if (listed.delete(requestId)) continue;
    check.find('index', { writer, position }, 'queries pass over this call, which has no outcome');
  }
  if (listed.size + wrong === 0) return;
  check.find('index', nowhere, `${listed.size + wrong} calls are listed as without an outcome, and are not`);
}
