/**
 * Entries that members have and this daemon has requested. Each is requested from one member at a time; if that member
 * does not reply, from the next that offered it. An entry that no member sends is left to reconciliation. Members are
 * bits of a number.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Place } from "../../../timeline/entries/entry.js";

interface PendingRequest {
  readonly place: Place;
  from: number;
  /** Further members that have offered it. */
  others: number;
  /** When it was requested; `uptime` milliseconds. */
  at: number;
}

export class PendingRequests {
  readonly #limits: { readonly requestMs: number; readonly maxRequests: number };
  /** Pending requests, in the order in which they were sent. */
  readonly #requests = new Map<ByteString, PendingRequest>();
  readonly #counts = new Map<number, number>();

  constructor(limits: { readonly requestMs: number; readonly maxRequests: number }) {
    this.#limits = limits;
  }

  /** Returns how many requested entries a member has not sent yet. */
  countOf(bit: number): number {
    return this.#counts.get(bit) ?? 0;
  }

  /**
   * Notes that a member has an entry that is missing here.
   * @returns whether to request it
   */
  offered(place: Place, bit: number, now: number): boolean {
    const request = this.#requests.get(place.id);
    if (request !== undefined) {
      if (request.from !== bit) request.others |= bit;
      return false;
    }
    if (this.#requests.size >= this.#limits.maxRequests) return false;
    const { at, seq, id } = place;
    this.#request({ place: { at, seq, id }, from: bit, others: 0, at: now });
    return true;
  }

  arrived(id: ByteString): void {
    const request = this.#requests.get(id);
    if (request !== undefined) this.#forget(request);
  }

  /** Returns overdue requests, by the member to send them to next. @param live  members that are connected */
  overdue(now: number, live: number): ReadonlyMap<number, Place[]> {
    const late: PendingRequest[] = [];
    for (const request of this.#requests.values()) {
      if (now - request.at < this.#limits.requestMs) break;
      late.push(request);
    }
    return this.#requestElsewhere(late, now, live);
  }

  /** Returns the requests to a member that has disconnected, by the member to send them to next. */
  disconnected(bit: number, now: number, live: number): ReadonlyMap<number, Place[]> {
    const lost = [...this.#requests.values()].filter(({ from }) => from === bit);
    return this.#requestElsewhere(lost, now, live);
  }

  /** Forgets a bit without pending requests: another member receives it from now on. */
  forget(bit: number): void {
    for (const request of this.#requests.values()) request.others &= ~bit;
    this.#counts.delete(bit);
  }

  #requestElsewhere(
    requests: readonly PendingRequest[],
    now: number,
    live: number,
  ): ReadonlyMap<number, Place[]> {
    const requested = new Map<number, Place[]>();
    for (const request of requests) {
      this.#forget(request);
      const others = request.others & live;
      const from = others & -others;
      if (from === 0) continue;
      this.#request({ place: request.place, from, others: others & ~from, at: now });
      const places = requested.get(from);
      if (places === undefined) requested.set(from, [request.place]);
      else places.push(request.place);
    }
    return requested;
  }

  #request(request: PendingRequest): void {
    this.#requests.set(request.place.id, request);
    this.#counts.set(request.from, this.countOf(request.from) + 1);
  }

  #forget(request: PendingRequest): void {
    this.#requests.delete(request.place.id);
    this.#counts.set(request.from, this.countOf(request.from) - 1);
  }
}
