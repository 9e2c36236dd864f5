/**
 * What an operator does where daemons cannot settle by themselves what lacks, only when the time to heal is over: leaves the
 * member out that has turned bad, if too few honest ones have been live with the folders that they have; starts one again
 * with the order to take a member's snapshot over.
 */
import { hexOf } from "../../protocol/version-2/envelope.js";
import type { Host, World } from "./world.js";

/** Of each host, so that what no order mends is told. */
const ORDERS_EACH = 2;

const isAsked =
  (order: string) =>
  ({ identity }: Host) =>
    order.endsWith(hexOf(identity.id));

export class Operator {
  readonly #world: World;
  readonly #given = new Map<Host, number>();

  constructor(world: World) {
    this.#world = world;
  }

  /** @returns whether there was something to order */
  order(): boolean {
    const { honest: hosts, ledger, trace } = this.#world;
    if (this.#leavesOut()) return true;
    for (const host of hosts) {
      const given = this.#given.get(host) ?? 0;
      const giver = given < ORDERS_EACH ? this.#giverOf(host) : null;
      if (giver === null) continue;
      this.#given.set(host, given + 1);
      ledger.ordered++;
      trace(host.name, () => `is to take the snapshot of ${giver.name}`);
      host.kill("restarted by its operator");
      host.order = giver.identity.id;
      host.start();
      return true;
    }
    return false;
  }

  #leavesOut(): boolean {
    const { settings, honest, trace, isBadOut } = this.#world;
    if (settings.byzantine === null || isBadOut || !honest.some((host) => this.#isUndecidable(host)))
      return false;
    this.#world.isBadOut = true;
    trace("world", () => "the bad member is left out");
    for (const { daemon } of honest) daemon?.peering.setPeers(daemon.ports.addresses);
    return true;
  }

  /** Whether those that could speak against one member's word are not most of the cluster, this one with them. */
  #isUndecidable(host: Host): boolean {
    if (host.daemon?.isLive === true) return false;
    const { honest, hosts } = this.#world;
    const others = honest.filter((other) => other !== host && other.hasServed);
    return 2 * (1 + others.length) <= hosts.length;
  }

  /** One that serves, and has forgotten what the host lacks or is what the host asks for; null: nobody. */
  #giverOf(host: Host): Host | null {
    const others = this.#world.honest.filter((other) => other !== host && other.daemon?.isLive === true);
    const lacks = (other: Host) => other.disk.forgotten().some((place) => !host.disk.holds(place));
    const asked = host.daemon?.peering.order ?? null;
    return others.find(lacks) ?? (asked === null ? null : (others.find(isAsked(asked)) ?? others[0] ?? null));
  }
}
