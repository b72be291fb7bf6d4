import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { Server } from 'node:https';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
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
    } as const;
    createSecureContext(options) satisfies SecureContext;
    return options;
  } catch (error) {
    throw new OperationError(`the certificate or its key cannot be used: ${messageOf(error)}`, {
      hint: `check tls.cert (${files.certFile}) and tls.key (${files.keyFile})`,
    });
  }
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
  for (const file of [files.certFile, files.keyFile])
    watchFile(file, { interval: 2000, persistent: false }, reload);
  return () => {
    for (const file of [files.certFile, files.keyFile]) unwatchFile(file, reload);
  };
}
