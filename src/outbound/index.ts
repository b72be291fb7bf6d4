export { isPublicAddress } from './address.ts';
export { createOutbound, type Outbound, OutboundError, type OutboundRequest } from './fetch.ts';
