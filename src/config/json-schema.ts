import { z } from 'zod';
import { fileSchema } from './schema.ts';

/** JSON Schema of the configuration file, for editors. What it lets through, `config check` may still refuse. */
export function configJsonSchema(): object {
  return { title: 'Portcullis configuration', ...z.toJSONSchema(fileSchema, { io: 'input' }) };
}
