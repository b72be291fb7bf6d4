/**
 * Every attribute and metric name that leaves by OTLP or Prometheus, audit copies included. Those with a prefix other than
 * `portcullis.` are the OpenTelemetry conventions': for MCP those of open-telemetry/semantic-conventions-genai
 * (docs/gen-ai/mcp.md), which are in development and may be renamed.
 */
export const attribute = {
  serviceName: 'service.name',
  serviceVersion: 'service.version',
  serviceInstance: 'service.instance.id',
  method: 'mcp.method.name',
  protocolVersion: 'mcp.protocol.version',
  tool: 'gen_ai.tool.name',
  operation: 'gen_ai.operation.name',
  rpcId: 'jsonrpc.request.id',
  rpcStatus: 'rpc.response.status_code',
  errorType: 'error.type',
  httpStatus: 'http.response.status_code',
  transport: 'network.transport',
  serverAddress: 'server.address',
  serverPort: 'server.port',
  clientAddress: 'client.address',
  userId: 'user.id',
  overflow: 'otel.metric.overflow',
  requestId: 'portcullis.request_id',
  server: 'portcullis.server',
  result: 'portcullis.result',
  reason: 'portcullis.reason',
  layer: 'portcullis.layer',
  limit: 'portcullis.limit',
  state: 'portcullis.state',
  event: 'portcullis.event',
  kind: 'portcullis.kind',
  store: 'portcullis.store',
  writer: 'portcullis.writer',
  position: 'portcullis.position',
  clientId: 'portcullis.client_id',
  tokenId: 'portcullis.token_id',
  organization: 'portcullis.organization',
  latency: 'portcullis.latency_ms',
} as const;

export const metric = {
  serverDuration: 'mcp.server.operation.duration',
  clientDuration: 'mcp.client.operation.duration',
  gatewayDuration: 'portcullis.gateway.duration',
  calls: 'portcullis.calls',
  denials: 'portcullis.denials',
  wouldDeny: 'portcullis.would_deny',
  callsActive: 'portcullis.calls.active',
  streams: 'portcullis.streams',
  upstreamState: 'portcullis.upstream.state',
  storeUp: 'portcullis.store.up',
  intentDuration: 'portcullis.audit.intent.duration',
  intentFailures: 'portcullis.audit.intent.failures',
  auditWaiting: 'portcullis.audit.waiting',
  auditEvents: 'portcullis.audit.events',
  copyWaiting: 'portcullis.audit.copy.waiting',
  copyDelivered: 'portcullis.audit.copy.delivered',
  copyDropped: 'portcullis.audit.copy.dropped',
  copyFailing: 'portcullis.audit.copy.failing',
  spans: 'portcullis.telemetry.spans',
  spansWaiting: 'portcullis.telemetry.spans.waiting',
  exportFailures: 'portcullis.telemetry.export.failures',
  processCpu: 'process.cpu.time',
  processMemory: 'process.memory.usage',
  processUptime: 'process.uptime',
  heapUsed: 'v8js.memory.heap.used',
  eventLoopUse: 'nodejs.eventloop.utilization',
} as const;

/** Of whoever sends what: the instrumentation scope. */
export const scope = { telemetry: 'portcullis', audit: 'portcullis.audit' } as const;

/** What stands for any value that is not known beforehand: a caller must not make new ones. */
export const other = 'other';
