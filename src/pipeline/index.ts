export { type BodyBudget, createBodyBudget } from './body-budget.ts';
export { CallsInFlight } from './calls-in-flight.ts';
export { OpenStreams } from './open-streams.ts';
export { type Arrival, handle } from './pipeline.ts';
export { type IncomingRequest, type Reply, RequestHeaders } from './request.ts';
export type { ProtectedServer, Runtime } from './runtime.ts';
export { createSessionSeal, type SessionSeal } from './session-seal.ts';
export { TaskOwners } from './task-owners.ts';
