/** An index of items by their tags. */

export class TagIndex<Item> {
  readonly #items = new Map<string, Set<Item>>();

  add(item: Item, tags: readonly string[]): void {
    for (const tag of tags) {
      const items = this.#items.get(tag);
      if (items === undefined) this.#items.set(tag, new Set([item]));
      else items.add(item);
    }
  }

  delete(item: Item, tags: readonly string[]): void {
    for (const tag of tags) {
      const items = this.#items.get(tag);
      items?.delete(item);
      if (items?.size === 0) this.#items.delete(tag);
    }
  }

  /** Returns the items that have one of the tags, as a copy, because items may be deleted during the iteration. */
  of(tags: readonly string[]): readonly Item[] {
    return tags.flatMap((tag) => [...(this.#items.get(tag) ?? [])]);
  }
}
