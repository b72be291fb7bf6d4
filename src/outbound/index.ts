export { isPublicAddress } from './address.ts';
export { type BackOffOptions, backOffMs, retryAfterMs } from './back-off.ts';
export { OutboundError } from './error.ts';
export { createOutbound, type Outbound, type OutboundExchange, type OutboundRequest } from './fetch.ts';
export { publicLookup } from './lookup.ts';
export { type ProbeAnswer, type ProbeRequest, probe } from './probe.ts';
export { reachesPrivateAddress, readTarget } from './target.ts';
export { inspectTls, type TlsFacts } from './tls-facts.ts';
export { type Delivery, type SignedHeaders, signWebhook } from './webhook.ts';
