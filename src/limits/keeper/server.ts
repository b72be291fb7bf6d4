import { chmodSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { equalInConstantTime } from '../../base/index.ts';
import type { LimitDemand } from '../limiter.ts';
import type { Place } from './place.ts';
import { answerLine, readLines, readQuestion, type Verdict } from './wire-format.ts';

export interface KeeperServer {
  close(): void;
}

/** Answers the other processes. The first line of each has to be the word that only who reads the master key knows. */
export function serveCounters(
  place: Place,
  word: string,
  decide: (demands: readonly LimitDemand[]) => Verdict,
): Promise<KeeperServer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    let isKnown = false;
    readLines(socket, (line) => {
      if (!isKnown) {
        isKnown = equalInConstantTime(line, word);
        if (!isKnown) socket.destroy();
        return;
      }
      const [id, demands] = readQuestion(line);
      socket.write(answerLine(id, decide(demands), demands));
    });
  });
  place.clear();
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(place.path, () => {
      if (process.platform !== 'win32') chmodSync(place.path, 0o600);
      server.unref();
      const close = () => {
        server.close();
        for (const socket of sockets) socket.destroy();
      };
      resolve({ close });
    });
  });
}
