import { setTimeout as wait } from 'node:timers/promises';
import { messageOf, neutralLine, OperationError, Secret } from '../../base/index.ts';
import {
  type ContextOptions,
  clientCredentials,
  connects,
  type Lab,
  logIn,
  noTokens,
  openContext,
  readTokenSet,
  singleToken,
  startLab,
  type TokenSet,
} from '../../check/index.ts';
import { type CommandContext, type Given, UsageError } from '../command.ts';
import { readText } from './files.ts';

export interface Credentials {
  readonly tokens: TokenSet;
  readonly lab: Lab | null;
}

const ways = ['login', 'token-stdin', 'client-credentials', 'tokens', 'lab'] as const;

/** Tokens by whichever way was asked for; none without one. */
export async function credentialsOf(
  given: Given,
  context: CommandContext,
  options: ContextOptions,
): Promise<Credentials> {
  const [way, second] = ways.filter((one) => given.has(one));
  if (second !== undefined)
    throw new UsageError(`--${way} and --${second} are two ways to get a token`, 'keep one');
  const only = (tokens: TokenSet): Credentials => ({ tokens, lab: null });
  if (way === undefined) return only(noTokens);
  switch (way) {
    case 'token-stdin':
      return only(await tokenFromStdin(context));
    case 'tokens':
      return only(await tokensFromFile(given.text('tokens') ?? '', context));
    case 'login':
      return only(await login(given, context, options));
    case 'client-credentials':
      return only(await machine(given, context, options));
    case 'lab':
      return labCredentials(given, context, options);
  }
}

async function tokenFromStdin({ stdin, self }: CommandContext): Promise<TokenSet> {
  let text = '';
  for await (const chunk of stdin) {
    text += String(chunk);
    if (text.length > 64 * 1024) break;
  }
  const tokens = singleToken(text);
  if (tokens) return tokens;
  throw new UsageError(
    '--token-stdin: no token came',
    `write printf %s "$TOKEN" | ${self} check URL --token-stdin`,
  );
}

async function tokensFromFile(file: string, context: CommandContext): Promise<TokenSet> {
  const read = readTokenSet(await readText(file, '--tokens', context));
  if (!('faults' in read)) return read;
  throw new UsageError(`--tokens ${file}: ${read.faults.join('; ')}`, 'see docs/check.md');
}

async function login(given: Given, { output }: CommandContext, options: ContextOptions): Promise<TokenSet> {
  return logIn(await openContext(options, new Map()), {
    clientId: given.text('client-id') ?? null,
    issuer: given.text('issuer') ?? null,
    clientMetadataUrl: given.text('client-metadata-url') ?? null,
    scope: given.text('scope') ?? null,
    waitMs: 300_000,
    show: (url) =>
      output.notes(
        `The token of this sign-in at ${new URL(url).host} goes to ${options.target.href}.\nOpen, in a browser on this machine:\n\n  ${neutralLine(url)}\n`,
      ),
  });
}

async function machine(given: Given, context: CommandContext, options: ContextOptions): Promise<TokenSet> {
  const [id, reference] = [given.text('client-id'), given.text('client-secret')];
  if (id === undefined || reference === undefined)
    throw new UsageError(
      '--client-credentials needs a client',
      'add --client-id ID --client-secret env:NAME',
    );
  const secret = await secretFrom(reference, context);
  const opened = await openContext(options, new Map());
  const [scope, issuer] = [given.text('scope') ?? null, given.text('issuer') ?? null];
  return clientCredentials(opened, { id, secret, scope, issuer });
}

/** Never the secret itself: arguments of a process can be read by everybody on the machine. */
async function secretFrom(reference: string, context: CommandContext): Promise<Secret> {
  const [kind, name = ''] = reference.split(/:(.*)/s);
  const value =
    kind === 'env'
      ? context.environment[name]
      : kind === 'file'
        ? await readText(name, '--client-secret', context)
        : undefined;
  if (value?.trim()) return new Secret(value.trim());
  throw new UsageError('--client-secret names no secret', 'write --client-secret env:NAME or file:PATH');
}

const labWaitMs = 300_000;

async function labCredentials(
  given: Given,
  { output, clock }: CommandContext,
  options: ContextOptions,
): Promise<Credentials> {
  const port = Number(given.text('lab-port') ?? 0);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new UsageError('--lab-port is no port', 'write --lab-port 4199');
  const url = given.text('lab-url')?.replace(/\/$/, '');
  const scopes = (
    given.text('scope') ?? 'mcp:tools:read mcp:tools:write mcp:tools:admin mcp:resources:read'
  ).split(' ');
  const lab = await startLab({
    target: options.target,
    clock,
    port,
    scopes: { all: scopes.join(' '), read: scopes[0] ?? '' },
    ...(url !== undefined && { url }),
  }).catch((error: unknown) => {
    throw new OperationError(`the issuer of --lab does not start: ${messageOf(error)}`);
  });
  output.notes(
    `A staging server that trusts this issuer for a while can be tested:\n\n${lab.configuration}\n`,
  );
  const started = clock.monotonic();
  while (!(await connects({ ...options, tokens: lab.tokens }))) {
    if (clock.monotonic() - started > labWaitMs) {
      await lab.close();
      throw new OperationError('the server does not take the tokens of the lab', {
        hint: 'add the lines above to its configuration, and reload it',
      });
    }
    await wait(1000);
  }
  return { tokens: lab.tokens, lab };
}
