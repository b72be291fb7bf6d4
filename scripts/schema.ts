// Writes schema/*.schema.json, which editors and SIEMs read. Tests hold them to the sources.
import { writeFileSync } from 'node:fs';
import { auditJsonSchema } from '../src/audit/index.ts';
import { configJsonSchema } from '../src/config/index.ts';

for (const [name, schema] of [
  ['config', configJsonSchema()],
  ['audit-record', auditJsonSchema()],
] as const) {
  const file = new URL(`../schema/${name}.schema.json`, import.meta.url);
  writeFileSync(file, `${JSON.stringify(schema, null, 2)}\n`);
}
