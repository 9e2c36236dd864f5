import type { ByteString } from "../../../../protocol/byte-string.js";
import type { OrderKey } from "../../../timeline/entries/entry.js";

interface PendingRequest {
  readonly orderKey: OrderKey;
  from: number;
  /** The bits of the other members that have offered the entry. */
  others: number;
  /** The time of the request, in milliseconds of uptime. */
  at: number;
}

/**
 * The entries that this daemon has requested from members. It requests each entry from one member at a time. If that
 * member does not reply, it requests the entry from the next member that has offered it. If no member sends an entry,
 * reconciliation transfers it later. Sets of members are numbers in which each member has one bit.
 */
export class PendingRequests {
  readonly #limits: { readonly requestMs: number; readonly maxRequests: number };
  /** Pending requests, in the order in which they were sent. */
  readonly #requests = new Map<ByteString, PendingRequest>();
  readonly #counts = new Map<number, number>();

  constructor(limits: { readonly requestMs: number; readonly maxRequests: number }) {
    this.#limits = limits;
  }

  /** Returns the number of requested entries that a member has not sent yet. */
  countOf(bit: number): number {
    return this.#counts.get(bit) ?? 0;
  }

  /**
   * Records that a member has offered an entry that this daemon does not have.
   * @returns whether to request the entry from that member
   */
  offered(orderKey: OrderKey, bit: number, now: number): boolean {
    const request = this.#requests.get(orderKey.id);
    if (request !== undefined) {
      if (request.from !== bit) request.others |= bit;
      return false;
    }

    if (this.#requests.size >= this.#limits.maxRequests) return false;
    const { at, seq, id } = orderKey;
    this.#request({ orderKey: { at, seq, id }, from: bit, others: 0, at: now });
    return true;
  }

  arrived(id: ByteString): void {
    const request = this.#requests.get(id);
    if (request !== undefined) this.#forget(request);
  }

  /**
   * Returns the overdue requests, grouped by the member to which they must now be sent.
   * @param live  the bits of connected members
   */
  overdue(now: number, live: number): ReadonlyMap<number, OrderKey[]> {
    const late: PendingRequest[] = [];
    for (const request of this.#requests.values()) {
      if (now - request.at < this.#limits.requestMs) break;
      late.push(request);
    }
    return this.#requestElsewhere(late, now, live);
  }

  /** Returns the requests to a member that has disconnected, grouped by the member to which they must now be sent. */
  disconnected(bit: number, now: number, live: number): ReadonlyMap<number, OrderKey[]> {
    const lost = [...this.#requests.values()].filter(({ from }) => from === bit);
    return this.#requestElsewhere(lost, now, live);
  }

  /** Forgets a bit that has no pending requests, so that it can be assigned to another member. */
  forgetMember(bit: number): void {
    for (const request of this.#requests.values()) request.others &= ~bit;
    this.#counts.delete(bit);
  }

  #requestElsewhere(
    requests: readonly PendingRequest[],
    now: number,
    live: number,
  ): ReadonlyMap<number, OrderKey[]> {
    const requested = new Map<number, OrderKey[]>();
    for (const request of requests) {
      this.#forget(request);
      const others = request.others & live;
      const from = others & -others;
      if (from === 0) continue;

      this.#request({ orderKey: request.orderKey, from, others: others & ~from, at: now });
      const orderKeys = requested.get(from);
      if (orderKeys === undefined) requested.set(from, [request.orderKey]);
      else orderKeys.push(request.orderKey);
    }

    return requested;
  }

  #request(request: PendingRequest): void {
    this.#requests.set(request.orderKey.id, request);
    this.#counts.set(request.from, this.countOf(request.from) + 1);
  }

  #forget(request: PendingRequest): void {
    this.#requests.delete(request.orderKey.id);
    this.#counts.set(request.from, this.countOf(request.from) - 1);
  }
}
