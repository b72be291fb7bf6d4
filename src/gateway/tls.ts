import { hash } from 'node:crypto';
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Server } from 'node:https';
import {
  createSecureContext,
  type SecureContext,
  type SecureContextOptions,
  TLSSocket,
  type TlsOptions,
} from 'node:tls';
import { type Log, messageOf, OperationError } from '../base/index.ts';
import type { Config } from '../config/index.ts';
import type { Listening } from './server.ts';

type TlsFiles = NonNullable<Config['tls']>;

/** Reads certificate and key, and makes sure that they belong together. */
export function readTls(files: TlsFiles): SecureContextOptions {
  try {
    const options = {
      cert: readFileSync(files.certFile),
      key: readFileSync(files.keyFile),
      minVersion: 'TLSv1.2',
      ...(files.clientCaFile !== null && { ca: readFileSync(files.clientCaFile) }),
    } as const;
    createSecureContext(options) satisfies SecureContext;
    return options;
  } catch (error) {
    throw new OperationError(`the certificate or its key cannot be used: ${messageOf(error)}`, {
      hint: `check tls.cert (${files.certFile}) and tls.key (${files.keyFile})${files.clientCaFile ? ', and tls.clientCertificates.ca' : ''}`,
    });
  }
}

/**
 * Clients are asked for a certificate, and go on without one: it is worth something only together with a token that is bound to
 * it (RFC 8705 section 3). One of another authority counts as none.
 */
export function clientCertificateOptions(
  files: TlsFiles,
): Pick<TlsOptions, 'requestCert' | 'rejectUnauthorized'> {
  return files.clientCaFile === null ? {} : { requestCert: true, rejectUnauthorized: false };
}

/** SHA-256 of the certificate that the client has proved to be its own, in base64url; null where there is none. */
export function certificateOf({ socket }: IncomingMessage): string | null {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return null;
  const { raw } = socket.getPeerCertificate() as { raw?: Buffer };
  return raw ? hash('sha256', raw, 'base64url') : null;
}

/** Takes up new files without a restart; bad ones leave the old in use. Polls, so that replaced links are seen too. */
export function watchTls(server: Listening['server'], files: TlsFiles, log: Log): () => void {
  const reload = (): void => {
    try {
      if (server instanceof Server) server.setSecureContext(readTls(files));
      log.info({ cert: files.certFile }, 'the certificate was reloaded');
    } catch (error) {
      log.error({ detail: messageOf(error) }, 'the new certificate is not usable, the old one stays');
    }
  };
  for (const file of watched(files)) watchFile(file, { interval: 2000, persistent: false }, reload);
  return () => {
    for (const file of watched(files)) unwatchFile(file, reload);
  };
}

function watched({ certFile, keyFile, clientCaFile }: TlsFiles): string[] {
  return [certFile, keyFile, ...(clientCaFile === null ? [] : [clientCaFile])];
}
