import type { IncomingMessage, ServerResponse } from 'node:http';
import type Provider from 'oidc-provider';
import { endJson, endMethodNotAllowed } from './answers.ts';
import type { RegistrationGate } from './clients/index.ts';
import { connectPath } from './connections/index.ts';
import { allowAnyOrigin, answerPreflight } from './cors.ts';
import type { Addresses, Audit, AuthorizationEvent } from './events.ts';
import { callbackPath } from './identity-provider/index.ts';
import { innerRequest } from './inner-request.ts';
import { endpoints } from './metadata.ts';
import { issuerPath } from './options.ts';
import { endErrorPage, endPasskeyScript, passkeyScriptPath } from './pages/index.ts';
import { readBody } from './request-body.ts';
import {
  authorizationParameters,
  type ParameterRules,
  pushedParameters,
  tokenParameters,
} from './request-parameters.ts';

export type Handler = (req: IncomingMessage, res: ServerResponse, address: string) => Promise<void> | void;

export interface RouteParts {
  readonly publicUrl: string;
  readonly provider: () => Provider;
  readonly addresses: Addresses;
  readonly rules: ParameterRules;
  readonly metadata: Record<string, unknown>;
  readonly metadataPaths: ReadonlySet<string>;
  readonly jwks: () => object;
  /** Null: registration is switched off. */
  readonly registrationGate: RegistrationGate | null;
  readonly interactions: Handler;
  readonly account: Handler;
  /** Where people connect accounts at upstreams; null where no server asks for it. */
  readonly connect: Handler | null;
  readonly setup: Handler;
  /** Where the identity provider sends the browser back to; null where there is none. */
  readonly signInCallback: Handler | null;
  readonly audit: Audit;
}

const maximumFormBytes = 32 * 1024;

/** True if the path is the authorization server's. */
export function ownsPath(path: string, metadataPaths: ReadonlySet<string>): boolean {
  return (
    metadataPaths.has(path) ||
    ['/oauth', '/setup', '/account', connectPath].some((own) => path === own || path.startsWith(`${own}/`))
  );
}

/** Every path of the authorization server, and who answers. */
export function createRoutes(parts: RouteParts): Handler {
  const exact: Record<string, Handler> = {
    [issuerPath + endpoints.jwks]: (req, res) => endDocument(req, res, parts.jwks()),
    [issuerPath + endpoints.authorization]: (req, res, address) => authorize(parts, { req, res, address }),
    [issuerPath + endpoints.token]: (req, res, address) => post(parts, { req, res, address }),
    [issuerPath + endpoints.revocation]: (req, res, address) => post(parts, { req, res, address }),
    [issuerPath + endpoints.introspection]: (req, res, address) => post(parts, { req, res, address }),
    [issuerPath + endpoints.pushed_authorization_request]: (req, res, address) =>
      push(parts, { req, res, address }),
    [issuerPath + endpoints.registration]: (req, res, address) => register(parts, { req, res, address }),
    '/setup': parts.setup,
    [passkeyScriptPath]: (req, res) => script(req, res),
    ...(parts.signInCallback !== null && { [issuerPath + callbackPath]: parts.signInCallback }),
  };
  return (req, res, address) => {
    const [path = ''] = (req.url ?? '').split('?');
    if (parts.metadataPaths.has(path)) return endDocument(req, res, parts.metadata);
    const handler = Object.hasOwn(exact, path) ? exact[path] : undefined;
    if (handler !== undefined) return handler(req, res, address);
    if (path.startsWith(`${issuerPath}/interaction/`)) return parts.interactions(req, res, address);
    if (path === '/account' || path.startsWith('/account/')) return parts.account(req, res, address);
    if (path.startsWith(`${connectPath}/`) && parts.connect !== null) return parts.connect(req, res, address);
    if (/^\/oauth\/authorize\/[\w-]{1,64}$/.test(path)) return resume(parts, { req, res, address });
    endErrorPage(res, 404, 'There is no such page.');
  };
}

function script(req: IncomingMessage, res: ServerResponse): void {
  if (req.method === 'GET' || req.method === 'HEAD') endPasskeyScript(req, res);
  else endMethodNotAllowed(res, 'GET, HEAD');
}

interface Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly address: string;
}

function endDocument(req: IncomingMessage, res: ServerResponse, document: object): void {
  allowAnyOrigin(res);
  if (answerPreflight(req, res, 'GET, HEAD')) return;
  if (req.method !== 'GET' && req.method !== 'HEAD') {
    endMethodNotAllowed(res, 'GET, HEAD, OPTIONS');
    return;
  }
  const text = JSON.stringify(document);
  res.writeHead(200, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'public, max-age=300',
  });
  res.end(req.method === 'HEAD' ? undefined : text);
}

async function authorize(parts: RouteParts, exchange: Exchange): Promise<void> {
  if (exchange.req.method !== 'GET') return endMethodNotAllowed(exchange.res, 'GET');
  const [, query = ''] = (exchange.req.url ?? '').split('?', 2);
  const parameters = authorizationParameters(new URLSearchParams(query), parts.rules);
  await hand(parts, exchange, { target: `${endpoints.authorization}?${parameters}`, body: null });
}

/** The way back from our pages to oidc-provider. */
async function resume(parts: RouteParts, exchange: Exchange): Promise<void> {
  if (exchange.req.method !== 'GET') return endMethodNotAllowed(exchange.res, 'GET');
  const [path = ''] = (exchange.req.url ?? '').split('?');
  await hand(parts, exchange, { target: path.slice(issuerPath.length), body: null });
}

/** Token, revocation and introspection endpoint. */
function post(parts: RouteParts, exchange: Exchange): Promise<void> {
  return form(parts, exchange, (given) => tokenParameters(given, parts.rules));
}

/** RFC 9126: the parameters of an authorization request, under the same rules as in a query. */
function push(parts: RouteParts, exchange: Exchange): Promise<void> {
  return form(parts, exchange, (given) => pushedParameters(given, parts.rules));
}

const refusedEvents: Readonly<Record<string, AuthorizationEvent>> = {
  [issuerPath + endpoints.revocation]: 'revocation.refused',
  [issuerPath + endpoints.introspection]: 'introspection.refused',
  [issuerPath + endpoints.pushed_authorization_request]: 'pushed_request.refused',
};

/** A form from a client of any origin. */
async function form(
  parts: RouteParts,
  exchange: Exchange,
  rules: (given: URLSearchParams) => URLSearchParams | null,
): Promise<void> {
  const { req, res, address } = exchange;
  allowAnyOrigin(res);
  if (answerPreflight(req, res, 'POST')) return;
  if (req.method !== 'POST') return endMethodNotAllowed(res, 'POST, OPTIONS');
  const [path = ''] = (req.url ?? '').split('?');
  const refused = (detail: string) =>
    parts.audit(refusedEvents[path] ?? 'token.refused', {
      address,
      data: { reason: 'invalid_request', detail },
    });
  const body = await readBody(req, maximumFormBytes);
  if (body === null) {
    refused('too large');
    return endJson(res, 413, { error: 'invalid_request', error_description: 'the request is too large' });
  }
  const parameters = rules(new URLSearchParams(body.toString('utf8')));
  if (parameters === null) {
    refused('client_id is missing');
    return endJson(res, 400, { error: 'invalid_request' });
  }
  await hand(parts, exchange, { target: path.slice(issuerPath.length), body: Buffer.from(`${parameters}`) });
}

async function register(parts: RouteParts, exchange: Exchange): Promise<void> {
  const { req, res, address } = exchange;
  if (parts.registrationGate === null) return endErrorPage(res, 404, 'Registration is switched off.');
  allowAnyOrigin(res);
  if (answerPreflight(req, res, 'POST')) return;
  if (req.method !== 'POST') return endMethodNotAllowed(res, 'POST, OPTIONS');
  const body = await parts.registrationGate(req, res, address);
  if (body === null) return;
  await hand(parts, exchange, { target: endpoints.registration, body });
}

async function hand(
  parts: RouteParts,
  { req, res, address }: Exchange,
  { target, body }: { target: string; body: Buffer | null },
): Promise<void> {
  const inner = innerRequest(req, { publicUrl: new URL(parts.publicUrl), target, body });
  // Errors of endpoints that programs call are JSON, whatever a browser's extension says it accepts.
  if (body !== null) inner.headers.accept = 'application/json';
  parts.addresses.set(inner, address);
  await parts.provider().callback()(inner, res);
}
