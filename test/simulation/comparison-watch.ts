/** Checks that members with the same entries never report different states, in runs without a byzantine member. */
import type { Peering } from "../../daemon/cluster/peers/peering.js";
import type { Host, World } from "./world.js";

export class ComparisonWatch {
  readonly #host: Host;
  readonly #world: World;
  #comparedAt = 0;

  constructor(host: Host, world: World) {
    this.#host = host;
    this.#world = world;
  }

  check({ states: { comparedAt, differences } }: Pick<Peering, "states">): void {
    const { ledger, settings, trace } = this.#world;
    if (comparedAt > this.#comparedAt) {
      this.#comparedAt = comparedAt;
      ledger.compared++;
      trace(this.#host.name, () => `has compared its state of ${comparedAt}`);
    }
    const [found] = differences.keysToRequest.values();
    // A byzantine member may send false sums, so reported differences are violations only in runs without one.
    if (found !== undefined && settings.byzantine === null)
      ledger.violate(`${this.#host.name} reports that ${found.map(({ key }) => key).join(" ")} differs`);
  }
}
