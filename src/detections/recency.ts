interface Node<V> {
  readonly key: string;
  value: V;
  older: Node<V> | null;
  newer: Node<V> | null;
}

/**
 * A map that knows which key was set longest ago, in constant time. A plain Map whose first entries are removed over and
 * over takes ever longer to say which is first: under a flood that would be the flood's work for us.
 */
export class Recency<V> {
  readonly #nodes = new Map<string, Node<V>>();
  #oldest: Node<V> | null = null;
  #newest: Node<V> | null = null;

  get size(): number {
    return this.#nodes.size;
  }

  oldest(): { readonly key: string; readonly value: V } | null {
    return this.#oldest;
  }

  get(key: string): V | undefined {
    return this.#nodes.get(key)?.value;
  }

  /** Puts the key last. */
  set(key: string, value: V): void {
    const known = this.#nodes.get(key);
    if (known) this.#unlink(known);
    const node = known ?? { key, value, older: null, newer: null };
    node.value = value;
    node.older = this.#newest;
    if (this.#newest) this.#newest.newer = node;
    else this.#oldest = node;
    this.#newest = node;
    if (!known) this.#nodes.set(key, node);
  }

  /** Removes the key. @returns its value */
  take(key: string): V | undefined {
    const node = this.#nodes.get(key);
    if (!node) return undefined;
    this.#nodes.delete(key);
    this.#unlink(node);
    return node.value;
  }

  #unlink(node: Node<V>): void {
    if (node.older) node.older.newer = node.newer;
    else this.#oldest = node.newer;
    if (node.newer) node.newer.older = node.older;
    else this.#newest = node.older;
    node.older = null;
    node.newer = null;
  }
}
