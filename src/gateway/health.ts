import type { ServerResponse } from 'node:http';

export interface Health {
  owns(path: string): boolean;
  answer(path: string, response: ServerResponse): void;
}

/**
 * `/healthz`: the process answers. `/readyz`: it can serve: the audit store takes records, no upstream is down, no shutdown is
 * under way. Neither says more than that: they are open to anybody.
 */
export function createHealth(isReady: () => boolean): Health {
  return {
    owns: (path) => path === '/healthz' || path === '/readyz',
    answer(path, response) {
      const good = path === '/healthz' || isReady();
      response.writeHead(good ? 200 : 503, {
        'content-type': 'application/json',
        'cache-control': 'no-store',
      });
      response.end(good ? '{"status":"ok"}' : '{"status":"not_ready"}');
    },
  };
}
