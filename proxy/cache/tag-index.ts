/** An index of things by their tags. */

export class TagIndex<Thing> {
  readonly #things = new Map<string, Set<Thing>>();

  add(thing: Thing, tags: readonly string[]): void {
    for (const tag of tags) {
      const things = this.#things.get(tag);
      if (things === undefined) this.#things.set(tag, new Set([thing]));
      else things.add(thing);
    }
  }

  delete(thing: Thing, tags: readonly string[]): void {
    for (const tag of tags) {
      const things = this.#things.get(tag);
      things?.delete(thing);
      if (things?.size === 0) this.#things.delete(tag);
    }
  }

  /** Returns the things that have one of the tags; a copy, as things may be deleted meanwhile. */
  of(tags: readonly string[]): readonly Thing[] {
    return tags.flatMap((tag) => [...(this.#things.get(tag) ?? [])]);
  }
}
