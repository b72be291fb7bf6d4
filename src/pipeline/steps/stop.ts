import { type Refusal, refuse } from '../../base/index.ts';
import type { Stop } from '../../stops/index.ts';
import type { AuthorizedCall } from '../call.ts';

/**
 * The kill switch: whether an operator has stopped this tool, client, organization or server. After authorization, so that
 * nobody learns of it who may not call anyway; before the limits, so that it costs no tokens.
 */
export function checkStops(call: AuthorizedCall): Refusal | null {
  const { server, operation, principal, decision } = call;
  const { issuer, clientId, organization } = principal;
  const tool = operation.kind === 'tool' ? operation.name : null;
  const found = server.stops.find({ server: server.name, tool, issuer, clientId, organization });
  if (found === null) return null;
  if (found === 'unknown') {
    const detail = 'the kill switch cannot be read';
    return refuse('stops_unavailable', 'The call cannot be checked at the moment', { detail });
  }
  Object.assign(call, { decision: { ...decision, rule: `stop ${found.id}` } }); // the record names what decided
  return refuse('stopped', sentences[found.kind], { detail: detailOf(found) });
}

const sentences: Readonly<Record<Stop['kind'], string>> = {
  tool: 'An operator has stopped this tool. The call was refused. Do not try again.',
  client: 'An operator has stopped this client. The call was refused. Do not try again.',
  organization:
    'An operator has stopped all calls of this organization. The call was refused. Do not try again.',
  server: 'An operator has stopped this server. The call was refused. Do not try again.',
};

function detailOf({ kind, name, by, reason }: Stop): string {
  return `${kind} ${name} was stopped by ${by}${reason === null ? '' : `: ${reason}`}`;
}
