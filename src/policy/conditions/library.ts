import { createRequire } from 'node:module';

type Cel = typeof import('@bufbuild/cel');
type WellKnownTypes = typeof import('@bufbuild/protobuf/wkt');

export interface Library extends Cel {
  readonly timestampFromMs: WellKnownTypes['timestampFromMs'];
}

let loaded: Library | null = null;

/** Loaded with the first condition: most configurations have none, and it takes 20 MB. */
export function library(): Library {
  if (loaded === null) {
    const require = createRequire(import.meta.url);
    const { timestampFromMs } = require('@bufbuild/protobuf/wkt') as WellKnownTypes;
    loaded = { ...(require('@bufbuild/cel') as Cel), timestampFromMs };
  }
  return loaded;
}

/** A node of the syntax tree, in the form of the CEL specification (cel/expr/syntax.proto). */
export type Expression = NonNullable<ReturnType<Cel['parse']>['expr']>;
