/** Promises of finality, to clients and by the published stable point, for checks.ts. */

import type { Peering } from "../../daemon/cluster/peers/peering.js";
import type { Entry } from "../../daemon/timeline/entries/entry.js";
import { firstOrderKeyBytes } from "../../daemon/timeline/entries/entry.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { bytesOf } from "../../protocol/byte-string.js";
import type { Beginning, StablePromise } from "./ledger.js";
import type { Host, World } from "./world.js";

/** Records that a daemon reports everything up to a time as final. @param at  milliseconds since 1970 */
export function noteStable({ ledger, scheduler }: World, { name, disk }: Host, at: number): void {
  const end = bytesOf(firstOrderKeyBytes(at + 1));
  // Entries that are being repaired count too.
  const orderKeys = new Set([...disk.held(), ...disk.missed].filter((orderKey) => orderKey < end));
  ledger.stable.push({ host: name, at, reportedAt: scheduler.time, orderKeys });
}

/** The record of each stable point that a daemon publishes: clients wait for only a few of them. */
export class StablePointWatch {
  readonly #host: Host;
  readonly #world: World;
  #last = 0;

  constructor(host: Host, world: World) {
    this.#host = host;
    this.#world = world;
  }

  /** Records a stable point. @param stablePoint  milliseconds since 1970: all earlier entries are final */
  check(stablePoint: number): void {
    if (stablePoint > this.#last) noteStable(this.#world, this.#host, stablePoint - 1);
    this.#last = Math.max(this.#last, stablePoint);
  }
}

/** The time at which a daemon without data begins to serve, and the latest clock that the daemon sees then. */
export class BeginningWatch {
  readonly #host: Host;
  readonly #world: World;
  #wasJoining = false;

  constructor(host: Host, world: World) {
    this.#host = host;
    this.#world = world;
  }

  check(peering: Pick<Peering, "isJoining" | "members">): void {
    const { isJoining } = peering;
    if (this.#wasJoining && !isJoining) {
      const own = this.#host.clock();
      const clocks = peering.members.flatMap(({ skewed, skew }) =>
        skewed || skew === null ? [] : [own + skew],
      );
      this.#host.beginning = {
        at: this.#world.scheduler.time,
        latestClock: Math.max(own, ...clocks),
        watermarks: peering.members
          .filter(({ connection }) => connection === "connected")
          .map(({ watermark }) => watermark),
      };
    }
    this.#wasJoining = isJoining;
  }
}

/** Records that a daemon has received an entry from a client. */
export function noteAccepted({ ledger }: World, { beginning }: Host, { id }: Entry): void {
  if (beginning === null) return;
  const before = ledger.beginnings.get(id) ?? [];
  ledger.beginnings.set(id, [...before, beginning]);
}

/**
 * Whether an entry below a stable point was accepted by a daemon that could not know the stable point. Such a daemon
 * started with an empty folder when the date was already final. By all clocks that it saw, its own and the clocks of
 * the members that it reached, the date was in the future. To this daemon, a lie or a clock that ran ahead earlier
 * looks the same. So does a date that only a minority of several members knew, because the others had lost theirs.
 * Source: docs/consistency.md, "A lost folder".
 */
export function isExcused(
  { ledger }: Pick<World, "ledger">,
  promise: StablePromise,
  id: ByteString,
): boolean {
  const beginnings = ledger.beginnings.get(id) ?? [];
  return beginnings.some(
    (beginning) =>
      promise.reportedAt <= beginning.at &&
      (promise.at > beginning.latestClock || isUnknownToMost(beginning, promise)),
  );
}

function isUnknownToMost({ watermarks }: Beginning, { at }: StablePromise): boolean {
  const unaware = watermarks.filter((watermark) => watermark !== null && watermark < at).length;
  return watermarks.length > 1 && 2 * unaware >= watermarks.length;
}
