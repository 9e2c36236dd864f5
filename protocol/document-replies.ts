/** Replies with the entries of a document, or with their number, which are found in steps. */
import type { ByteString } from "./byte-string.js";
import { bulk, type Reply } from "./reply.js";
import { finish } from "./steps.js";

export interface DocumentEntries {
  /** One key for each text, or null if the keys are 0, 1, 2 and so on. A number is a numeric key. */
  readonly keys: readonly (ByteString | number)[] | null;
  readonly texts: readonly ByteString[];
  /** Absent if nothing is remembered about these entries. */
  readonly memo?: TextMemo | undefined;
  /**
   * Cuts the requested members of the entries from one index up to another out of their texts, in steps. Absent if all
   * are requested.
   */
  readonly parts?: ((from: number, to: number) => Generator<void, readonly ByteString[]>) | undefined;
}

/** A memory of which texts a listener may send unchanged, until the document changes. */
export interface TextMemo {
  /** Whether this is known of all entries from one index up to another. */
  areSame(from: number, to: number): boolean;
  noteSame(from: number, to: number): void;
}

export const keyIn = ({ keys }: DocumentEntries, at: number): ByteString =>
  keys === null ? String(at) : String(keys[at]);

/**
 * A reply with the entries of a document at one moment: their keys and JSON texts. Its items are created only if they
 * are read; the listener for JSON lines joins the texts instead. Finding the entries may take several steps.
 */
export class DocumentEntriesReply {
  readonly kind = "map";
  #work: Iterator<void, DocumentEntries> | null = null;
  #found: DocumentEntries | null = null;
  #items: readonly Reply[] | null = null;

  /** Creates a reply. @param work  the entries, or an iterator that finds them and does not see later changes */
  constructor(work: DocumentEntries | Iterator<void, DocumentEntries>) {
    if ("next" in work) this.#work = work;
    else this.#found = work;
  }

  /** Finds the entries in steps. */
  *steps(): Generator<void, DocumentEntries> {
    if (this.#work === null) return this.found;
    for (;;) {
      const step = this.#work.next();
      if (step.done === true) return (this.#found ??= step.value);
      yield;
    }
  }

  /** Finds the entries in steps, and replaces their texts by the requested members. */
  *completeSteps(): Generator<void, DocumentEntries> {
    const entries = yield* this.steps();
    const { keys, texts, parts } = entries;
    if (parts === undefined) return entries;
    return (this.#found = { keys, texts: yield* parts(0, texts.length) });
  }

  get found(): DocumentEntries {
    this.#found ??= finish(this.#work as Iterator<void, DocumentEntries>);
    return this.#found;
  }

  /** Whether the entries have not been found yet, or their parts are not cut out yet. */
  get isPending(): boolean {
    return this.#found === null || this.#found.parts !== undefined;
  }

  get size(): number {
    return this.found.texts.length;
  }

  /** The keys and texts, alternating. */
  get items(): readonly Reply[] {
    if (this.#items !== null) return this.#items;
    const entries = finish(this.completeSteps());
    return (this.#items = entries.texts.flatMap((text, at) => [bulk(keyIn(entries, at)), bulk(text)]));
  }
}

/** A reply with the number of entries. */
export class CountReply {
  readonly kind = "integer";
  readonly entries: DocumentEntriesReply;

  constructor(entries: DocumentEntriesReply) {
    this.entries = entries;
  }

  get value(): number {
    return this.entries.size;
  }
}
