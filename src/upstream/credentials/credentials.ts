import type { Secret } from '../../base/index.ts';
import type { Principal } from '../../identity/index.ts';

/** What people are connected with at the upstreams' own providers. */
export interface UpstreamCredentials {
  /**
   * The token to send for a caller. Never rejects: whatever goes wrong is an answer without a token.
   * @param own what the caller came with; null unless the configuration says that its issuer exchanges it
   */
  find(server: string, principal: Principal, own?: Secret | null): Promise<CredentialAnswer>;
  /** The upstream answered 401 to `token`: it is not sent again. */
  refused(server: string, principal: Principal, token: Secret): NotConnected;
}

export interface NotConnected {
  readonly state: 'not_connected';
  /** For the caller: one sentence, with the link where the person connects if there is one. */
  readonly message: string;
  /** For log and record. */
  readonly detail: string;
}

export type CredentialAnswer =
  | { readonly state: 'connected'; readonly token: Secret }
  | NotConnected
  /** There is a connection, and its provider cannot be asked now. */
  | { readonly state: 'unavailable'; readonly detail: string };

/** Upstreams outlive a reload, and what knows the credentials does not: the latest is asked. */
export interface CredentialsSwitch extends UpstreamCredentials {
  use(current: UpstreamCredentials | null): void;
}

const nobody: NotConnected = {
  state: 'not_connected',
  message: 'Nobody can be connected to this server',
  detail: 'no embedded authorization server keeps connections',
};

export function createCredentialsSwitch(): CredentialsSwitch {
  let current: UpstreamCredentials | null = null;
  return {
    use(next) {
      current = next;
    },
    find: (server, principal, own) => current?.find(server, principal, own) ?? Promise.resolve(nobody),
    refused: (server, principal, token) => current?.refused(server, principal, token) ?? nobody,
  };
}
