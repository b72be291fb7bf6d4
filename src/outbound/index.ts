export { isPublicAddress } from './address.ts';
export { OutboundError } from './error.ts';
export { createOutbound, type Outbound, type OutboundExchange, type OutboundRequest } from './fetch.ts';
export { publicLookup } from './lookup.ts';
