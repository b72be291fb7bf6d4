import { isIP } from 'node:net';
import { type ConnectionOptions, connect } from 'node:tls';
import { isPublicAddress } from './address.ts';
import { OutboundError } from './error.ts';
import { lookupFor } from './lookup.ts';

/** What a handshake shows. Nothing is sent over the connection. */
export interface TlsFacts {
  /** `TLSv1.3` */
  readonly protocol: string;
  /** Why the certificate is not trusted for this name, such as `CERT_HAS_EXPIRED`; null when it is. */
  readonly untrusted: string | null;
  /** As the certificate writes it. */
  readonly validTo: string | null;
}

export interface TlsWanted {
  readonly url: URL;
  readonly reach: 'any' | 'public';
  readonly timeoutMs: number;
  /** See `ProbeRequest`. */
  readonly addresses?: readonly string[];
  /** Offers nothing newer: whether an old one is still taken. */
  readonly maxVersion?: 'TLSv1.1' | 'TLSv1.2';
}

/** @throws OutboundError when there is no handshake */
export function inspectTls({ url, reach, timeoutMs, maxVersion, addresses }: TlsWanted): Promise<TlsFacts> {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (reach === 'public' && isIP(host) !== 0 && !isPublicAddress(host))
    return Promise.reject(new OutboundError(`${url.host} is not a public address`));
  const options: ConnectionOptions = {
    host,
    port: url.port === '' ? 443 : Number(url.port),
    // The facts are the purpose: nothing secret ever goes over this connection.
    rejectUnauthorized: false,
    ...(isIP(host) === 0 && { servername: host }),
    ...(maxVersion && { minVersion: 'TLSv1' as const, maxVersion, ciphers: 'DEFAULT:@SECLEVEL=0' }),
    ...lookupFor(reach, addresses),
  };
  return new Promise((resolve, reject) => {
    const socket = connect(options);
    const timer = setTimeout(() => socket.destroy(new OutboundError('no handshake in time')), timeoutMs);
    socket.once('secureConnect', () => {
      clearTimeout(timer);
      const { authorized, authorizationError } = socket;
      resolve({
        protocol: socket.getProtocol() ?? 'unknown',
        untrusted: authorized ? null : String(authorizationError),
        validTo: socket.getPeerCertificate().valid_to ?? null,
      });
      socket.destroy();
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      reject(new OutboundError(`${url.host}: ${error.code ?? error.message}`));
    });
  });
}
