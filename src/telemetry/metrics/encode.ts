import { attribute, scope } from '../names.ts';
import { type KeyValue, nanoseconds, text } from '../otlp/values.ts';
import type { Metric, Pair, Point } from './registry.ts';

export interface MetricsContext {
  readonly resource: readonly KeyValue[];
  /** Milliseconds since the epoch: when the numbers began, and when they were read. */
  readonly startedAt: number;
  readonly now: number;
}

/** AGGREGATION_TEMPORALITY_CUMULATIVE: one that was lost is made good by the next. */
const cumulative = 2;

/** ExportMetricsServiceRequest. */
export function metricsRequest(metrics: readonly Metric[], context: MetricsContext): object {
  const scopeMetrics = [
    { scope: { name: scope.telemetry }, metrics: metrics.map((metric) => encoded(metric, context)) },
  ];
  return { resourceMetrics: [{ resource: { attributes: context.resource }, scopeMetrics }] };
}

function encoded(metric: Metric, context: MetricsContext): object {
  const { name, unit, text: description, kind } = metric;
  const dataPoints = metric.points.map((point) => dataPoint(point, metric, context));
  switch (kind) {
    case 'gauge':
      return { name, unit, description, gauge: { dataPoints } };
    case 'sum':
      return {
        name,
        unit,
        description,
        sum: { dataPoints, aggregationTemporality: cumulative, isMonotonic: true },
      };
    case 'histogram':
      return { name, unit, description, histogram: { dataPoints, aggregationTemporality: cumulative } };
  }
}

function dataPoint(
  { attributes, value }: Point,
  { bounds }: Metric,
  { startedAt, now }: MetricsContext,
): object {
  const shared = {
    attributes: attributes.map(keyValue),
    startTimeUnixNano: nanoseconds(startedAt),
    timeUnixNano: nanoseconds(now),
  };
  if (typeof value === 'number') return { ...shared, asDouble: value };
  return {
    ...shared,
    count: String(value.count),
    sum: value.sum,
    bucketCounts: value.counts.map(String),
    explicitBounds: bounds,
  };
}

function keyValue([key, value]: Pair): KeyValue {
  return key === attribute.overflow ? { key, value: { boolValue: true } } : text(key, value);
}
