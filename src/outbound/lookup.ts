import { type LookupAddress, type LookupAllOptions, lookup as systemLookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { isPublicAddress } from './address.ts';
import { OutboundError } from './error.ts';

type Resolve = (
  hostname: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/**
 * Checks the very addresses that the socket will use: a name that changes its mind between two look-ups gains nothing. One private
 * address among public ones spoils the name.
 */
export function publicLookup(resolve: Resolve): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, '', 0);
      const first = addresses[0];
      if (!first || !addresses.every(({ address }) => isPublicAddress(address))) {
        return callback(new OutboundError(`${hostname} is not a public address`), '', 0);
      }
      return options.all ? callback(null, addresses) : callback(null, first.address, first.family);
    });
  };
}

/** Always these, whatever the name says by now. */
function pinnedLookup(pinned: readonly string[]): LookupFunction {
  const addresses = pinned.map((address) => ({ address, family: isIP(address) }));
  return (hostname, options, callback) => {
    const [first] = addresses;
    if (first === undefined) return callback(new OutboundError(`${hostname} has no address`), '', 0);
    return options.all ? callback(null, addresses) : callback(null, first.address, first.family);
  };
}

/** The look-up of one connection; none of our own where any address will do. */
export function lookupFor(
  reach: 'any' | 'public',
  pinned: readonly string[] | undefined,
): { lookup?: LookupFunction } {
  if (reach === 'public') return { lookup: publicLookup(systemLookup) };
  return pinned === undefined ? {} : { lookup: pinnedLookup(pinned) };
}
