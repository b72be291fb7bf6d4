import * as oauth from 'oauth4webapi';
import { OperationError } from '../../base/index.ts';
import type { CheckContext } from '../context.ts';
import { discover, serverOf } from '../discovery/discovery.ts';
import { stringsOf } from '../exchange.ts';
import { fetchThrough } from './bridge.ts';

/** The authorization server that the target names, read and checked by the library. */
export interface Issuer {
  readonly server: oauth.AuthorizationServer;
  /** By the person, not by the target. */
  readonly isNamed: boolean;
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

/**
 * @param wanted the issuer that the person names; null: whichever the target names, which is the target's word
 * @throws OperationError where there is none, or its metadata is not its own
 */
export async function issuerOf(context: CheckContext, wanted: string | null): Promise<Issuer> {
  const { servers, challenge, resource } = await context.once(discover);
  const candidates = wanted === null ? servers : [await serverOf(context, wanted)];
  const found = candidates.find(({ metadata }) => metadata !== null);
  const document = found?.metadata?.document;
  if (found === undefined || !document)
    throw new OperationError(
      wanted === null ? 'the server names no authorization server that answers' : '--issuer has no metadata',
      {
        hint: 'run the check without a token first: rows A03 to A07 say why',
      },
    );
  if (document['issuer'] !== found.issuer)
    throw new OperationError('the authorization server’s metadata is that of another issuer', {
      hint: 'see row A07',
    });
  const scope =
    challenge?.parameters.get('scope') ?? stringsOf(resource?.document?.['scopes_supported']).join(' ');
  return {
    isNamed: wanted !== null,
    server: document as unknown as oauth.AuthorizationServer,
    scope,
    options: {
      [oauth.customFetch]: fetchThrough(context.door),
      [oauth.allowInsecureRequests]: context.isPrivate,
    },
  };
}
