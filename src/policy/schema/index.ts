export { type CompiledSchema, compileSchema, type Verdict } from './compile.ts';
export { SchemaFault } from './document.ts';
