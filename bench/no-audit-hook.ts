// Puts a trail that writes nothing into the gateway of a benchmark: the product itself has no such switch.
import { registerHooks } from 'node:module';

const stub = new URL('no-audit.ts', import.meta.url).href;

registerHooks({
  resolve(specifier, context, next) {
    return /\/(?:wire-audit|orphans)\.ts$/.test(specifier)
      ? { url: stub, shortCircuit: true }
      : next(specifier, context);
  },
});
