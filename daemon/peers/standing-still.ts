/**
 * Notices that this process stood still (stopped, its machine suspended, a long collection), or receives nothing from most members
 * and is not yet known to be cut off. Until it has compared itself with most of the cluster again, its state may be an old one.
 * Source: docs/decisions/0045-a-daemon-that-stood-still-is-behind.md.
 */
import type { Waiting } from "../../timeline/waiting.js";
import type { Roster } from "./roster.js";
import type { PeeringParts } from "./shared/peering-parts.js";

/** What it asks of the members. */
export type StandingStillMembers = Pick<Roster, "count" | "members" | "voices">;

export type StandingStillParts = Pick<PeeringParts, "clock" | "uptime" | "limits" | "log"> & {
  readonly timeline: { readonly waiting: Pick<Waiting, "mark" | "isMarkPast"> };
};

export class StandingStill {
  readonly #parts: StandingStillParts;
  readonly #members: StandingStillMembers;
  /** When it was last seen running, by both clocks; infinity: it has not begun. */
  #uptime = Number.POSITIVE_INFINITY;
  #clock = Number.POSITIVE_INFINITY;
  /** When it stood still last; null: it has compared itself since. */
  #wokeAt: number | null = null;
  #isMarked = false;
  #isCutOff = false;

  constructor(parts: StandingStillParts, members: StandingStillMembers) {
    this.#parts = parts;
    this.#members = members;
  }

  /** Whether its state may be an old one since it stood still. To be asked before each answer: sockets are read before timers run. */
  get isBehind(): boolean {
    this.#look(this.#parts.uptime());
    return this.#wokeAt !== null;
  }

  /** Whether most of the cluster has been silent for so long that this daemon may be cut off. As of the last tick. */
  get isCutOff(): boolean {
    return this.#isCutOff;
  }

  tick(now: number): void {
    this.#look(now);
    const { standstillMs, statusEveryMs, catchUpMs } = this.#parts.limits;
    const { size, heard } = this.#members.count(now - standstillMs - statusEveryMs);
    this.#isCutOff = 2 * heard <= size;
    if (this.#wokeAt === null) return;
    const compared = this.#members.voices.filter((member) => member.compared !== null).length;
    if (2 * (1 + compared) > size && this.#isLevel()) this.#done(now, "compared");
    // Its members are away: a daemon that reaches too few of them says so itself.
    else if (now - this.#wokeAt > catchUpMs) this.#done(now, "alone");
  }

  #look(now: number): void {
    const { limits, log } = this.#parts;
    const clock = this.#parts.clock();
    // A machine that is suspended may stop one of them, and the other is set.
    const stoodFor = Math.max(now - this.#uptime, clock - this.#clock);
    this.#uptime = now;
    this.#clock = clock;
    // Alone it has all there is.
    if (stoodFor <= limits.standstillMs || this.#members.count(now).size === 1) return;
    log.warn({ milliseconds: Math.round(stoodFor) }, STOOD_STILL);
    this.#wokeAt = now;
    this.#isMarked = false;
    for (const member of this.#members.members.values()) {
      // What it has sent meanwhile is read before it is called silent.
      member.connection.heardAt = now;
      member.compareAgain();
    }
  }

  /** Whether what was here when most members had been compared with has become part of the state. */
  #isLevel(): boolean {
    const { waiting } = this.#parts.timeline;
    if (!this.#isMarked) waiting.mark();
    this.#isMarked = true;
    return waiting.isMarkPast;
  }

  #done(now: number, how: "compared" | "alone"): void {
    const { log } = this.#parts;
    log.info({ milliseconds: Math.round(now - (this.#wokeAt ?? now)) }, DONE[how]);
    this.#wokeAt = null;
  }
}

const STOOD_STILL =
  "this process stood still, or its clock was set ahead: until it has compared itself with most of its peers it answers as one that is catching up";
const DONE = {
  compared: "it has what its peers have had meanwhile",
  alone: "too few of its peers were reached: serving with what is here",
} as const;
