/**
 * The operator of a run. The operator acts only if daemons have not converged within the time to heal. The operator
 * removes the byzantine member if too few honest members have been live with their present folders, and otherwise
 * restarts a daemon with the order to accept a member's snapshot.
 */
import { hexOf } from "../../protocol/version-2/envelope.js";
import type { Host, World } from "./world.js";

/** Maximum number of orders per host, so that a problem that orders do not solve is reported. */
const ORDERS_EACH = 2;

const isOrdered =
  (order: string) =>
  ({ identity }: Host) =>
    order.endsWith(hexOf(identity.id));

export class Operator {
  readonly #world: World;
  readonly #orders = new Map<Host, number>();

  constructor(world: World) {
    this.#world = world;
  }

  /** Carries out the next step. @returns whether there was a step to carry out */
  order(): boolean {
    const { honest: hosts, ledger, trace } = this.#world;
    if (this.#removesByzantine()) return true;
    for (const host of hosts) {
      const count = this.#orders.get(host) ?? 0;
      const sender = count < ORDERS_EACH ? this.#senderOf(host) : null;
      if (sender === null) continue;
      this.#orders.set(host, count + 1);
      ledger.ordered++;
      trace(host.name, () => `is ordered to accept the snapshot of ${sender.name}`);
      host.kill("restarted by its operator");
      host.order = sender.identity.id;
      host.start();
      return true;
    }
    return false;
  }

  #removesByzantine(): boolean {
    const { settings, honest, trace, isByzantineRemoved } = this.#world;
    if (
      settings.byzantine === null ||
      isByzantineRemoved ||
      !honest.some((host) => this.#isUndecidable(host))
    )
      return false;
    this.#world.isByzantineRemoved = true;
    trace("world", () => "the byzantine member is removed");
    for (const { daemon } of honest) daemon?.peering.setPeers(daemon.ports.addresses);
    return true;
  }

  /**
   * Whether the host is not live and, together with the honest members that have served, is not a majority of the
   * cluster. Only these members could contradict the report of a single member.
   */
  #isUndecidable(host: Host): boolean {
    if (host.daemon?.isLive === true) return false;
    const { honest, hosts } = this.#world;
    const others = honest.filter((other) => other !== host && other.hasServed);
    return 2 * (1 + others.length) <= hosts.length;
  }

  /**
   * Returns the daemon whose snapshot the host should accept: preferably a live one that has forgotten entries that
   * the host misses. If there is none and the host already has an order, the method returns the daemon that the order
   * names, or any other live one. Otherwise it returns null.
   */
  #senderOf(host: Host): Host | null {
    const others = this.#world.honest.filter((other) => other !== host && other.daemon?.isLive === true);
    const hasForgotten = (other: Host) =>
      other.disk.forgotten().some((orderKey) => !host.disk.holds(orderKey));
    const order = host.daemon?.peering.adoptOption ?? null;
    return (
      others.find(hasForgotten) ??
      (order === null ? null : (others.find(isOrdered(order)) ?? others[0] ?? null))
    );
  }
}
