/**
 * A reply whose items are found in steps, because there may be very many: by whom it is for, or all at once as soon as somebody asks for
 * them. Who runs other commands before that sees what these change.
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
export class SteppedReply extends StepReply<"array"> {
  constructor(work: Iterator<void, Reply>) {
    super("array", alone(work));
  }
}

function* alone(work: Iterator<void, Reply>): Generator<void, readonly Reply[]> {
  for (;;) {
    const step = work.next();
    if (step.done === true) return [step.value];
    yield;
  }
}

/** Takes the first step of work, and returns its reply: that itself if there is no further step. @throws what the step throws */
export function begun(work: Iterator<void, Reply>): Reply {
  const step = work.next();
  return step.done === true ? step.value : new SteppedReply(work);
}

/** The same reply, from now on what it is now. */
export function settled(reply: Reply): Reply {
  if (!(reply instanceof StepReply)) return reply;
  const items = finish(reply.steps());
  return reply instanceof SteppedReply ? (items[0] as Reply) : reply;
}
