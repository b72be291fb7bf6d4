import { type ProtectOptions, protectConfig } from '../../config/index.ts';
import { type CommandBody, type CommandContext, type Given, UsageError } from '../command.ts';
import { findFreePort } from '../free-port.ts';
import { gatewayOptions, runGateway } from '../run-gateway.ts';

const defaultPort = 4180;
const defaultHost = '127.0.0.1';

/** `portcullis protect`: one server, no file. */
export const protect: CommandBody = {
  usage: ['[options] -- COMMAND [ARGUMENT...]', '[options] URL'],
  words: ['URL'],
  takesRest: true,
  options: {
    name: { value: 'NAME', help: 'name of the server; read from the command by default' },
    port: { value: 'PORT', help: `port to listen on; default ${defaultPort} or the next free one` },
    host: { value: 'HOST', help: `address to listen on; default ${defaultHost}` },
    'public-url': { value: 'URL', help: 'origin that clients type, where it differs' },
    data: {
      value: 'DIR',
      help: 'where accounts, keys and the audit log are kept; default ~/.portcullis/NAME',
    },
    env: { value: 'NAME', multiple: true, help: 'pass this environment variable to the server' },
    header: {
      value: 'NAME=env:VARIABLE',
      multiple: true,
      help: 'send this header to the URL; or NAME=file:PATH',
    },
    isolation: {
      value: 'shared|principal',
      help: 'one process for all callers, or one for each; default shared',
    },
    'tls-cert': { value: 'FILE', help: 'serve https with this certificate (PEM)' },
    'tls-key': { value: 'FILE', help: 'and this key' },
    'trusted-proxy': { value: 'CIDR', multiple: true, help: 'believe X-Forwarded-* from these addresses' },
    'allowed-origin': {
      value: 'ORIGIN',
      multiple: true,
      help: 'web page that may call, such as https://app.example.com',
    },
    'client-limit': { value: 'RATE', help: 'calls of one caller; default 600/min' },
    ...gatewayOptions,
  },
  notes: [
    'A secret is never an argument: other processes can read those. Set a variable and name it:',
    '  NOTES_KEY=... portcullis protect --env NOTES_KEY -- notes-server',
    '',
    'SIGINT or SIGTERM stops after running calls have finished; SIGHUP reads secrets again that files or commands hold.',
  ].join('\n'),
  async run(given, context) {
    const options = await protectOptions(given, context);
    const load = async () => (await protectConfig(options)).config;
    return runGateway({ load, watched: null, needsServer: 'command' in options.target }, given, context);
  },
};

async function protectOptions(given: Given, context: CommandContext): Promise<ProtectOptions> {
  const target = targetOf(given, context.self);
  const host = given.text('host');
  const port = await choosePort(given.text('port'), host ?? defaultHost);
  return {
    target,
    ...port,
    host,
    name: given.text('name'),
    publicUrl: given.text('public-url'),
    data: given.text('data'),
    env: given.list('env'),
    header: given.list('header'),
    isolation: given.text('isolation'),
    tlsCert: given.text('tls-cert'),
    tlsKey: given.text('tls-key'),
    trustedProxy: given.list('trusted-proxy'),
    allowedOrigin: given.list('allowed-origin'),
    clientLimit: given.text('client-limit'),
    environment: context.environment,
    cwd: context.cwd,
  };
}

function targetOf({ words: [word], rest }: Given, self: string): ProtectOptions['target'] {
  const example = `write ${self} protect -- npx -y @modelcontextprotocol/server-filesystem /some/dir`;
  if (word !== undefined && rest !== null) {
    throw new UsageError('protect takes a URL or a command, not both', 'keep one');
  }
  if (word !== undefined) {
    if (/^https?:\/\//i.test(word)) return { url: word };
    if (/^[a-z][\w+.-]*:\/\/|^[\w.-]+:\d+(\/|$)/i.test(word)) {
      throw new UsageError(
        'the URL of the server begins with http:// or https://',
        `write ${self} protect http://127.0.0.1:3000/mcp`,
      );
    }
    throw new UsageError(
      'the command of the server must follow --',
      `write ${self} protect [options] -- program argument`,
    );
  }
  if (rest === null || rest.length === 0) throw new UsageError('protect needs a command or a URL', example);
  return { command: rest };
}

/** Port 0, or a default that is taken, is decided now: the public URL has the port in it. */
async function choosePort(
  text: string | undefined,
  host: string,
): Promise<{ port: number; portGiven: boolean }> {
  if (text === undefined) return { port: await findFreePort(defaultPort, host), portGiven: false };
  const port = /^\d{1,5}$/.test(text) ? Number(text) : -1;
  if (port < 0 || port > 65_535) throw new UsageError('--port is no port', 'write --port 4180');
  return { port: port === 0 ? await findFreePort(0, host) : port, portGiven: port !== 0 };
}
