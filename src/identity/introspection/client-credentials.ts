import { createPrivateKey, type KeyObject } from 'node:crypto';
import * as oauth from 'oauth4webapi';
import { readJson, type Secret } from '../../base/index.ts';

/** How we prove ourselves at an endpoint of an issuer. One of the two. */
export interface ClientCredentials {
  readonly clientSecret: Secret | null;
  /** A private key, as PEM or as JWK. */
  readonly privateKey: Secret | null;
}

/** Signature algorithms by what `KeyObject` calls the kind of key; EC by its curve. */
const algorithms: Readonly<Record<string, { alg: string; params: Parameters<KeyObject['toCryptoKey']>[0] }>> =
  {
    rsa: { alg: 'RS256', params: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } },
    prime256v1: { alg: 'ES256', params: { name: 'ECDSA', namedCurve: 'P-256' } },
    secp384r1: { alg: 'ES384', params: { name: 'ECDSA', namedCurve: 'P-384' } },
    ed25519: { alg: 'Ed25519', params: { name: 'Ed25519' } },
  };

/**
 * In the header unless the issuer says that it reads the body alone; by a signed assertion (RFC 7523) where there is a key.
 *
 * @throws when the key is none, or of a kind that nobody signs with
 */
export function clientAuthentication(
  { clientSecret, privateKey }: ClientCredentials,
  endpoint: 'token' | 'introspection' = 'introspection',
): oauth.ClientAuth {
  if (privateKey !== null) return oauth.PrivateKeyJwt(signingKey(privateKey.reveal()));
  if (clientSecret === null) throw new Error(`no credentials for ${endpoint}`);
  const basic = oauth.ClientSecretBasic(clientSecret.reveal());
  const post = oauth.ClientSecretPost(clientSecret.reveal());
  return (as, ...rest) => {
    const methods = as[`${endpoint}_endpoint_auth_methods_supported`];
    const inBody = methods?.includes('client_secret_post') && !methods.includes('client_secret_basic');
    return (inBody ? post : basic)(as, ...rest);
  };
}

function signingKey(text: string): oauth.PrivateKey {
  const jwk = text.trimStart().startsWith('{') ? (readJson(text) as Record<string, unknown>) : null;
  const key = jwk ? createPrivateKey({ key: jwk, format: 'jwk' }) : createPrivateKey(text);
  const kind = key.asymmetricKeyDetails?.namedCurve ?? key.asymmetricKeyType ?? '';
  const algorithm = algorithms[kind];
  if (!algorithm) throw new Error(`a ${kind} key signs nothing here`);
  const kid = typeof jwk?.['kid'] === 'string' ? { kid: jwk['kid'] } : {};
  return { key: key.toCryptoKey(algorithm.params, false, ['sign']), ...kid };
}
