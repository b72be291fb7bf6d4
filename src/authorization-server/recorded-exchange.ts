import { AsyncLocalStorage } from 'node:async_hooks';
import type { ServerResponse } from 'node:http';

/** Whether an event tells of the request that is being answered. */
interface Exchange {
  isRecorded: boolean;
}

const exchanges = new AsyncLocalStorage<Exchange>();

/** Called with each event, whichever request it is of. */
export function noteRecorded(): void {
  const exchange = exchanges.getStore();
  if (exchange) exchange.isRecorded = true;
}

/**
 * Answers a request, and has it recorded when it is refused without an event that says so: no way out of here, of ours or of
 * oidc-provider, has to be known for that. `unrecorded` is called before the answer leaves.
 */
export function withRecord(
  response: ServerResponse,
  unrecorded: () => void,
  answer: () => Promise<void>,
): Promise<void> {
  const exchange: Exchange = { isRecorded: false };
  const end = response.end.bind(response) as (...parameters: unknown[]) => ServerResponse;
  response.end = (...parameters: unknown[]) => {
    if (response.statusCode >= 400 && !exchange.isRecorded) unrecorded();
    return end(...parameters);
  };
  return exchanges.run(exchange, answer);
}
