/** Does to daemons what a schedule says. */
import { rmSync } from "node:fs";
import type { Entry } from "../../timeline/entries/entry.js";
import { type Contents, damage, readFolder } from "./folder-contents.js";
import type { Fault, Round } from "./schedule.js";
import type { Trio } from "./trio.js";

/** Clients' clocks and the calls that were on their way when all were level. */
const SKEW_MS = 60_000;
const DAMAGED = /an entry of the timeline is damaged/;

export class Faults {
  readonly counts: Record<Fault["kind"], number> = { kill: 0, end: 0, freeze: 0, erase: 0, damage: 0 };
  /** Entries that were damaged, and those that their daemons have found so. */
  damaged = 0;
  found = 0;
  /** What nobody else had when a folder was removed. */
  readonly erased: Entry[] = [];
  readonly #trio: Trio;
  /** From then on daemons may hold different things. */
  #levelAt: number;
  /** Whose folder was removed since then. */
  #erasedIndex: number | null = null;
  /** Folders are looked into and harmed by one lane at a time. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(trio: Trio) {
    this.#trio = trio;
    this.#levelAt = Date.now();
  }

  /** @param deadline  of `performance.now`: behind it no further kills begin */
  async run(round: Round, deadline: number): Promise<void> {
    await Promise.all(round.map((lane, index) => this.#runLane(index, lane, deadline)));
  }

  /** All daemons hold the same now. */
  levelled(): void {
    this.#levelAt = Date.now();
    this.#erasedIndex = null;
  }

  async #runLane(index: number, lane: readonly Fault[], deadline: number): Promise<void> {
    for (const { kind, after, lasts } of lane) {
      const isWanted = kind === "erase" || kind === "damage";
      if (performance.now() > deadline && !isWanted) continue;
      await sleep(after);
      this.#trio.check();
      this.counts[kind]++;
      await this.#apply(index, kind, lasts);
    }
  }

  async #apply(index: number, kind: Fault["kind"], lasts: number): Promise<void> {
    const trio = this.#trio;
    if (kind === "freeze") {
      trio.daemon(index).kill("SIGSTOP");
      await sleep(lasts);
      trio.daemon(index).kill("SIGCONT");
      return;
    }
    await trio.end(index, kind === "end" ? "SIGTERM" : "SIGKILL");
    if (kind === "erase") await this.#inTurn(() => this.#erase(index));
    const isDamaged = kind === "damage" && (await this.#inTurn(() => this.#damage(index)));
    await sleep(lasts);
    const daemon = await trio.start(index);
    if (!isDamaged) return;
    this.damaged++;
    await trio.until("the damage is found", async () => daemon.log.some(({ msg }) => DAMAGED.test(msg)));
    this.found++;
  }

  async #erase(index: number): Promise<void> {
    const own = await this.#contents(index);
    const others = await Promise.all(this.#othersOf(index).map((other) => this.#contents(other)));
    for (const [place, entry] of own) {
      if (entry !== null && !others.some((other) => other.has(place))) this.erased.push(entry);
    }
    this.#erasedIndex = index;
    rmSync(this.#trio.folder(index), { recursive: true });
  }

  /**
   * Damages the newest entry that everybody has: a folder that is lost besides must not make it the only one.
   * @returns false: there is none
   */
  async #damage(index: number): Promise<boolean> {
    const own = await this.#contents(index);
    const keepers = this.#othersOf(index).filter((other) => other !== this.#erasedIndex);
    const others = await Promise.all(keepers.map((other) => this.#contents(other)));
    const shared = [...own].filter(([place]) => others.every((other) => other.get(place) != null));
    const entries = shared.flatMap(([, entry]) => entry ?? []).reverse();
    return damage(this.#trio.folder(index), entries);
  }

  #othersOf(index: number): number[] {
    return [...this.#trio.ports.keys()].filter((other) => other !== index);
  }

  #contents(index: number): Promise<Contents> {
    return readFolder(this.#trio.folder(index), this.#levelAt - SKEW_MS);
  }

  #inTurn<T>(step: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(step);
    this.#turn = turn.catch(() => {});
    return turn;
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
