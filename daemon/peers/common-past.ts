/**
 * Up to where the members that are connected have been found to hold the same: only that may be forgotten, or what one of
 * them lacks could be given to it by nobody. Found as the stable point is, without those that are away.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import type { PeeringParts } from "./peering-parts.js";
import { type Report, type Reporter, StablePoint } from "./stable-point.js";

export class CommonPast {
  readonly #parts: Pick<PeeringParts, "timeline" | "limits">;
  #point: StablePoint;
  /** When more was last found to be the same; `uptime` milliseconds. */
  #movedAt = Number.NEGATIVE_INFINITY;

  constructor(parts: Pick<PeeringParts, "timeline" | "limits">) {
    this.#parts = parts;
    this.#point = new StablePoint(parts.timeline, parts.limits);
  }

  /** A member has connected: what it holds is not known. */
  joined(): void {
    this.#point = new StablePoint(this.#parts.timeline, this.#parts.limits);
  }

  /** A member is no longer connected. */
  left(): void {
    this.#point.discard();
  }

  reported(id: ByteString, report: Report): void {
    this.#point.reported(id, report);
  }

  tick(now: number, connected: () => readonly Reporter[]): void {
    if (this.#movedAt === Number.NEGATIVE_INFINITY) this.#movedAt = now;
    const before = this.#point.value;
    this.#point.tick(now, connected);
    const { timeline, limits } = this.#parts;
    if (this.#point.value > before) this.#movedAt = now;
    // Who never agrees does not fill everybody's disk.
    const isGivenUp = now - this.#movedAt > limits.snapshotHoldMs;
    timeline.handover?.keepFrom(isGivenUp ? Number.POSITIVE_INFINITY : this.#point.value);
  }
}
