import { isIP } from 'node:net';
import { z } from 'zod';
import { parseDuration, parseKeep, parseRate, parseRates } from './units.ts';

/** Null when the text is fine; else what is wrong with it and what to write. Never contains the text itself. */
export type Verdict = null | { readonly message: string; readonly hint?: string };

/**
 * A string that passes `check`. The hint travels in the issue's `params`; what is no string at all (`limit: 60`) is told
 * what an empty one would be told, message and hint on two lines.
 */
function text(check: (value: string) => Verdict) {
  const { message, hint } = check('') ?? { message: 'must be a text' };
  const error = hint ? `${message}\n${hint}` : message;
  return z
    .string({ error: ({ input }) => (input === undefined ? undefined : error) })
    .superRefine((value, context) => {
      const verdict = check(value);
      if (verdict)
        context.addIssue({ code: 'custom', message: verdict.message, params: { hint: verdict.hint } });
    });
}

const matching = (pattern: RegExp, verdict: Exclude<Verdict, null>) =>
  text((value) => (pattern.test(value) ? null : verdict));

export const rate = text((value) =>
  parseRate(value)
    ? null
    : { message: 'is no rate', hint: 'write one such as 600/min, 5/s, 1000/h or 60/min burst 10' },
).meta({ description: 'Calls per time, such as 600/min or 60/min burst 10.' });

export const rates = text((value) =>
  parseRates(value)
    ? null
    : {
        message: 'is no rate',
        hint: 'write one such as 600/min, 5/s, 60/min burst 10 or 600/min and 10000/day',
      },
).meta({ description: 'Calls per time, such as 600/min, 60/min burst 10, or 600/min and 10000/day.' });

export const ratesOrNone = z.union([z.literal('none'), rates]);

export const duration = text((value) => {
  const ms = parseDuration(value);
  if (ms === null) return { message: 'is no duration', hint: 'write one such as 60s, 15m, 2h or 90d' };
  return ms > 3_600_000 ? { message: 'must be at most 1h' } : null;
}).meta({ description: 'A time such as 60s or 15m.' });

export const rotationAge = text((value) => {
  const ms = parseDuration(value);
  if (ms === null) return { message: 'is no duration', hint: 'write one such as 1h, 1d or 7d' };
  return ms < 60_000 ? { message: 'must be at least 1m' } : null;
}).meta({ description: 'A time such as 1h or 1d.' });

export const keep = text((value) =>
  parseKeep(value) === null ? { message: 'is no period', hint: 'write one such as 90d, 400d or 6y' } : null,
).meta({ description: 'A time such as 400d or 6y; a day at least.' });

/** RFC 6749 section 3.3: one scope-token. */
export const scope = matching(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/, {
  message: 'is no scope',
  hint: 'write one word such as mcp:tools:read',
});

export const serverName = matching(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, {
  message: 'is no server name',
  hint: 'use lower-case letters, digits and hyphens, such as notes or team-tickets',
});

export const environmentName = matching(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, {
  message: 'is no name of an environment variable',
  hint: 'write a name such as NOTES_KEY',
});

const managedHeaders =
  /^(?:host|connection|content-length|content-type|content-encoding|transfer-encoding|accept|te|trailer|upgrade|keep-alive|expect|origin|cookie|proxy-.*|mcp-.*|x-forwarded-.*|forwarded|x-request-id)$/i;

export const headerName = text((value) => {
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/.test(value)) {
    return { message: 'is no header name', hint: 'write a name such as x-api-key' };
  }
  return managedHeaders.test(value)
    ? { message: 'is a header that the gateway sets itself', hint: 'remove it' }
    : null;
});

/** Of requests that we make ourselves: authorization is the usual one. */
export const copyHeaderName = text((value) => {
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/.test(value)) {
    return { message: 'is no header name', hint: 'write a name such as authorization' };
  }
  return managedHeaders.test(value) || /^webhook-/i.test(value)
    ? { message: 'is a header that the gateway sets itself', hint: 'remove it' }
    : null;
});

/** W3C Baggage, section 3.2.1. */
export const baggageKey = matching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/, {
  message: 'is no key of baggage',
  hint: 'write a word such as tenant',
});

/** Of the signed assertion: never one that carries a credential or that the gateway sets for another purpose. */
export const assertionHeader = text((value) => {
  if (
    !/^[A-Za-z0-9-]{1,64}$/.test(value) ||
    managedHeaders.test(value) ||
    /^(?:authorization|cookie)$/i.test(value)
  ) {
    return { message: 'is no name for the assertion', hint: 'write a name such as x-portcullis-assertion' };
  }
  return null;
});

const reservedPaths = [
  '/oauth',
  '/.well-known',
  '/healthz',
  '/readyz',
  '/setup',
  '/account',
  '/connect',
  '/console',
];

/** Canonical, so that the path that is typed, routed, signed and compared is one and the same. */
export const serverPath = text((value) => {
  if (!/^(?:\/[A-Za-z0-9._~-]+)+$/.test(value) || value.length > 256) {
    return {
      message: 'is no canonical path',
      hint: 'begin with /, no %, no // and no / at the end, such as /mcp or /tickets/mcp',
    };
  }
  if (/\/\.{1,2}(?:\/|$)/.test(value))
    return { message: 'has a dot segment', hint: 'write the path without . and ..' };
  const reserved = reservedPaths.find((path) => value === path || value.startsWith(`${path}/`));
  return reserved
    ? {
        message: `lies below ${reserved}, which the gateway uses itself`,
        hint: 'choose another, such as /mcp',
      }
    : null;
});

export const publicUrl = text((value) => {
  const url = parseHttpUrl(value);
  if (!url)
    return {
      message: 'is no URL',
      hint: 'write the origin that clients type, such as https://mcp.example.com',
    };
  if (url.username || url.password)
    return { message: 'has a user or password in it', hint: `write ${url.origin}` };
  if (url.pathname !== '/' || url.search || url.hash || /[?#]/.test(value)) {
    return {
      message: 'must be an origin alone',
      hint: `write ${url.origin}; a server's path goes to servers.NAME.path`,
    };
  }
  if (value !== url.origin && value !== `${url.origin}/`) {
    return { message: 'is not in its canonical form', hint: `write ${url.origin}` };
  }
  return requireHttps(url);
}).meta({ description: 'The origin that clients type. https, unless its host is loopback.' });

/** For issuers and key sets: what decides whom to believe must not travel in the clear. */
export const trustedUrl = text((value) => {
  const url = parseHttpUrl(value);
  if (!url) return { message: 'is no URL', hint: 'write one such as https://idp.example.com' };
  if (url.username || url.password) return { message: 'has a user or password in it' };
  if (url.search || url.hash || /[?#]/.test(value)) return { message: 'must have no query and no fragment' };
  return requireHttps(url);
});

export const upstreamUrl = text((value) => {
  const url = parseHttpUrl(value);
  if (!url) return { message: 'is no URL', hint: 'write one such as http://127.0.0.1:3000/mcp' };
  return url.hash || value.includes('#') ? { message: 'must have no fragment' } : null;
});

export const webOrigin = text((value) => {
  const url = parseHttpUrl(value);
  return url && url.origin === value
    ? null
    : { message: 'is no origin', hint: 'write one such as https://app.example.com' };
});

const asymmetric = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];

/** RFC 8725 section 3.1: an allow-list; `none` and shared-secret algorithms would let a caller sign its own token. */
export const algorithm = text((value) =>
  asymmetric.includes(value)
    ? null
    : { message: 'is no asymmetric signature algorithm', hint: `choose from ${asymmetric.join(', ')}` },
);

export const network = text((value) => {
  const [address = '', prefix, ...more] = value.split('/');
  const version = isIP(address);
  const bits = prefix === undefined ? (version === 4 ? 32 : 128) : Number(prefix);
  const valid = version > 0 && more.length === 0 && (prefix === undefined || /^\d{1,3}$/.test(prefix));
  if (!valid || bits > (version === 4 ? 32 : 128)) {
    return { message: 'is no address block', hint: 'write CIDR such as 10.0.0.0/8 or fd00::/8' };
  }
  return bits === 0
    ? {
        message: 'would believe everybody',
        hint: 'name the addresses of your proxies alone, such as 10.0.0.5/32',
      }
    : null;
});

/** A bare address is one host. */
export function withPrefix(block: string): string {
  return block.includes('/') ? block : `${block}/${isIP(block) === 4 ? 32 : 128}`;
}

/** 127.0.0.0/8, ::1 and localhost, with or without brackets. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '').toLowerCase();
  return bare === 'localhost' || bare === '::1' || (isIP(bare) === 4 && bare.startsWith('127.'));
}

function requireHttps(url: URL): Verdict {
  return url.protocol === 'https:' || isLoopback(url.hostname)
    ? null
    : {
        message: 'is plain http on a host that is not loopback: tokens would travel in the clear',
        hint: `write https://${url.host}`,
      };
}

function parseHttpUrl(value: string): URL | null {
  const url = URL.canParse(value) && value.length <= 2048 && !/[\s\\]/.test(value) ? new URL(value) : null;
  return url && (url.protocol === 'http:' || url.protocol === 'https:') && /^https?:\/\//i.test(value)
    ? url
    : null;
}
