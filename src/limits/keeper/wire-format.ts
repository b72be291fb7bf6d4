import type { Socket } from 'node:net';
import { readJson } from '../../base/index.ts';
import type { Admitted, LimitDemand, LimitLayer, LimitRefused } from '../limiter.ts';
import { refusedFor } from '../limiter.ts';

// One JSON array a line. Question: [id, [[layer, key, count, periodMs, burst], …]]. Answer: [id, place, …]: of the demand that
// refuses with its wait, or -1 with place, remaining and milliseconds of the tightest (place -1: none).

export type Question = readonly [id: number, demands: readonly LimitDemand[]];
export type Verdict = Admitted | LimitRefused;

const longestLine = 65_536;
const mostDemands = 32;
const longestKey = 256;

/** Calls `take` for each whole line; what never ends or throws ends the connection. */
export function readLines(socket: Socket, take: (line: string) => void): void {
  let rest = '';
  socket.setEncoding('utf8');
  socket.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    try {
      for (const line of lines) take(line);
    } catch {
      socket.destroy();
    }
    if (rest.length > longestLine) socket.destroy();
  });
  socket.on('error', () => socket.destroy());
}

export function questionLine(id: number, demands: readonly LimitDemand[]): string {
  const all = demands.map(({ layer, key, limit }) => [layer, key, limit.count, limit.periodMs, limit.burst]);
  return `${JSON.stringify([id, all])}\n`;
}

/** @throws TypeError for what is no question */
export function readQuestion(line: string): Question {
  const found: unknown = readJson(line);
  if (!Array.isArray(found) || !Number.isSafeInteger(found[0]) || !Array.isArray(found[1]))
    throw new TypeError();
  if (found[1].length > mostDemands) throw new TypeError();
  return [found[0], found[1].map(readDemand)];
}

const layers: readonly LimitLayer[] = ['client', 'tool', 'tool_total', 'organization'];

function readDemand(found: unknown): LimitDemand {
  if (!Array.isArray(found)) throw new TypeError();
  const [named, key, ...numbers] = found as unknown[];
  const layer = layers.find((one) => one === named);
  if (layer === undefined || typeof key !== 'string' || key.length > longestKey) throw new TypeError();
  const [count = 0, periodMs = 0, burst = 0] = numbers.map((one) =>
    Number.isSafeInteger(one) ? Number(one) : 0,
  );
  if (count < 1 || periodMs < 1 || burst < 1) throw new TypeError();
  return { layer, key, limit: { count, periodMs, burst } };
}

export function answerLine(id: number, verdict: Verdict, demands: readonly LimitDemand[]): string {
  if (!verdict.admitted) return `[${id},${demands.indexOf(verdict.demand)},${verdict.retryAfterMs}]\n`;
  const { tightest } = verdict;
  if (tightest === null) return `[${id},-1,-1]\n`;
  return `[${id},-1,${demands.indexOf(tightest.demand)},${tightest.remaining},${tightest.moreInMs}]\n`;
}

export function readAnswer(line: string): readonly [id: number, ...rest: number[]] {
  const found: unknown = readJson(line);
  if (!Array.isArray(found) || !found.every(Number.isFinite)) throw new TypeError();
  return found as [number, ...number[]];
}

/** @throws TypeError when it names a demand that was not asked about: then nothing is admitted */
export function verdictOf(answer: readonly number[], demands: readonly LimitDemand[]): Verdict {
  const [refusing = 0, first = 0, remaining = 0, moreInMs = 0] = answer;
  if (refusing !== -1) return refusedFor(demandAt(demands, refusing), first);
  return {
    admitted: true,
    tightest: first === -1 ? null : { demand: demandAt(demands, first), remaining, moreInMs },
  };
}

function demandAt(demands: readonly LimitDemand[], at: number): LimitDemand {
  const demand = demands[at];
  if (demand === undefined) throw new TypeError('no such demand');
  return demand;
}
