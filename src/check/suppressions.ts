import { readJson } from '../base/index.ts';
import { isRecord } from './exchange.ts';

/** Somebody decided to live with a finding, for a reason, until a day. */
export interface Suppression {
  readonly row: string;
  readonly reason: string;
  /** `2027-03-01`: the last day in UTC on which it counts. */
  readonly until: string;
}

/** @returns the suppressions, or what is wrong with the file, one sentence each */
export function readSuppressions(
  text: string,
  knownRows: readonly string[],
): Suppression[] | { faults: string[] } {
  let value: unknown;
  try {
    value = readJson(text);
  } catch {
    return { faults: ['the file is not JSON'] };
  }
  const list = isRecord(value) ? value['suppressions'] : value;
  if (!Array.isArray(list))
    return { faults: ['the file needs a list: [{"row":"A04","reason":"…","until":"2027-03-01"}]'] };
  const faults = list.flatMap((one, at) =>
    faultsOf(one, knownRows).map((fault) => `entry ${at + 1}: ${fault}`),
  );
  return faults.length > 0 ? { faults } : (list as Suppression[]);
}

function faultsOf(one: unknown, knownRows: readonly string[]): string[] {
  if (!isRecord(one)) return ['not an object'];
  const { row, reason, until, ...rest } = one;
  return [
    ...(typeof row === 'string' && knownRows.includes(row)
      ? []
      : ['row must be the id of a row, such as A04']),
    ...(typeof reason === 'string' && reason.trim().length >= 10
      ? []
      : ['reason must say why, in a sentence']),
    ...(typeof until === 'string' && isDay(until) ? [] : ['until must be a day such as 2027-03-01']),
    ...Object.keys(rest).map((key) => `unknown key ${key.slice(0, 40)}`),
  ];
}

function isDay(text: string): boolean {
  const time = Date.parse(`${text}T00:00:00Z`);
  return /^\d{4}-\d{2}-\d{2}$/.test(text) && new Date(time).toJSON()?.startsWith(text);
}

/** @param now milliseconds since the epoch */
export function isExpired({ until }: Suppression, now: number): boolean {
  return now >= Date.parse(`${until}T00:00:00Z`) + 24 * 60 * 60 * 1000;
}
