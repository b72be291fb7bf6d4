import type { OptionSpec } from '../command.ts';

export const formats = ['terminal', 'json', 'sarif', 'junit', 'markdown', 'html'] as const;

export const checkOptions: Readonly<Record<string, OptionSpec>> = {
  login: { help: 'sign in through the browser as a client would; prints the address to open' },
  'client-id': { value: 'ID', help: 'sign in as this client instead of registering one' },
  'client-metadata-url': { value: 'URL', help: 'sign in as the client of this metadata document (CIMD)' },
  'client-credentials': { help: 'get a token without a person, with --client-id and --client-secret' },
  'client-secret': { value: 'env:NAME|file:PATH', help: 'the secret of --client-id' },
  issuer: { value: 'URL', help: 'the issuer to sign in at; needed where a secret goes to another host' },
  scope: { value: 'SCOPES', help: 'scopes to ask for; by default those that the server names' },
  'token-stdin': { help: 'read a good token from standard input' },
  tokens: { value: 'FILE', help: 'good and bad tokens by name, as JSON' },
  lab: { help: 'start an issuer, print how to trust it, and try its tokens' },
  'lab-port': { value: 'PORT', help: 'where the issuer of --lab listens; default any' },
  'lab-url': { value: 'URL', help: 'how the server reaches the issuer of --lab' },
  tool: {
    value: 'NAME or NAME={…}',
    multiple: true,
    help: 'a tool that may be called, with these arguments',
  },
  'allow-register': { help: 'register clients at the authorization server' },
  'allow-burst': { help: 'send bursts, until the first 429' },
  'expect-public': { help: 'the server is open on purpose' },
  'audit-file': { value: 'FILE', help: 'the audit log of the server' },
  'audit-command': { value: 'COMMAND', help: 'prints the audit log of the server' },
  'audit-verify': { value: 'COMMAND', help: 'ends with 0 if the audit log was not changed' },
  config: { value: 'FILE', help: 'a Portcullis configuration: what it declares is reported as declared' },
  lock: { value: 'FILE', help: 'compare tools with an earlier check' },
  'write-lock': { value: 'FILE', help: 'write down the tools as they are now' },
  'host-list': { value: 'FILE', help: 'check each URL of this file, one a line' },
  'fail-on': {
    value: 'SEVERITY',
    help: 'end with 1 from this on: critical, high, medium, low (default), info',
  },
  suppress: { value: 'FILE', help: 'findings to live with: row, reason and end date, as JSON' },
  format: { value: 'FORMAT', help: `${formats.join(', ')}; default terminal` },
  output: { value: 'FILE', help: 'write the report there' },
  'time-limit': { value: 'SECONDS', help: 'of the whole run; default 300' },
  only: { value: 'ROWS', help: 'run these rows alone, such as A01,T01' },
};
