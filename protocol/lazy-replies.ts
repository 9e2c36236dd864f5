/**
 * Replies with very many items, which are found in steps, or created only if they are read: in general, of strings, and of
 * the entries of a document.
 */
import type { ByteString } from "./byte-string.js";
import { bulk, type Reply, type ValueReply } from "./reply.js";
import { finish } from "./steps.js";

/**
 * A reply whose items are found in steps. The listener runs the steps, or the first access to the items runs all of
 * them. If other commands run before that, the items include their changes.
 */
export class StepReply<Kind extends "array" | "map"> {
  readonly kind: Kind;
  readonly #work: Iterator<void, readonly Reply[]>;
  #items: readonly Reply[] | null = null;

  constructor(kind: Kind, work: Iterator<void, readonly Reply[]>) {
    this.kind = kind;
    this.#work = work;
  }

  /** Finds the items. A caller that ends the steps early ends the work. */
  *steps(): Generator<void, readonly Reply[]> {
    try {
      while (this.#items === null) {
        const step = this.#work.next();
        if (step.done === true) this.#items = step.value;
        else yield;
      }
      return this.#items;
    } finally {
      if (this.#items === null) this.#work.return?.();
    }
  }

  get items(): readonly Reply[] {
    return this.#items ?? finish(this.steps());
  }
}

/**
 * A reply of any kind that is found in steps. It has the form of an array whose only item is the actual reply, which
 * `withItemsFound` returns.
 */
class SteppedReply extends StepReply<"array"> {
  constructor(work: Generator<void, Reply>) {
    super("array", alone(work));
  }
}

function* alone(work: Generator<void, Reply>): Generator<void, readonly Reply[]> {
  return [yield* work];
}

/**
 * Returns the reply that work produces.
 * @param takesSteps  whether the reply may be found in steps, of which only the first runs here; otherwise all of them
 *   run here
 * @throws the errors of the steps that run here
 */
export function replyOfSteps(work: Generator<void, Reply>, takesSteps: boolean | undefined): Reply {
  if (takesSteps !== true) return finish(work);
  const step = work.next();
  return step.done === true ? step.value : new SteppedReply(work);
}

/** Returns the reply with its items found now, so that later changes do not affect it. */
export function withItemsFound(reply: Reply): Reply {
  if (!(reply instanceof StepReply)) return reply;
  const items = finish(reply.steps());
  return reply instanceof SteppedReply ? (items[0] as Reply) : reply;
}

/** The minimum number of strings for a lazy reply. */
const MANY = 256;

type BulksKind = "array" | "set" | "map";

/**
 * A reply of many bulk strings whose items are created only if they are read. A million objects would cost more than
 * finding the strings, and writers need only the strings.
 */
export class LazyBulkReply<Kind extends BulksKind> {
  readonly kind: Kind;
  readonly values: readonly ByteString[];
  #items: readonly Reply[] | null = null;

  constructor(kind: Kind, values: readonly ByteString[]) {
    this.kind = kind;
    this.values = values;
  }

  get items(): readonly Reply[] {
    this.#items ??= this.values.map(bulk);
    return this.#items;
  }
}

/**
 * Returns a reply of bulk strings.
 * @param values  many values are copied, because the reply may be written after they have changed
 */
export function bulksReply(kind: BulksKind, values: readonly ByteString[]): ValueReply {
  return values.length < MANY ? { kind, items: values.map(bulk) } : many(kind, values.slice());
}

function many(kind: BulksKind, values: readonly ByteString[]): ValueReply {
  // Each case has its own type, which TypeScript does not infer for a union.
  switch (kind) {
    case "array":
      return new LazyBulkReply(kind, values);
    case "set":
      return new LazyBulkReply(kind, values);
    case "map":
      return new LazyBulkReply(kind, values);
  }
}

export interface DocumentEntries {
  /** One key for each text, or null if the keys are 0, 1, 2 and so on. A number is a numeric key. */
  readonly keys: readonly (ByteString | number)[] | null;
  readonly texts: readonly ByteString[];
  /** Absent if nothing is remembered about these entries. */
  readonly memo?: TextMemo | undefined;
  /**
   * Cuts the returned parts of the entries from one index up to another out of their texts, in steps. Absent if the
   * entries are returned completely.
   */
  readonly parts?: ((from: number, to: number) => Generator<void, readonly ByteString[]>) | undefined;
}

/** Remembers which texts a listener sends as they are stored, until the document changes. */
export interface TextMemo {
  /** Whether all entries from one index up to another are known to be such. */
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

  /** Finds the entries in steps, and replaces their texts by the returned parts. */
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
