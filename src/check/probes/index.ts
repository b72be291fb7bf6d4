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
import { pkceEnforced } from './a12-pkce-enforced.ts';
import { redirectUri } from './a13-redirect-uri.ts';
import { registrationContent } from './a14-registration-content.ts';
import { registrationLimit } from './a15-registration-limit.ts';
import { internalHeaders } from './a16-internal-headers.ts';
import { declaredSecrets } from './c01-secrets.ts';
import { declaredAudit } from './c02-audit-elsewhere.ts';
import { declaredRetention } from './c03-retention.ts';
import { declaredTls } from './c04-tls.ts';
import { declaredLimits } from './c05-organization-limit.ts';
import { declaredApprovals } from './c06-approvals.ts';
import { declaredAudience } from './c07-audience.ts';
import { schemas } from './d01-schemas.ts';
import { hints } from './d02-hints.ts';
import { poisoning } from './d03-poisoning.ts';
import { drift } from './d04-drift.ts';
import { mirroredSecrets } from './d05-mirrored-secrets.ts';
import { lethalTrio } from './d06-lethal-trio.ts';
import { securitySchemes } from './d07-security-schemes.ts';
import { held } from './e01-held.ts';
import { approvalBinding } from './e02-approval-binding.ts';
import { origin } from './h01-origin.ts';
import { host } from './h02-host.ts';
import { mirroredHeaders } from './h03-mirrored-headers.ts';
import { ambiguousJson } from './h04-ambiguous-json.ts';
import { tls } from './h05-tls.ts';
import { cors } from './h06-cors.ts';
import { sessions } from './h07-sessions.ts';
import { unknownVersion } from './h08-unknown-version.ts';
import { forbiddenPaths } from './h09-forbidden-paths.ts';
import { knownVulnerable } from './h10-known-vulnerable.ts';
import { caching } from './h11-caching.ts';
import { errorBodies } from './h12-error-bodies.ts';
import { burst } from './l01-burst.ts';
import { toolLimit } from './l02-tool-limit.ts';
import { limitSurvivesRefresh } from './l03-limit-survives-refresh.ts';
import { badTokenBurst } from './l04-bad-token-burst.ts';
import { isolation } from './l05-isolation.ts';
import { auditCompleteness } from './p01-denials-and-calls.ts';
import { canaryAbsent } from './p02-canary.ts';
import { scopeDenialLogged } from './p03-scope-denial.ts';
import { limitDenialLogged } from './p04-limit-denial.ts';
import { tamperEvidence } from './p05-tamper-evidence.ts';
import { stepUp } from './s01-step-up.ts';
import { listsDiffer } from './s02-lists-differ.ts';
import { hiddenTools } from './s03-hidden-tools.ts';
import { unknownTool } from './s04-unknown-tool.ts';
import { garbage } from './t01-garbage.ts';
import { unsignedToken } from './t02-unsigned.ts';
import { foreignKey } from './t03-own-key.ts';
import { publicKeyAsSecret } from './t04-public-key-as-secret.ts';
import { flippedSignature } from './t05-flipped-signature.ts';
import { tokenInQuery } from './t06-token-in-query.ts';
import { expiredToken } from './t07-expired.ts';
import { wrongAudience } from './t08-wrong-audience.ts';
import { goodToken } from './t09-good-token.ts';
import { ambiguousHeader } from './t10-ambiguous-header.ts';
import { revocation } from './t11-revocation.ts';
import { otherIssuer } from './t12-other-issuer.ts';
import { noAudience } from './t13-no-audience.ts';
import { multipleAudience } from './t14-multiple-audience.ts';
import { idToken } from './t15-id-token.ts';
import { siblingResource } from './t16-sibling-resource.ts';
import { notYetValid } from './t17-not-yet-valid.ts';
import { tokenMill } from './t18-mill.ts';

/** In the order they run: what reads comes first, then what loads, and what ends tokens last. */
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
  pkceEnforced,
  redirectUri,
  registrationContent,
  internalHeaders,
  garbage,
  unsignedToken,
  foreignKey,
  publicKeyAsSecret,
  flippedSignature,
  tokenInQuery,
  expiredToken,
  goodToken,
  ambiguousHeader,
  otherIssuer,
  noAudience,
  multipleAudience,
  idToken,
  siblingResource,
  notYetValid,
  tokenMill,
  stepUp,
  listsDiffer,
  hiddenTools,
  unknownTool,
  origin,
  host,
  mirroredHeaders,
  ambiguousJson,
  tls,
  cors,
  sessions,
  unknownVersion,
  forbiddenPaths,
  knownVulnerable,
  caching,
  errorBodies,
  schemas,
  hints,
  poisoning,
  drift,
  mirroredSecrets,
  lethalTrio,
  securitySchemes,
  held,
  approvalBinding,
  declaredSecrets,
  declaredAudit,
  declaredRetention,
  declaredTls,
  declaredLimits,
  declaredApprovals,
  declaredAudience,
  auditCompleteness,
  canaryAbsent,
  scopeDenialLogged,
  tamperEvidence,
  registrationLimit,
  toolLimit,
  burst,
  limitDenialLogged,
  isolation,
  limitSurvivesRefresh,
  wrongAudience,
  revocation,
  badTokenBurst,
];
