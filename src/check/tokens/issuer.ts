import * as oauth from 'oauth4webapi';
import { OperationError } from '../../base/index.ts';
import type { CheckContext } from '../context.ts';
import { discover } from '../discovery/discovery.ts';
import { stringsOf } from '../exchange.ts';
import { fetchThrough } from './bridge.ts';

/** The authorization server that the target names, read and checked by the library. */
export interface Issuer {
  readonly server: oauth.AuthorizationServer;
  /** What to ask for: the challenge’s scopes, else the metadata’s. */
  readonly scope: string;
  /** For the library’s requests. */
  readonly options: {
    readonly [oauth.customFetch]: (
      url: string,
      options: oauth.CustomFetchOptions<string, unknown>,
    ) => Promise<Response>;
    readonly [oauth.allowInsecureRequests]: boolean;
  };
}

/** @throws OperationError where there is none, or its metadata is not its own */
export async function issuerOf(context: CheckContext): Promise<Issuer> {
  const { servers, challenge, resource } = await context.once(discover);
  const found = servers.find(({ metadata }) => metadata !== null);
  const document = found?.metadata?.document;
  if (found === undefined || !document)
    throw new OperationError('the server names no authorization server that answers', {
      hint: 'run the check without a token first: rows A03 to A07 say why',
    });
  if (document['issuer'] !== found.issuer)
    throw new OperationError('the authorization server’s metadata is that of another issuer', {
      hint: 'see row A07',
    });
  const scope =
    challenge?.parameters.get('scope') ?? stringsOf(resource?.document?.['scopes_supported']).join(' ');
  return {
    server: document as unknown as oauth.AuthorizationServer,
    scope,
    options: {
      [oauth.customFetch]: fetchThrough(context.door),
      [oauth.allowInsecureRequests]: context.isPrivate,
    },
  };
}
