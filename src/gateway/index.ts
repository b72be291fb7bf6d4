export { type Gateway, type GatewayOptions, type StartFailure, startGateway } from './gateway.ts';
export { createLog } from './log.ts';
export { readTools } from './read-tools.ts';
