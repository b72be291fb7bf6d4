/** Why a document could not be had. The message names the host, never what it answered. */
export class OutboundError extends Error {
  override readonly name = 'OutboundError';
}
