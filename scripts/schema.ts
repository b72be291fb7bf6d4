// Writes schema/config.schema.json, which editors read. A test holds it to the sources.
import { writeFileSync } from 'node:fs';
import { configJsonSchema } from '../src/config/index.ts';

writeFileSync(
  new URL('../schema/config.schema.json', import.meta.url),
  `${JSON.stringify(configJsonSchema(), null, 2)}\n`,
);
