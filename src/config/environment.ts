/** Environment variables by name. Read once, in `load.ts`, and handed on. */
export type Environment = Readonly<Record<string, string | undefined>>;
