import { performance } from 'node:perf_hooks';
import { metric } from '../names.ts';
import type { Registry } from './registry.ts';

/** Of this process; read when somebody asks. */
export function observeProcess(registry: Registry): void {
  registry.observed('sum', { name: metric.processCpu, unit: 's', text: 'Processor time.' }, () => {
    const { user, system } = process.cpuUsage();
    return [[[], (user + system) / 1e6]];
  });
  registry.observed('gauge', { name: metric.processMemory, unit: 'By', text: 'Resident memory.' }, () => [
    [[], process.memoryUsage.rss()],
  ]);
  registry.observed('gauge', { name: metric.heapUsed, unit: 'By', text: 'Heap in use.' }, () => [
    [[], process.memoryUsage().heapUsed],
  ]);
  registry.observed('gauge', { name: metric.processUptime, unit: 's', text: 'Time since the start.' }, () => [
    [[], process.uptime()],
  ]);
  registry.observed(
    'gauge',
    {
      name: metric.eventLoopUse,
      unit: '1',
      text: 'Share of time in which the event loop was busy, since the start.',
    },
    () => [[[], performance.eventLoopUtilization().utilization]],
  );
}
