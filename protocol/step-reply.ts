/**
 * A reply whose items are found in steps, because there may be very many: the listener takes the steps, or the first reader of the items
 * takes all of them. A caller that runs other commands before that sees their changes.
 */
import type { Reply } from "./reply.js";
import { finish } from "./steps.js";

export class StepReply<Kind extends "array" | "map"> {
  readonly kind: Kind;
  readonly #work: Iterator<void, readonly Reply[]>;
  #items: readonly Reply[] | null = null;

  constructor(kind: Kind, work: Iterator<void, readonly Reply[]>) {
    this.kind = kind;
    this.#work = work;
  }

  *steps(): Generator<void, readonly Reply[]> {
    while (this.#items === null) {
      const step = this.#work.next();
      if (step.done === true) this.#items = step.value;
      else yield;
    }
    return this.#items;
  }

  get items(): readonly Reply[] {
    return this.#items ?? finish(this.steps());
  }
}

/** A reply of any kind that is found in steps: until `settled` returns it, an array of it alone. */
class SteppedReply extends StepReply<"array"> {
  constructor(work: Generator<void, Reply>) {
    super("array", alone(work));
  }
}

function* alone(work: Generator<void, Reply>): Generator<void, readonly Reply[]> {
  return [yield* work];
}

/**
 * Returns the reply of work.
 * @param takesSteps  whether the reply may be found in steps, of which the first is taken here; otherwise all of them are
 * @throws what those of the steps throw that run here
 */
export function repliedBy(work: Generator<void, Reply>, takesSteps: boolean | undefined): Reply {
  if (takesSteps !== true) return finish(work);
  const step = work.next();
  return step.done === true ? step.value : new SteppedReply(work);
}

/** The same reply, from now on what it is now. */
export function settled(reply: Reply): Reply {
  if (!(reply instanceof StepReply)) return reply;
  const items = finish(reply.steps());
  return reply instanceof SteppedReply ? (items[0] as Reply) : reply;
}
