import type { Config } from '../config/index.ts';
import { isPlainAndFar } from './loopback.ts';
import { retrofitWarnings } from './retrofit.ts';
import { telemetryWarnings } from './wire-telemetry.ts';
import { weakenedDetections } from './wire-watch.ts';

/** What the operator should know at start: all that is less than it could be. */
export function warnings(config: Config, now: number): string[] {
  return [
    ...retrofitWarnings(config, now),
    ...weakenedDetections(config),
    ...confirmWarnings(config),
    ...accountWarnings(config),
    ...issuerWarnings(config),
    ...telemetryWarnings(config),
    ...plainUpstreams(config),
  ];
}

function confirmWarnings({ tools }: Config): string[] {
  const rules = (tools ?? []).filter((rule) => rule.confirm !== null).map((rule) => rule.source);
  if (rules.length === 0) return [];
  return [
    `calls that need confirmation (${rules.join(', ')}) are refused: this version cannot ask anyone yet`,
  ];
}

function accountWarnings({ postgres, auth }: Config): string[] {
  if (postgres === null || auth.embedded === null) return [];
  return [
    'postgres: has the audit log alone: accounts, clients and grants stay in the data directory, so gateways on ' +
      'several machines need auth.issuers in place of the embedded authorization server',
  ];
}

function issuerWarnings({ auth }: Config): string[] {
  return auth.issuers
    .filter(({ audience }) => audience === null)
    .map(
      ({ issuer }) =>
        `tokens of ${issuer} are bound to their client alone: one that is meant for another service is accepted`,
    );
}

function plainUpstreams({ servers }: Config): string[] {
  return servers.flatMap(({ name, upstream }) =>
    upstream.kind === 'http' && isPlainAndFar(upstream.url)
      ? [`calls to ${name} cross the network in plain text: ${new URL(upstream.url).origin} has no https`]
      : [],
  );
}
