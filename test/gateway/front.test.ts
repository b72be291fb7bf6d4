import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { it } from 'node:test';
import type { Config } from '../../src/config/index.ts';
import { createFront } from '../../src/gateway/front.ts';

const frontOf = (publicUrl: string) =>
  createFront({
    publicUrl,
    listen: { host: '0.0.0.0', port: 8443 },
    http: { allowedOrigins: [] },
  } as unknown as Config);
const peer = { address: '198.51.100.1', throughTrustedProxy: false, encrypted: true };
const check = (publicUrl: string, headers: Record<string, string>, httpVersion = '1.1') =>
  frontOf(publicUrl).check({ headers, httpVersion } as unknown as IncomingMessage, peer)?.code ?? 'ok';

it('the host may be written with the port of its scheme, and with no other', () => {
  for (const host of ['mcp.example.com', 'MCP.example.com', 'mcp.example.com:443'])
    assert.equal(check('https://mcp.example.com', { host }), 'ok', host);
  for (const host of [
    'mcp.example.com:80',
    'mcp.example.com:8443',
    'mcp.example.com:',
    'mcp.example.com.',
    'mcp.example.com:443:443',
    'x@mcp.example.com',
    'mcp.example.com,evil.example',
    'localhost:8443',
    'evil.example',
  ])
    assert.equal(check('https://mcp.example.com', { host }), 'host_denied', host);
  assert.equal(check('https://mcp.example.com:8443', { host: 'mcp.example.com' }), 'host_denied');
});

it('what frames a body is one version and one coding, before anything else counts', () => {
  const host = 'mcp.example.com';
  const at = (headers: Record<string, string>, version?: string) =>
    check('https://mcp.example.com', { host, ...headers }, version);
  assert.equal(at({ 'transfer-encoding': ' Chunked ' }), 'ok');
  assert.equal(at({}, '1.0'), 'ok');
  for (const coding of [
    'gzip',
    'gzip, chunked',
    'chunked, gzip',
    'chunked, chunked',
    'identity',
    'x-chunked',
    '',
  ])
    assert.equal(at({ 'transfer-encoding': coding }), 'malformed_request', coding);
  for (const version of ['0.9', '1.2', '2.0', ''])
    assert.equal(at({}, version), 'malformed_request', version);
  assert.equal(at({ 'transfer-encoding': 'chunked' }, '1.0'), 'malformed_request');
});
