/**
 * What an operator does when daemons cannot converge by themselves, only after the time to heal: removes the byzantine
 * member if too few honest ones have been live with their present folders, or restarts a daemon with the order to take
 * a member's snapshot.
 */
import { hexOf } from "../../protocol/version-2/envelope.js";
import type { Host, World } from "./world.js";

/** Maximum number of orders per host, so that a problem that orders do not solve is reported. */
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

  /** Orders the next step. @returns whether there was one */
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

  /**
   * Whether the members that could contradict a single member's report are, with this host, no majority of the cluster.
   */
  #isUndecidable(host: Host): boolean {
    if (host.daemon?.isLive === true) return false;
    const { honest, hosts } = this.#world;
    const others = honest.filter((other) => other !== host && other.hasServed);
    return 2 * (1 + others.length) <= hosts.length;
  }

  /**
   * Returns a serving daemon that has forgotten what the host misses, or that is the one the host requests; null: none.
   */
  #giverOf(host: Host): Host | null {
    const others = this.#world.honest.filter((other) => other !== host && other.daemon?.isLive === true);
    const lacks = (other: Host) => other.disk.forgotten().some((place) => !host.disk.holds(place));
    const asked = host.daemon?.peering.order ?? null;
    return others.find(lacks) ?? (asked === null ? null : (others.find(isAsked(asked)) ?? others[0] ?? null));
  }
}
