import { z } from 'zod';
import { Secret } from '../base/index.ts';
import type { Finding } from './faults.ts';
import type { PartialFileConfig, SecretReference } from './schema.ts';
import { secretReference } from './secret-reference.ts';
import type { Secrets } from './secrets.ts';
import type { Path } from './source.ts';
import { parseDuration } from './units.ts';
import { baggageKey, copyHeaderName, duration, upstreamUrl } from './values.ts';

export interface TelemetryConfig {
  /** Of traces; null: none are made. */
  readonly traces: TracesConfig | null;
  /** Metrics by OTLP; null: they are not sent. */
  readonly metrics: { readonly collector: CollectorConfig; readonly everyMs: number } | null;
  /** Metrics for Prometheus, at an address of their own; null: nothing listens. */
  readonly prometheus: {
    readonly host: string;
    readonly port: number;
    /** What who scrapes sends as `Authorization: Bearer`; null: anybody who reaches the address may read. */
    readonly token: Secret | null;
  } | null;
}

export interface CollectorConfig {
  readonly url: string;
  readonly headers: Readonly<Record<string, Secret>>;
  readonly timeoutMs: number;
}

export interface TracesConfig {
  readonly collector: CollectorConfig;
  /** From 0 to 1. */
  readonly ratio: number;
  /** Calls whose spans may wait. */
  readonly queue: number;
  /** Keys of baggage that travel on. */
  readonly baggage: readonly string[];
}

const traces = z.strictObject({
  ratio: z.number().min(0).max(1).default(1).meta({ description: 'How many of the calls, from 0 to 1.' }),
  queue: z
    .int()
    .min(16)
    .max(65_536)
    .default(4096)
    .meta({ description: 'Calls whose spans may wait for the collector; what comes then is left out.' }),
  baggage: z
    .array(baggageKey)
    .max(16)
    .default([])
    .meta({ description: 'Keys of W3C baggage that travel on to the upstream; all others are taken out.' }),
});

const metrics = z.strictObject({ every: duration.default('60s') });

const prometheus = z.strictObject({
  listen: z
    .strictObject({
      host: z.string().min(1).max(255).default('127.0.0.1'),
      port: z.int().min(1).max(65_535).default(9464),
    })
    .prefault({})
    .meta({ description: 'Never the address of the gateway itself.' }),
  token: secretReference.optional().meta({ description: 'What Prometheus sends as Authorization: Bearer.' }),
});

/** The section `telemetry`. */
export const telemetry = z.strictObject({
  otlp: upstreamUrl
    .optional()
    .meta({ description: 'A collector; /v1/traces and /v1/metrics are added to the path.' }),
  headers: z.record(copyHeaderName, secretReference).optional(),
  timeout: duration.optional().meta({ description: 'For one request to the collector; 10s by default.' }),
  traces: z
    .union([z.literal(false), traces])
    .optional()
    .meta({ description: 'On where there is otlp.' }),
  metrics: z
    .union([z.literal(false), metrics])
    .optional()
    .meta({ description: 'On where there is otlp.' }),
  prometheus: prometheus.optional().meta({ description: 'Metrics as text, for who asks for /metrics.' }),
});

const defaults = { traces: traces.parse({}), metrics: metrics.parse({}) };
const defaultTimeout = '10s';

type Written = z.output<typeof telemetry>;

export function telemetryReferences({
  headers = {},
  prometheus: listener,
}: Written): { path: Path; reference: SecretReference }[] {
  const named = Object.entries(headers).map(([name, reference]) => ({
    path: ['telemetry', 'headers', name],
    reference,
  }));
  const { token } = listener ?? {};
  return token ? [...named, { path: ['telemetry', 'prometheus', 'token'], reference: token }] : named;
}

/** One that can be guessed keeps nobody out. */
export function scrapeTokenFault(value: string): { message: string; hint: string } | null {
  return /^[\x21-\x7e]{16,}$/.test(value)
    ? null
    : {
        message: 'the secret is shorter than 16 characters, or no word that a header can carry',
        hint: 'make one: openssl rand -hex 32',
      };
}

export function checkTelemetry({ telemetry: written, listen }: PartialFileConfig): Finding[] {
  if (!written) return [];
  const findings: Finding[] = [];
  if (written.otlp === undefined) {
    const needing = (['headers', 'timeout', 'traces', 'metrics'] as const).filter((key) => written[key]);
    const hint = 'add otlp: http://127.0.0.1:4318, or remove it';
    findings.push(
      ...needing.map((key) => ({
        path: ['telemetry', key],
        message: 'speaks of a collector, and none is named',
        hint,
      })),
    );
  }
  if (listen && written.prometheus && written.prometheus.listen.port === listen.port) {
    const path = ['telemetry', 'prometheus', 'listen', 'port'];
    const message = 'is the port of the gateway: metrics have an address of their own';
    findings.push({ path, message, hint: 'choose another, such as 9464' });
  }
  return findings;
}

export function resolveTelemetry(written: Written, secrets: Secrets): TelemetryConfig {
  const { otlp, headers = {}, timeout = defaultTimeout } = written;
  const secret = (path: string) => secrets.get(path) ?? new Secret('');
  const collector =
    otlp === undefined
      ? null
      : {
          url: otlp,
          headers: Object.fromEntries(
            Object.keys(headers).map((name) => [name, secret(`telemetry.headers.${name}`)]),
          ),
          timeoutMs: milliseconds(timeout),
        };
  const {
    traces: traced = defaults.traces,
    metrics: pushed = defaults.metrics,
    prometheus: listener,
  } = written;
  return {
    traces: collector && traced ? { collector, ...traced } : null,
    metrics: collector && pushed ? { collector, everyMs: milliseconds(pushed.every) } : null,
    prometheus: listener
      ? {
          host: listener.listen.host.replace(/^\[|\]$/g, ''),
          port: listener.listen.port,
          token: listener.token ? secret('telemetry.prometheus.token') : null,
        }
      : null,
  };
}

function milliseconds(text: string): number {
  const parsed = parseDuration(text);
  if (parsed === null) throw new Error('a duration that was checked cannot be read');
  return parsed;
}
