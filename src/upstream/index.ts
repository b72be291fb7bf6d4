export {
  type AssertedCall,
  type AssertionSigner,
  assertionKeysPath,
  assertionType,
  createAssertionSigner,
} from './assertion.ts';
export { type Catalog, createCatalog } from './catalog.ts';
export {
  type CredentialAnswer,
  type CredentialsSwitch,
  createCredentialsSwitch,
  createExchange,
  createVault,
  type NotConnected,
  type UpstreamCredentials,
  type Vault,
} from './credentials/index.ts';
export { createHttpUpstream } from './http.ts';
export { gatewayInfo } from './stdio/handshake.ts';
export { createStdioUpstream } from './stdio.ts';
export { toolFacts } from './tool-facts.ts';
export { readToolList } from './tool-list.ts';
export type {
  AnswerHead,
  AnswerSink,
  Exchange,
  Upstream,
  UpstreamFailure,
  UpstreamRequest,
  UpstreamState,
} from './upstream.ts';
