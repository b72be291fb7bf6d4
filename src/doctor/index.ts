export { type Diagnosis, diagnose, type Report, type Verdict } from './doctor.ts';
export type { Finding } from './finding.ts';
export { recogniseProvider } from './identity-providers.ts';
export { type ClientProfile, clientProfiles } from './profiles.ts';
