import type { Door } from '../door.ts';

/** The door as the `fetch` that an OAuth library wants: bounded, guarded, without redirects. */
export function fetchThrough(door: Door) {
  return async (
    url: string,
    options: { method: string; headers: Record<string, string>; body?: unknown },
  ): Promise<Response> => {
    const body = options.body === undefined || options.body === null ? undefined : String(options.body);
    const exchange = await door.ask({
      url,
      method: options.method,
      headers: Object.entries(options.headers).filter(([name]) => name.toLowerCase() !== 'user-agent'),
      toIssuer: true,
      ...(body !== undefined && { body }),
    });
    if (exchange.status === 0) throw new Error(exchange.failure ?? 'no answer');
    const headers = new Headers();
    for (const [name, value] of exchange.headers) {
      if (!/^(set-cookie|content-length|content-encoding|transfer-encoding)$/i.test(name))
        headers.append(name, value);
    }
    const empty = [101, 204, 205, 304].includes(exchange.status);
    return new Response(empty ? null : exchange.body, { status: exchange.status, headers });
  };
}
