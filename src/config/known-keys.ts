import { z } from 'zod';
import type { Path } from './source.ts';

/** The keys that a map at `path` may have, over every alternative of a union; empty where any name is allowed. */
export function knownKeys(schema: z.ZodType, path: Path): string[] {
  const keys = alternatives(schema).flatMap((option): string[] => {
    const [part, ...rest] = path;
    if (part === undefined) return option instanceof z.ZodObject ? Object.keys(option.shape) : [];
    const inner = child(option, part);
    return inner ? knownKeys(inner, rest) : [];
  });
  return [...new Set(keys)];
}

/** Takes off what does not change the shape (optional, default) and opens unions. */
function alternatives(schema: z.ZodType): z.ZodType[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    return alternatives(schema.unwrap() as z.ZodType);
  }
  if (schema instanceof z.ZodUnion)
    return schema.options.flatMap((option) => alternatives(option as z.ZodType));
  return [schema];
}

function child(schema: z.ZodType, part: string | number): z.ZodType | null {
  if (schema instanceof z.ZodObject) return (schema.shape[part] as z.ZodType | undefined) ?? null;
  if (schema instanceof z.ZodRecord) return schema.valueType as z.ZodType;
  if (schema instanceof z.ZodArray) return schema.element as z.ZodType;
  return null;
}
