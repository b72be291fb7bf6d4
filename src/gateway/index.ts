export { type Gateway, type GatewayOptions, startGateway } from './gateway.ts';
export { createLog } from './log.ts';
export { readTools } from './read-tools.ts';
export type { StartFailure } from './running.ts';
