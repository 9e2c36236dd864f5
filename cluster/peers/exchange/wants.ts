/**
 * Entries that members have and this daemon has requested: each from one member at a time, and from the next that
 * offered it when the first does not answer. What no member sends is left to reconciliation. Members are bits of a
 * number.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Place } from "../../../timeline/entries/entry.js";

interface Want {
  readonly place: Place;
  from: number;
  /** Further members that have offered it. */
  others: number;
  /** When it was asked for; `uptime` milliseconds. */
  at: number;
}

export class Wants {
  readonly #limits: { readonly wantMs: number; readonly maxWants: number };
  /** Pending requests, in the order in which they were sent. */
  readonly #wants = new Map<ByteString, Want>();
  readonly #counts = new Map<number, number>();

  constructor(limits: { readonly wantMs: number; readonly maxWants: number }) {
    this.#limits = limits;
  }

  /** Asked of a member and not come. */
  countOf(bit: number): number {
    return this.#counts.get(bit) ?? 0;
  }

  /**
   * A member has an entry that is not here.
   * @returns whether to ask it
   */
  offered(place: Place, bit: number, now: number): boolean {
    const want = this.#wants.get(place.id);
    if (want !== undefined) {
      if (want.from !== bit) want.others |= bit;
      return false;
    }
    if (this.#wants.size >= this.#limits.maxWants) return false;
    const { at, seq, id } = place;
    this.#ask({ place: { at, seq, id }, from: bit, others: 0, at: now });
    return true;
  }

  arrived(id: ByteString): void {
    const want = this.#wants.get(id);
    if (want !== undefined) this.#forget(want);
  }

  /** Returns overdue requests, by the member to ask next. @param live  members that are connected */
  overdue(now: number, live: number): ReadonlyMap<number, Place[]> {
    const late: Want[] = [];
    for (const want of this.#wants.values()) {
      if (now - want.at < this.#limits.wantMs) break;
      late.push(want);
    }
    return this.#askOthers(late, now, live);
  }

  /** Returns requests to a member that has disconnected, by the member to ask next. */
  disconnected(bit: number, now: number, live: number): ReadonlyMap<number, Place[]> {
    const lost = [...this.#wants.values()].filter(({ from }) => from === bit);
    return this.#askOthers(lost, now, live);
  }

  /** Forgets a bit without pending requests, which another member gets from now on. */
  forget(bit: number): void {
    for (const want of this.#wants.values()) want.others &= ~bit;
    this.#counts.delete(bit);
  }

  #askOthers(wants: readonly Want[], now: number, live: number): ReadonlyMap<number, Place[]> {
    const asked = new Map<number, Place[]>();
    for (const want of wants) {
      this.#forget(want);
      const others = want.others & live;
      const from = others & -others;
      if (from === 0) continue;
      this.#ask({ place: want.place, from, others: others & ~from, at: now });
      const places = asked.get(from);
      if (places === undefined) asked.set(from, [want.place]);
      else places.push(want.place);
    }
    return asked;
  }

  #ask(want: Want): void {
    this.#wants.set(want.place.id, want);
    this.#counts.set(want.from, this.countOf(want.from) + 1);
  }

  #forget(want: Want): void {
    this.#wants.delete(want.place.id);
    this.#counts.set(want.from, this.countOf(want.from) - 1);
  }
}
