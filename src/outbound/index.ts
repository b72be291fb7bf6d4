export { isPublicAddress } from './address.ts';
export { type BackOffOptions, backOffMs, retryAfterMs } from './back-off.ts';
export { OutboundError } from './error.ts';
export { createOutbound, type Outbound, type OutboundExchange, type OutboundRequest } from './fetch.ts';
export { publicLookup } from './lookup.ts';
export { type Delivery, type SignedHeaders, signWebhook } from './webhook.ts';
