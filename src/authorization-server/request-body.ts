import type { IncomingMessage } from 'node:http';

/** Reads a body of at most `maximum` bytes; null if it is larger, and then the connection is closed after the answer. */
export async function readBody(req: IncomingMessage, maximum: number): Promise<Buffer | null> {
  if (Number(req.headers['content-length'] ?? 0) > maximum) return null;
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of req.iterator({ destroyOnReturn: false })) {
    length += (chunk as Buffer).length;
    if (length > maximum) return null;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks, length);
}

/** The fields of a form as a browser sends it; null if the body is something else or too large. */
export async function readForm(req: IncomingMessage): Promise<URLSearchParams | null> {
  const type = req.headers['content-type'] ?? '';
  if (!/^application\/x-www-form-urlencoded\s*(;|$)/i.test(type)) return null;
  const body = await readBody(req, 64 * 1024);
  return body && new URLSearchParams(body.toString('utf8'));
}
