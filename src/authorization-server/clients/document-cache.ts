import type { Clock } from '../../base/index.ts';

const rememberedMs = 60_000;
const maximumRemembered = 200;
const fetchesPerMinute = 120;

interface Remembered {
  readonly at: number;
  readonly answer: Promise<Answer>;
}

/** Read whole: a body that one reader gives up would keep the other waiting. */
interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: ArrayBuffer | null;
}

/**
 * What clients publish, asked for once a minute at most. oidc-provider makes a client anew for each request that its
 * metadata document stands for, and with it fetches the key set again: without this, whoever publishes a document that
 * names another host's URL could have us ask that host as often as they like. Failures are remembered too; concurrent
 * requests for one URL are one.
 */
export function rememberingFetch(fetchDocument: typeof fetch, clock: Clock): typeof fetch {
  const remembered = new Map<string, Remembered>();
  let window = { startedAt: clock.monotonic(), fetches: 0 };
  return async (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    const now = clock.monotonic();
    const known = remembered.get(url);
    if (known !== undefined && now - known.at < rememberedMs) return responseOf(await known.answer);
    if (now - window.startedAt >= rememberedMs) window = { startedAt: now, fetches: 0 };
    window.fetches += 1;
    if (window.fetches > fetchesPerMinute) throw new Error('too many documents of clients are asked for');
    const answer = readWhole(fetchDocument(input, init));
    // Waited for below; a failure that nobody else waits for is no unhandled one.
    answer.catch(() => {});
    remembered.delete(url);
    remembered.set(url, { at: now, answer });
    const [oldest] = remembered.keys();
    if (remembered.size > maximumRemembered && oldest !== undefined) remembered.delete(oldest);
    return responseOf(await answer);
  };
}

async function readWhole(fetching: Promise<Response>): Promise<Answer> {
  const response = await fetching;
  const body = await response.arrayBuffer();
  return {
    status: response.status,
    headers: response.headers,
    body: body.byteLength === 0 ? null : body,
  };
}

function responseOf({ status, headers, body }: Answer): Response {
  return new Response(body, { status, headers });
}
