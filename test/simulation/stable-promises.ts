/** What daemons say to be final, to clients and by the stable point that they show: checks.ts holds them to it. */
import { bytesOf } from "../../protocol/byte-string.js";
import { firstPlaceAt } from "../../timeline/entry.js";
import type { Host, World } from "./world.js";

/**
 * A daemon says that everything dated up to a time is final.
 * @param at  milliseconds since 1970
 */
export function noteStable({ ledger }: World, { name, disk }: Host, at: number): void {
  const end = bytesOf(firstPlaceAt(at + 1));
  // What is being mended is among it.
  const places = new Set([...disk.held(), ...disk.missed].filter((place) => place < end));
  ledger.stable.push({ host: name, at, places });
}

/** Notes each stable point that a daemon shows: few of them are what a client waits for. */
export class StablePointWatch {
  readonly #host: Host;
  readonly #world: World;
  #last = 0;

  constructor(host: Host, world: World) {
    this.#host = host;
    this.#world = world;
  }

  /** @param stablePoint  milliseconds since 1970: all before it is final */
  look(stablePoint: number): void {
    if (stablePoint > this.#last) noteStable(this.#world, this.#host, stablePoint - 1);
    this.#last = Math.max(this.#last, stablePoint);
  }
}
