/** Thrown at the first thing that is wrong, and caught in `compile.ts`. */
export class TypeFault extends Error {
  override readonly name = 'TypeFault';
  readonly at: bigint;
  readonly hint: string | undefined;
  /** A name that is not known, and those that are. */
  readonly names: { readonly typed: string; readonly known: readonly string[] } | undefined;

  constructor(at: bigint, message: string, more: Pick<Partial<TypeFault>, 'hint' | 'names'> = {}) {
    super(message);
    this.at = at;
    this.hint = more.hint;
    this.names = more.names;
  }
}
