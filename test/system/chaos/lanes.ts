/** Injects the faults of all lanes, one lane per seat, while the operator acts. */
import type { Cluster } from "./cluster.js";
import type { Fault, FaultKind } from "./schedule.js";

export class Lanes {
  readonly counts: Record<FaultKind, number> = { kill: 0, end: 0, freeze: 0, cut: 0 };
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** Runs the lanes. @param deadline  the time after which no fault begins, as in `performance.now` */
  async run(lanes: readonly (readonly Fault[])[], deadline: number): Promise<void> {
    await Promise.all(lanes.map((lane, index) => this.#runLane(index, lane, deadline)));
  }

  async #runLane(index: number, lane: readonly Fault[], deadline: number): Promise<void> {
    const cluster = this.#cluster;
    for (const { kind, after, lasts } of lane) {
      await sleep(after);
      await cluster.at(index, async () => {
        cluster.trio.check();
        // The seat is empty, or the operator has been using it for a long time.
        if (performance.now() > deadline || !cluster.isMember(index)) return;
        this.counts[kind]++;
        await this.#apply(index, kind, lasts);
      });
    }
  }

  async #apply(index: number, kind: FaultKind, lasts: number): Promise<void> {
    const { trio } = this.#cluster;
    switch (kind) {
      case "freeze":
        trio.daemon(index).kill("SIGSTOP");
        await sleep(lasts);
        trio.daemon(index).kill("SIGCONT");
        return;
      case "cut":
        this.#cluster.setCut(index, true);
        await sleep(lasts);
        this.#cluster.setCut(index, false);
        return;
      default:
        await trio.end(index, kind === "end" ? "SIGTERM" : "SIGKILL");
        await sleep(lasts);
        await this.#cluster.start(index);
    }
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
