/** Whether members that hold the same are ever found to have made other states of it: where none has turned bad, that is never so. */
import type { Peering } from "../../cluster/peers/peering.js";
import type { Host, World } from "./world.js";

export class ComparisonWatch {
  readonly #host: Host;
  readonly #world: World;
  #comparedAt = 0;

  constructor(host: Host, world: World) {
    this.#host = host;
    this.#world = world;
  }

  look({ states: { comparedAt, differences } }: Pick<Peering, "states">): void {
    const { ledger, settings, trace } = this.#world;
    if (comparedAt > this.#comparedAt) {
      this.#comparedAt = comparedAt;
      ledger.compared++;
      trace(this.#host.name, () => `has compared its state of ${comparedAt}`);
    }
    const [found] = differences.asked.values();
    // Whose sums are made up may have any state that goes with them.
    if (found !== undefined && settings.byzantine === null)
      ledger.violate(`${this.#host.name} finds that ${found.map(({ key }) => key).join(" ")} differs`);
  }
}
