/**
 * Incoming connections that are not authenticated yet. Their number is limited for each address and in total. If there
 * is no slot left, the oldest connection is closed in favor of the newest one: a member needs its slot for one round
 * trip only, so the oldest connection is unlikely to be a member's. The id that a client claims in its hello has no
 * influence on the slots.
 */

import type { PeeringLimits } from "../shared/peering-limits.js";
import type { MemberConnection } from "./member-connection.js";

export class Handshakes {
  readonly #limits: PeeringLimits;
  /** Connections by subnet, the oldest first. */
  readonly #subnets = new Map<string, Set<MemberConnection>>();
  #size = 0;

  constructor(limits: PeeringLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#size;
  }

  *[Symbol.iterator](): Generator<MemberConnection> {
    for (const connections of this.#subnets.values()) yield* connections;
  }

  /**
   * Adds a connection.
   * @returns the connection that lost its slot, which the caller must close, or null if a slot was free
   */
  add(connection: MemberConnection): MemberConnection | null {
    const subnet = subnetOf(connection.remote);
    const others = this.#subnets.get(subnet);
    const isFull = (others?.size ?? 0) >= this.#limits.maxHandshakesOfAddress;
    const crowd = isFull ? others : this.#size >= this.#limits.maxHandshakes ? this.#largest() : undefined;
    const [oldest = null] = crowd ?? [];

    if (oldest !== null) this.delete(oldest);
    const own = this.#subnets.get(subnet) ?? new Set();
    this.#subnets.set(subnet, own.add(connection));
    this.#size++;
    return oldest;
  }

  delete(connection: MemberConnection): void {
    const subnet = subnetOf(connection.remote);
    const connections = this.#subnets.get(subnet);
    if (connections?.delete(connection) !== true) return;
    this.#size--;
    if (connections.size === 0) this.#subnets.delete(subnet);
  }

  #largest(): Set<MemberConnection> | undefined {
    let largest: Set<MemberConnection> | undefined;
    for (const connections of this.#subnets.values())
      if (largest === undefined || connections.size > largest.size) largest = connections;
    return largest;
  }
}

/**
 * Returns the subnet that counts as one client: an IPv4 address, or the 64-bit prefix of an IPv6 address, which one
 * client usually has.
 * @param remote  an address and a port
 */
export function subnetOf(remote: string): string {
  const address = remote
    .replace(/:\d+$/, "")
    .replace(/^\[(.*)\]$/, "$1")
    .replace(/%.*$/, "")
    .replace(/^::ffff:(?=\d+\.)/i, "");
  if (!address.includes(":")) return address;

  const [head = "", tail] = address.split("::");
  const groups = head === "" ? [] : head.split(":");
  const rest = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - groups.length - rest.length);
  const all = [...groups, ...new Array<string>(zeros).fill("0"), ...rest];

  return all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":");
}
