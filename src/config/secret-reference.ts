import { z } from 'zod';
import { environmentName } from './values.ts';

const nonEmpty = z.string().min(1).max(4096);

export const fileReference = z.strictObject({ file: nonEmpty });

export const secretReference = z
  .union([
    z.strictObject({ env: environmentName }),
    fileReference,
    z.strictObject({ command: z.array(nonEmpty).min(1).max(64) }),
  ])
  .meta({
    description:
      'Where a secret is kept: { env: NAME }, { file: /path } or { command: [program, argument] }.',
  });
