/** What waits for a connection to one daemon: first in, first out, bounded in items and bytes. */
import type { Delivery } from "./call.js";

/**
 * Some seconds of the fastest sequential caller: a daemon that stops for that long still gets every command.
 */
const MAX_ITEMS = 10_000;

/** Frames are shared by all daemons of a call, so this bounds memory even when every daemon hangs. */
const MAX_BYTES = 64 * 1024 * 1024;

/** Taken items are cut off the array once there are this many, so that taking costs nothing. */
const COMPACT_AT = 1_024;

export class DeliveryQueue {
  #items: Delivery[] = [];
  #taken = 0;
  #bytes = 0;

  get length(): number {
    return this.#items.length - this.#taken;
  }

  /** Whether `delivery` has room; one alone always has, however long. */
  hasRoomFor(delivery: Delivery): boolean {
    return (
      this.length === 0 || (this.length < MAX_ITEMS && this.#bytes + delivery.call.frame.length <= MAX_BYTES)
    );
  }

  push(delivery: Delivery): void {
    this.#items.push(delivery);
    this.#bytes += delivery.call.frame.length;
  }

  get first(): Delivery | undefined {
    return this.#items[this.#taken];
  }

  shift(): Delivery | undefined {
    const delivery = this.#items[this.#taken];
    if (delivery === undefined) return undefined;
    this.#taken++;
    this.#bytes -= delivery.call.frame.length;
    if (this.#taken === this.#items.length) {
      this.#items = [];
      this.#taken = 0;
    } else if (this.#taken >= COMPACT_AT && this.#taken * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#taken);
      this.#taken = 0;
    }
    return delivery;
  }

  takeAll(): Delivery[] {
    const all = this.#items.slice(this.#taken);
    this.#items = [];
    this.#taken = 0;
    this.#bytes = 0;
    return all;
  }
}
