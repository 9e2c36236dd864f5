/**
 * The indexes of a document, by the names of their members. The set of indexes is part of the state; their contents are
 * not.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { DocumentIndex } from "./document-index.js";

export class DocumentIndexes {
  /** The indexes, sorted by name. */
  #indexes: readonly DocumentIndex[] = [];

  get fields(): readonly ByteString[] {
    return this.#indexes.map(({ field }) => field);
  }

  set fields(fields: readonly ByteString[]) {
    const known = new Map(this.#indexes.map((index) => [index.field, index]));
    this.#indexes = fields.toSorted().map((field) => known.get(field) ?? new DocumentIndex(field));
  }

  /** Whether at least one index has been built. */
  get areMade(): boolean {
    return this.#indexes.some(({ isMade }) => isMade);
  }

  find(field: ByteString): DocumentIndex | undefined {
    return this.#indexes.find((index) => index.field === field);
  }

  add(rank: number, text: ByteString): void {
    for (const index of this.#indexes) index.add(rank, text);
  }

  remove(rank: number, text: ByteString): void {
    for (const index of this.#indexes) index.remove(rank, text);
  }

  /** Marks all indexes as out of date; each is rebuilt on its next use. */
  forget(): void {
    for (const index of this.#indexes) index.forget();
  }
}
