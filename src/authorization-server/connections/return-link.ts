import type { IncomingMessage, ServerResponse } from 'node:http';
import { cookieName, cookieValue } from '../cookies.ts';

const lifeSeconds = 600;

/** Brings somebody who had to sign in first back to the page that they opened. */
export interface ReturnLink {
  remember(res: ServerResponse, server: string): void;
  /** The page's URL, once; null where none was opened. */
  take(req: IncomingMessage, res: ServerResponse): string | null;
}

/**
 * A cookie with the name of a server of ours and nothing else: whoever plants one sends the browser to a page that it may open
 * anyway, and that does nothing by itself.
 */
export function createReturnLink(options: {
  readonly publicUrl: string;
  readonly isKnown: (server: string) => boolean;
  readonly link: (server: string) => string;
}): ReturnLink {
  const name = cookieName('portcullis_connect', options.publicUrl);
  const secure = options.publicUrl.startsWith('https:') ? '; Secure' : '';
  const set = (res: ServerResponse, value: string, seconds: number) =>
    res.appendHeader(
      'Set-Cookie',
      `${name}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Lax${secure}`,
    );
  return {
    remember: (res, server) => void set(res, server, lifeSeconds),
    take(req, res) {
      const server = cookieValue(req.headers.cookie, name);
      if (server === null) return null;
      set(res, '', 0);
      return options.isKnown(server) ? options.link(server) : null;
    },
  };
}
