// Lets a gateway of a benchmark answer refusals before their records are on disk: the product itself has no such switch.
import { registerHooks } from 'node:module';

const stub = new URL('no-settling.ts', import.meta.url).href;

registerHooks({
  resolve(specifier, context, next) {
    return specifier.endsWith('/settlers.ts') ? { url: stub, shortCircuit: true } : next(specifier, context);
  },
});
