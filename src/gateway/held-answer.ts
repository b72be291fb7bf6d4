import type { ServerResponse } from 'node:http';

/**
 * Keeps an answer back until what was put on record while it was made is on disk: whoever has a token, or knows that a guess was
 * wrong, cannot make it undone by a crash. For answers that are written whole, by `end` alone.
 * @param settled must not reject
 */
export function endOnceSettled(response: ServerResponse, settled: () => Promise<void>): void {
  const end = response.end.bind(response) as (...parameters: unknown[]) => ServerResponse;
  response.end = (...parameters: unknown[]) => {
    void settled().then(() => end(...parameters));
    return response;
  };
}
