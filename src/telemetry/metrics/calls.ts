import type { AuditResult } from '../../audit/index.ts';
import type { EndedCall } from '../call.ts';
import { errorTypeOf } from '../error-type.ts';
import { attribute, metric, other } from '../names.ts';
import type { Registry } from './registry.ts';

/** Of the conventions for MCP, in seconds. */
const operationBounds = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300];
/** What the gateway itself needs is far below. */
const gatewayBounds = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5];

/** Which control refused; null for what is no refusal. The compiler asks for new results. */
const layers: Readonly<Record<AuditResult, string | null>> = {
  success: null,
  tool_error: null,
  error: null,
  timeout: null,
  cancelled: null,
  malformed: 'malformed',
  denied_auth: 'authentication',
  denied_audience: 'audience',
  denied_scope: 'scope',
  denied_policy: 'policy',
  denied_rate: 'limit',
  denied_approval: 'approval',
  pending_approval: 'approval',
};

export interface CallMeters {
  ended(call: EndedCall): void;
  intentTook(ms: number | null): void;
}

export function createCallMeters(registry: Registry): CallMeters {
  const meters = instruments(registry);
  return {
    ended(call) {
      const { server, method, tool, result, reason, limitLayer } = call;
      const error = errorTypeOf(call);
      const what = [server, method ?? other, tool];
      meters.calls.add([...what, result, reason]);
      meters.server.record([...what, error], call.totalMs / 1000);
      if (call.upstreamMs !== null) meters.client.record([...what, error], call.upstreamMs / 1000);
      meters.gateway.record([server], Math.max(0, call.totalMs - (call.upstreamMs ?? 0)) / 1000);
      const layer = layers[result];
      if (layer !== null) meters.denials.add([server, layer, limitLayer]);
      for (const observed of call.wouldDeny) meters.wouldDeny.add([server, observed]);
    },
    intentTook(ms) {
      if (ms === null) meters.intentFailures.add([]);
      else meters.intent.record([], ms / 1000);
    },
  };
}

function instruments(registry: Registry) {
  const of = [attribute.server, attribute.method, attribute.tool];
  const timed = { unit: 's', keys: [...of, attribute.errorType] };
  return {
    calls: registry.counter({
      name: metric.calls,
      unit: '{call}',
      text: 'Requests to MCP endpoints, by what came of them.',
      keys: [...of, attribute.result, attribute.reason],
    }),
    denials: registry.counter({
      name: metric.denials,
      unit: '{call}',
      text: 'Calls that a control refused, by control and limit.',
      keys: [attribute.server, attribute.layer, attribute.limit],
    }),
    wouldDeny: registry.counter({
      name: metric.wouldDeny,
      unit: '{call}',
      text: 'What controls that are only observed would have refused.',
      keys: [attribute.server, attribute.layer],
    }),
    server: registry.histogram(
      { ...timed, name: metric.serverDuration, text: 'A call from its first byte to the end of its answer.' },
      operationBounds,
    ),
    client: registry.histogram(
      { ...timed, name: metric.clientDuration, text: 'The request to the server behind.' },
      operationBounds,
    ),
    gateway: registry.histogram(
      {
        name: metric.gatewayDuration,
        unit: 's',
        text: 'What a call spent in the gateway itself, its audit intent included.',
        keys: [attribute.server],
      },
      gatewayBounds,
    ),
    intent: registry.histogram(
      { name: metric.intentDuration, unit: 's', text: 'What a call waited for its intent to be durable.' },
      gatewayBounds,
    ),
    intentFailures: registry.counter({
      name: metric.intentFailures,
      unit: '{call}',
      text: 'Intents that could not be written: their calls did not leave.',
    }),
  };
}
