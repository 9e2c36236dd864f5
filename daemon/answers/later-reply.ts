/**
 * A reply that is still to come, and one who waits for it. A promise does the same for more than ten times as much work:
 * commands that are recorded come by the hundred in a turn.
 */
import type { Reply } from "../../protocol/reply.js";

/** Who waits: an object, since one that is there for the command anyway takes less than a function made for it. */
export interface Listener<Awaited> {
  /** Once. */
  told(awaited: Awaited): void;
}

export interface Later<Awaited> {
  readonly kind: "later";
  /** @param listener  the only one; told at once if what is awaited is there */
  tell(listener: Listener<Awaited>): void;
}

export type LaterReply = Later<Reply>;

/** @param listener  told of what comes later, as the one who waits for it */
export function whenThere<Awaited>(
  later: Promise<Awaited> | Later<Awaited>,
  listener: Listener<Awaited>,
): void {
  if (later instanceof Promise) later.then((awaited) => listener.told(awaited));
  else later.tell(listener);
}

/** What is made of something that is still to come, with what was known when it was asked for. */
export class MadeLater<Awaited, Known, Made> implements Later<Made>, Listener<Awaited> {
  readonly kind = "later";
  readonly #later: Promise<Awaited> | Later<Awaited>;
  readonly #known: Known;
  readonly #make: (awaited: Awaited, known: Known) => Made;
  #listener: Listener<Made> | null = null;

  /** @param make  one function for many: what differs is `known` */
  constructor(
    later: Promise<Awaited> | Later<Awaited>,
    known: Known,
    make: (awaited: Awaited, known: Known) => Made,
  ) {
    this.#later = later;
    this.#known = known;
    this.#make = make;
  }

  tell(listener: Listener<Made>): void {
    this.#listener = listener;
    whenThere(this.#later, this);
  }

  told(awaited: Awaited): void {
    this.#listener?.told(this.#make(awaited, this.#known));
  }
}
