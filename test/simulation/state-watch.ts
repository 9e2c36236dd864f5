/**
 * Checks that an honest daemon that accepts writes continues to accept them while other daemons join or return. There
 * are four exceptions. The daemon and another honest daemon may differ in entries that one of them has forgotten. The
 * daemon may have been cut off while another of at least three daemons was live. The daemon may have been cut off from
 * its only peer, which is byzantine. Or it is new, and learns that all peers that answer refuse it: decision 74.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import type { DaemonState } from "../../protocol/version-2/messages-v2.js";
import { countOf } from "./checks.js";
import type { Disk } from "./disk.js";
import type { Host, World } from "./world.js";

/** Maximum milliseconds by which a member's status may be late. */
const STATUS_AGE_MS_MAX = 10_000;

export class StateWatch {
  readonly #host: Host;
  readonly #world: World;
  #last: DaemonState = "catching-up";
  /** When the daemon was last cut off, in milliseconds of the run. */
  #cutOffAt = 0;

  constructor(host: Host, world: World) {
    this.#host = host;
    this.#world = world;
  }

  check(state: DaemonState, violate: (text: string) => void): void {
    const before = this.#last;
    this.#last = state;
    // Until the daemon has published a watermark, it counts as empty.
    if (state === "live" && (this.#host.daemon?.timeline.published ?? 0) > 0) this.#host.hasServed = true;
    if (before === state) return;
    this.#world.trace(this.#host.name, () => `is ${state}`);
    if (state === "isolated") this.#cutOffAt = this.#world.scheduler.time;
    if (state !== "catching-up" || differsInForgotten(this.#host, this.#world)) return;
    if (before === "isolated" && this.#mayHaveMissed()) return;
    if (this.#host.daemon?.peering.admission.isRefused) return;
    violate(
      `${this.#host.name} was ${before} and no longer accepts writes, although it misses no forgotten entry and no majority continued without it`,
    );
  }

  /** Whether another daemon was live while this daemon was cut off, or a byzantine member may have lied to it. */
  #mayHaveMissed(): boolean {
    const { hosts, settings } = this.#world;
    if (settings.byzantine !== null) return true;
    if (hosts.length <= 2 && !settings.lists) return false;
    const since = this.#cutOffAt - STATUS_AGE_MS_MAX;
    return hosts.some((host) => host !== this.#host && host.liveAt >= since);
  }
}

/**
 * Whether a host and another honest host differ in entries that one of them has forgotten, or the host misses entries
 * that it found damaged.
 */
export function differsInForgotten(host: Host, { honest }: World): boolean {
  const { disk, daemon } = host;
  if (daemon === null || countOf(daemon.timeline.index) !== disk.held().length) return true;
  const heldBefore = (one: Disk, end: ByteString) => one.held().filter((orderKey) => orderKey < end);
  return honest.some((other) => {
    const end = [disk.keepsFrom, other.disk.keepsFrom].sort()[1] as ByteString;
    return other !== host && heldBefore(disk, end).join() !== heldBefore(other.disk, end).join();
  });
}
