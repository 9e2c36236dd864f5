/** What daemons say to be final, to clients and by the stable point that they show: checks.ts holds them to it. */

import type { Peering } from "../../cluster/peers/peering.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { bytesOf } from "../../protocol/byte-string.js";
import type { Entry } from "../../timeline/entries/entry.js";
import { firstPlaceAt } from "../../timeline/entries/entry.js";
import type { StablePromise } from "./ledger.js";
import type { Host, World } from "./world.js";

/**
 * A daemon says that everything dated up to a time is final.
 * @param at  milliseconds since 1970
 */
export function noteStable({ ledger, scheduler }: World, { name, disk }: Host, at: number): void {
  const end = bytesOf(firstPlaceAt(at + 1));
  // What is being mended is among it.
  const places = new Set([...disk.held(), ...disk.missed].filter((place) => place < end));
  ledger.stable.push({ host: name, at, saidAt: scheduler.time, places });
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

/** Notes when a daemon that has nothing begins, and by what clocks. */
export class BeginningWatch {
  readonly #host: Host;
  readonly #world: World;
  #wasJoining = false;

  constructor(host: Host, world: World) {
    this.#host = host;
    this.#world = world;
  }

  look(peering: Pick<Peering, "isJoining" | "members">): void {
    const { isJoining } = peering;
    if (this.#wasJoining && !isJoining) {
      const own = this.#host.clock();
      const clocks = peering.members.flatMap(({ skewed, skew }) =>
        skewed || skew === null ? [] : [own + skew],
      );
      this.#host.beginning = { at: this.#world.scheduler.time, latestClock: Math.max(own, ...clocks) };
    }
    this.#wasJoining = isJoining;
  }
}

/** A daemon has taken an entry first-hand. */
export function noteTaken({ ledger }: World, { beginning }: Host, { id }: Entry): void {
  if (beginning === null) return;
  const before = ledger.beginnings.get(id) ?? [];
  ledger.beginnings.set(id, [...before, beginning]);
}

/**
 * Whether an entry that was not to come any more was taken by a daemon that could not know: it began with an empty folder
 * when that was final already, and by all clocks that it saw, its own and those of the members that it reached, that time was
 * yet to come. A lie, or a clock that has run ahead, looks the same to it. Source: docs/consistency.md, "A lost folder".
 */
export function isExcused(
  { ledger }: Pick<World, "ledger">,
  promise: StablePromise,
  id: ByteString,
): boolean {
  const beginnings = ledger.beginnings.get(id) ?? [];
  return beginnings.some(({ at, latestClock }) => promise.saidAt <= at && promise.at > latestClock);
}
