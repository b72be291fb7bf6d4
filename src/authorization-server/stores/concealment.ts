import type { AdapterPayload } from 'oidc-provider';
import { randomToken, sha256Hex } from '../../base/index.ts';

/** Their id is a secret that was handed out (token, code, cookie, request_uri): only its hash is stored. */
const hashedKinds = new Set([
  'AccessToken',
  'AuthorizationCode',
  'Interaction',
  'PushedAuthorizationRequest',
  'RefreshToken',
  'RegistrationAccessToken',
  'Session',
]);

const hashPrefix = 'sha256:';
/** Stands for an interaction's id in the URL that it returns to. */
const idPlace = '{id}';

/** Keeps what was handed out from standing readable in the store: whoever steals the file has nothing to present. */
export interface Concealment {
  /** The stored key of a record. */
  key(kind: string, id: string): string;
  /** A record as it is stored. */
  conceal(kind: string, id: string, payload: AdapterPayload): AdapterPayload;
  /** A stored record as oidc-provider gets it back. */
  reveal(kind: string, id: string, payload: AdapterPayload): AdapterPayload;
  /**
   * An id for a record that was found by its hash alone. It opens the record in this process, and says nothing to
   * anybody who read the store.
   */
  handle(kind: string, storedId: string): string;
}

export function createConcealment(): Concealment {
  const handlePrefix = `${randomToken()}:`;
  const handleOf = (hash: string) => handlePrefix + hash;
  const hash = (id: string) => (id.startsWith(handlePrefix) ? id.slice(handlePrefix.length) : sha256Hex(id));
  return {
    key: (kind, id) => (hashedKinds.has(kind) ? hash(id) : id),
    conceal(kind, id, payload) {
      const stored = hashedKinds.has(kind) ? withoutId(payload) : { ...payload };
      if (kind === 'Client' && typeof stored['client_secret'] === 'string') {
        stored['client_secret'] = hashPrefix + sha256Hex(stored['client_secret']);
      }
      return kind === 'Interaction' ? concealInteraction(id, stored, hash) : stored;
    },
    reveal(kind, id, payload) {
      if (kind === 'Client') return payload;
      const revealed: AdapterPayload = { ...payload, jti: id };
      if (kind === 'Interaction' && revealed.returnTo) {
        revealed.returnTo = revealed.returnTo.replace(idPlace, () => id);
      }
      if (typeof revealed['parJti'] === 'string') revealed['parJti'] = handleOf(revealed['parJti']);
      return revealed;
    },
    handle: (kind, storedId) => (hashedKinds.has(kind) ? handleOf(storedId) : storedId),
  };
}

function withoutId({ jti: _secret, ...payload }: AdapterPayload): AdapterPayload {
  return payload;
}

/** An interaction repeats its own id, and names the session and the pushed request that it belongs to. */
function concealInteraction(
  id: string,
  { session, ...payload }: AdapterPayload,
  hash: (id: string) => string,
): AdapterPayload {
  const { cookie: _session, ...kept } = (session ?? {}) as Record<string, unknown>;
  return {
    ...payload,
    ...(session !== undefined && { session: kept as typeof session }),
    ...(payload.returnTo && { returnTo: payload.returnTo.replace(id, () => idPlace) }),
    ...(typeof payload['parJti'] === 'string' && { parJti: hash(payload['parJti']) }),
  };
}

/** Whether `presented` is the secret of a client. @param presented attacker-controlled */
export function isStoredSecret(
  stored: string,
  presented: string,
  equal: (a: string, b: string) => boolean,
): boolean {
  // A secret that does not come from the store is in the configuration.
  const expected = stored.startsWith(hashPrefix) ? stored : hashPrefix + sha256Hex(stored);
  return equal(expected, hashPrefix + sha256Hex(presented));
}
