import { z } from 'zod';
import type { EmbeddedAuthConfig } from './auth-config.ts';
import { registeredClients } from './machines.ts';
import type { FileConfig } from './schema.ts';

// Which applications the embedded authorization server deals with: `auth.embedded.clients`.

const hostPattern = z
  .string()
  .regex(/^(?:\*|(?:\*\.)?[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+)$/, {
    message: 'is no host pattern',
  })
  .max(253)
  .meta({ description: 'A host name in lower case, *.example.com for every host below it, or *.' });

const hostPatterns = z.array(hostPattern).max(1024);

const metadataDocuments = z.union([
  z.boolean(),
  z.strictObject({
    allow: hostPatterns.min(1).default(['*']),
    deny: hostPatterns.default([]),
  }),
]);

const dynamicRegistration = z.strictObject({
  maxPerHour: z.int().min(1).max(100_000).default(60),
  maxPerHourAndAddress: z.int().min(1).max(100_000).default(20),
  unusedDays: z.int().min(1).max(3650).default(7),
});

/** Schemes that browsers or systems give a meaning of their own: a code must not be sent there. */
const reservedSchemes = new Set([
  ...['http', 'https', 'ws', 'wss', 'ftp', 'file', 'filesystem', 'blob', 'data', 'javascript', 'vbscript'],
  ...['about', 'chrome', 'view-source', 'mailto', 'tel', 'sms', 'intent', 'ms-settings', 'search-ms', 'ssh'],
]);

const scheme = z
  .string()
  .regex(/^[a-z][a-z0-9+.-]{1,63}$/, { message: 'is no URI scheme in lower case, without the colon' })
  .refine((name) => !reservedSchemes.has(name), { message: 'is a scheme of the browser or the system' });

/** Editors whose sign-in comes back by a scheme that the operating system hands to them (RFC 8252 section 7.1). */
const editorSchemes = [
  ...['cursor', 'vscode', 'vscode-insiders', 'vscodium'],
  ...['windsurf', 'zed', 'claude', 'warp'],
];

export const clientsShape = z
  .strictObject({
    metadataDocuments: metadataDocuments.default(true),
    dynamicRegistration: z.union([z.literal(false), dynamicRegistration]).prefault({}),
    redirectSchemes: z
      .array(scheme)
      .max(256)
      .default(editorSchemes)
      .meta({ description: 'Applications that may take the answer by a URI scheme of their own.' }),
    registered: registeredClients,
  })
  .prefault({});

export const dpopModes = z.enum(['off', 'allowed', 'required']);

type WrittenClients = Exclude<NonNullable<FileConfig['auth']['embedded']>, false>['clients'];

export function resolveClients(written: WrittenClients): EmbeddedAuthConfig['clients'] {
  const { metadataDocuments, dynamicRegistration, redirectSchemes } = written;
  return {
    metadataDocuments,
    dynamicRegistration: dynamicRegistration === false ? null : dynamicRegistration,
    redirectSchemes,
  };
}
