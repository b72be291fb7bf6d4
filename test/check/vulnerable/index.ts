export { clientSecret } from './authorization.ts';
export { type Fault, type FaultName, faults } from './faults.ts';
export type { TokenWishes } from './issuer.ts';
export { startVulnerableServer, type VulnerableServer } from './server.ts';
