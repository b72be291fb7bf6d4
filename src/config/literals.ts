import type { Finding } from './faults.ts';
import type { Path } from './source.ts';
import { fits, walk } from './walk.ts';

// Secrets are references. A literal is refused where a secret belongs, and where it plainly is one elsewhere: a file
// is copied, committed and printed, and the arguments of a process can be read by every user of the machine.
// No message repeats the value.

const secretPositions = [
  'servers.*.upstream.env.*',
  'servers.*.upstream.headers.*',
  'tls.key',
  'auth.embedded.oidc.clientSecret',
  'auth.issuers.*.introspection.clientSecret',
  'auth.embedded.clients.registered.*.secret',
  'alerts.webhook.secret',
  'audit.also.*.headers.*',
  'audit.also.*.webhook.headers.*',
  'audit.also.*.webhook.secret',
  'postgres.url',
  'telemetry.headers.*',
  'telemetry.prometheus.token',
];

/** Prefixes by which issuers of keys mark them, private keys, and JWTs. Anchored or bounded: the text is untrusted. */
const keyShapes: readonly RegExp[] = [
  /(?:^|[^A-Za-z0-9])sk-[A-Za-z0-9_-]{16,}/,
  /(?:^|[^A-Za-z0-9])(?:gh[opsur]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,})/,
  /(?:^|[^A-Za-z0-9])xox[abeoprs]-[A-Za-z0-9-]{10,}/,
  /(?:^|[^A-Za-z0-9])(?:AKIA|ASIA)[0-9A-Z]{16}/,
  /(?:^|[^A-Za-z0-9])AIza[0-9A-Za-z_-]{30,}/,
  /(?:^|[^A-Za-z0-9])(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,}/,
  /(?:^|[^A-Za-z0-9])eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\./,
  /-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----/,
  /\b[Bb]earer\s+[A-Za-z0-9._~+/-]{8,}/,
];

const secretWord =
  '(?:api[-_]?key|access[-_]?key|secret[-_]?key|private[-_]?key|auth[-_]?key|token|secret|password|passwd|passphrase|credentials?)';
const assignment = new RegExp(`^-{0,2}[A-Za-z0-9_-]{0,40}?${secretWord}=.`, 'i');
const option = new RegExp(`^--?[A-Za-z0-9_-]{0,40}?${secretWord}$`, 'i');
const queryParameter = new RegExp(`[?&][A-Za-z0-9_-]{0,40}?(?:${secretWord}|key|sig|signature)=.`, 'i');
const urlPassword = /^[a-z][a-z0-9+.-]{0,20}:\/\/[^/?#\s]{1,500}@/i;

/** Finds literals where references belong. */
export function findLiterals(raw: unknown): Finding[] {
  return [...walk(raw)].flatMap(({ path, value }) => {
    if (isScalar(value) && secretPositions.some((pattern) => fits(path, pattern)))
      return [literalSecret(path)];
    if (fits(path, 'servers.*.upstream.command') && Array.isArray(value)) return secretArguments(value, path);
    if (typeof value === 'string' && !isArgument(path)) return secretText(value, path);
    return [];
  });
}

function isScalar(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

function isArgument(path: Path): boolean {
  return fits(path, 'servers.*.upstream.command.*');
}

function literalSecret(path: Path): Finding {
  const name = String(path.at(-1));
  if (path[0] === 'tls') {
    return {
      path,
      message: 'holds a literal; a key is a reference',
      hint: 'write key: { file: /path/to/key.pem }',
    };
  }
  const variable = name.toUpperCase().replace(/[^A-Z0-9_]/g, '_');
  return {
    path,
    message: 'holds a literal; secrets are references',
    hint: `write ${name}: { env: ${variable} } or ${name}: { file: /run/secrets/${name} }`,
  };
}

function secretArguments(command: readonly unknown[], parent: Path): Finding[] {
  return command.flatMap((argument, index): Finding[] => {
    if (typeof argument !== 'string') return [];
    const previous = command[index - 1];
    const isValue =
      index > 1 && typeof previous === 'string' && option.test(previous) && !argument.startsWith('-');
    if (!isValue && !assignment.test(argument) && !looksSecret(argument)) return [];
    return [
      {
        path: [...parent, index],
        message: 'looks like a secret in an argument, which every process of the machine can read',
        hint: 'let the server read it from its environment: env: { NAME: { env: NAME } } (--env NAME)',
      },
    ];
  });
}

function secretText(value: string, path: Path): Finding[] {
  if (urlPassword.test(value)) {
    return [
      {
        path,
        message: 'has a user or password in the URL',
        hint: 'send it as a header: headers: { authorization: { env: NAME } }',
      },
    ];
  }
  if (/^https?:/i.test(value) && queryParameter.test(value)) {
    return [
      {
        path,
        message: 'has a secret in the query of the URL',
        hint: 'send it as a header: headers: { x-api-key: { env: NAME } }',
      },
    ];
  }
  return looksSecret(value)
    ? [
        {
          path,
          message: 'looks like a secret; secrets are references',
          hint: 'write { env: NAME } or { file: /path } where a secret belongs',
        },
      ]
    : [];
}

function looksSecret(value: string): boolean {
  const bounded = value.slice(0, 4096);
  return urlPassword.test(bounded) || keyShapes.some((shape) => shape.test(bounded));
}
