export { startExpress } from './express.ts';
export { startFastMcp } from './fastmcp.ts';
export { startEverything, startMcpProxy, startSupergateway } from './program.ts';
export type { ZooServer } from './server.ts';
