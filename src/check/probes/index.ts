import type { Probe } from '../probe.ts';
import { openEndpoint } from './a01-open-endpoint.ts';
import { aliases } from './a02-aliases.ts';
import { challenge } from './a03-challenge.ts';
import { challengeScope } from './a04-challenge-scope.ts';
import { resourceMetadata } from './a05-resource-metadata.ts';
import { resourceIdentifier } from './a06-resource.ts';
import { issuer } from './a07-issuer.ts';
import { pkce } from './a08-pkce.ts';
import { registration } from './a09-registration.ts';
import { serverMetadataContent } from './a10-server-metadata.ts';
import { advertisedScopes } from './a11-scopes.ts';
import { internalHeaders } from './a16-internal-headers.ts';
import { origin } from './h01-origin.ts';
import { host } from './h02-host.ts';
import { mirroredHeaders } from './h03-mirrored-headers.ts';
import { ambiguousJson } from './h04-ambiguous-json.ts';
import { tls } from './h05-tls.ts';
import { cors } from './h06-cors.ts';
import { garbage } from './t01-garbage.ts';
import { unsignedToken } from './t02-unsigned.ts';
import { foreignKey } from './t03-own-key.ts';
import { publicKeyAsSecret } from './t04-public-key-as-secret.ts';

/** In the order they run: what reads comes first, what loads last. */
export const probes: readonly Probe[] = [
  openEndpoint,
  aliases,
  challenge,
  challengeScope,
  resourceMetadata,
  resourceIdentifier,
  issuer,
  pkce,
  registration,
  serverMetadataContent,
  advertisedScopes,
  internalHeaders,
  origin,
  host,
  mirroredHeaders,
  ambiguousJson,
  tls,
  cors,
  garbage,
  unsignedToken,
  foreignKey,
  publicKeyAsSecret,
];
