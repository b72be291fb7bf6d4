import { connect, type Socket } from 'node:net';
import type { LimitDemand } from '../limiter.ts';
import type { Place } from './place.ts';
import { questionLine, readAnswer, readLines, type Verdict, verdictOf } from './wire-format.ts';

/** A connection to the process that counts. */
export interface KeeperClient {
  /** Rejects with `KeeperGone` when the connection ends before the answer, and when none comes in time. */
  ask(demands: readonly LimitDemand[]): Promise<Verdict>;
  close(): void;
}

export class KeeperGone extends Error {
  override readonly name = 'KeeperGone';
}

/** Long, because a machine that is busy is not a process that hangs, and who is not answered may count apart. */
const answerWithinMs = 2_000;
const connectWithinMs = 500;

interface Waiting {
  readonly demands: readonly LimitDemand[];
  readonly resolve: (verdict: Verdict) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** @param onGone called once, when the connection has ended */
export function reachKeeper(place: Place, word: string, onGone: () => void): Promise<KeeperClient> {
  return new Promise((resolve, reject) => {
    const socket = connect(place.path);
    const timer = setTimeout(() => socket.destroy(), connectWithinMs);
    let isOpen = false;
    socket.on('connect', () => {
      clearTimeout(timer);
      isOpen = true;
      socket.unref();
      socket.write(`${word}\n`);
      resolve(clientOn(socket, onGone));
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      clearTimeout(timer);
      if (!isOpen) reject(new KeeperGone('nobody listens'));
    });
  });
}

function clientOn(socket: Socket, onGone: () => void): KeeperClient {
  const waiting = new Map<number, Waiting>();
  let asked = 0;

  function take(id: number): Waiting | undefined {
    const one = waiting.get(id);
    waiting.delete(id);
    clearTimeout(one?.timer);
    return one;
  }

  readLines(socket, (line) => {
    const [id, ...answer] = readAnswer(line);
    const one = take(id);
    try {
      one?.resolve(verdictOf(answer, one.demands));
    } catch (error) {
      one?.reject(error as Error);
    }
  });
  socket.on('close', () => {
    onGone();
    for (const id of [...waiting.keys()]) take(id)?.reject(new KeeperGone('the process that counts is gone'));
  });
  return {
    ask: (demands) =>
      new Promise((resolve, reject) => {
        const id = ++asked;
        const timer = setTimeout(
          () => take(id)?.reject(new Error('the process that counts: timed out')),
          answerWithinMs,
        );
        waiting.set(id, { demands, resolve, reject, timer });
        socket.write(questionLine(id, demands));
      }),
    close: () => socket.destroy(),
  };
}
