import { StdioServer, type StdioUpstream, type StdioUpstreamOptions } from './stdio/upstream.ts';

export type { StdioLimits } from './stdio/limits.ts';
export type { StdioStatistics, StdioUpstream, StdioUpstreamOptions } from './stdio/upstream.ts';

/** An upstream that runs as a subprocess. Nothing is started before `start` or the first exchange. */
export function createStdioUpstream(options: StdioUpstreamOptions): StdioUpstream {
  return new StdioServer(options);
}
