export { type Gateway, type GatewayOptions, startGateway } from './gateway.ts';
export { createLog } from './log.ts';
