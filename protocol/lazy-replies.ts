/**
 * Replies with very many items. The items of a stepped reply are found in steps, after the command. The items of a lazy
 * reply have been found, but are created only if they are read.
 */
import type { ByteString } from "./byte-string.js";
import { bulk, type Reply, type ValueReply } from "./reply.js";
import { finish } from "./steps.js";

/**
 * A reply whose items are found in steps. The listener runs the steps, or the first access to the items runs all of
 * them. If other commands run before that, the items include their changes.
 */
export class SteppedReply<Kind extends "array" | "map"> {
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
 * `finishReply` returns.
 */
class SteppedSingleReply extends SteppedReply<"array"> {
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
  return step.done === true ? step.value : new SteppedSingleReply(work);
}

/** Returns the reply after running the remaining steps of a stepped reply, so that later changes do not affect it. */
export function finishReply(reply: Reply): Reply {
  if (!(reply instanceof SteppedReply)) return reply;
  const items = finish(reply.steps());
  return reply instanceof SteppedSingleReply ? (items[0] as Reply) : reply;
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
