/** Whether an honest daemon that is live stays so, unless it and other honest ones differ in what one of them has forgotten. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { DaemonState } from "../../protocol/version-2/messages-v2.js";
import { countOf } from "./checks.js";
import type { Disk } from "./disk.js";
import type { Host, World } from "./world.js";

export class StateWatch {
  readonly #host: Host;
  readonly #world: World;
  #last: DaemonState = "catching-up";

  constructor(host: Host, world: World) {
    this.#host = host;
    this.#world = world;
  }

  /** Who was cut off is to catch up, and is not told of here. */
  look(state: DaemonState, violate: (text: string) => void): void {
    const before = this.#last;
    this.#last = state;
    if (before !== state) this.#world.trace(this.#host.name, () => `is ${state}`);
    // Until it has told a watermark it counts as one that began with nothing.
    if (state === "live" && (this.#host.daemon?.timeline.published ?? 0) > 0) this.#host.hasServed = true;
    if (before !== "live" || state !== "catching-up" || differsInForgotten(this.#host, this.#world)) return;
    violate(`${this.#host.name} leaves live, and differs from no honest daemon in what is forgotten`);
  }
}

/** Whether a host and another honest one differ in what one of them has forgotten, or it misses what it found damaged. */
export function differsInForgotten(host: Host, { honest }: World): boolean {
  const { disk, daemon } = host;
  if (daemon === null || countOf(daemon.timeline.index) !== disk.held().length) return true;
  const heldBefore = (one: Disk, end: ByteString) => one.held().filter((place) => place < end);
  return honest.some((other) => {
    const end = [disk.keepsFrom, other.disk.keepsFrom].sort()[1] as ByteString;
    return other !== host && heldBefore(disk, end).join() !== heldBefore(other.disk, end).join();
  });
}
