/** The library: what the command line is made of. Everything else may change without notice. */
export { ConfigurationError, type ConfigurationFault, OperationError, systemClock } from './base/index.ts';
export { type Config, type LoadedConfig, loadConfig, readEnvironment } from './config/index.ts';
export { createLog, type Gateway, type GatewayOptions, startGateway } from './gateway/index.ts';
