// A stdio server of either era whose tools stand in a file: `node drifting-stdio.mjs FILE [modern|legacy]`. A changed file is announced
// where somebody calls `announce`.
import { appendFileSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const [, , file, era = 'legacy'] = process.argv;
const send = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
let subscription;

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line);
  if (id === undefined) return;
  if (method === 'initialize') {
    if (era === 'modern') return send({ id, error: { code: -32601, message: 'Method not found' } });
    const capabilities = { tools: { listChanged: true } };
    return send({
      id,
      result: { protocolVersion: '2025-11-25', capabilities, serverInfo: { name: 'd', version: '1' } },
    });
  }
  if (method === 'server/discover' && era === 'modern') {
    const capabilities = { tools: { listChanged: true } };
    return send({
      id,
      result: {
        resultType: 'complete',
        supportedVersions: ['2026-07-28'],
        capabilities,
        serverInfo: { name: 'd', version: '1' },
      },
    });
  }
  if (method === 'subscriptions/listen' && era === 'modern') {
    subscription = id;
    const _meta = { 'io.modelcontextprotocol/subscriptionId': id };
    return send({
      method: 'notifications/subscriptions/acknowledged',
      params: { notifications: { toolsListChanged: true }, _meta },
    });
  }
  const done = era === 'modern' ? { resultType: 'complete' } : {};
  if (method === 'tools/list')
    return send({ id, result: { ...done, tools: JSON.parse(readFileSync(file, 'utf8')) } });
  if (method === 'tools/call') {
    appendFileSync(`${file}.calls`, `${params.name}\n`);
    if (params.name === 'announce') {
      const _meta =
        subscription === undefined
          ? {}
          : { _meta: { 'io.modelcontextprotocol/subscriptionId': subscription } };
      send({ method: 'notifications/tools/list_changed', params: _meta });
    }
    return send({ id, result: { ...done, content: [{ type: 'text', text: 'done' }] } });
  }
  if (method === 'ping') return send({ id, result: {} });
  send({ id, error: { code: -32601, message: 'Method not found' } });
});
