/** Acts as an operator, and destroys or damages data folders, while other seats have faults. */
import { rmSync } from "node:fs";
import type { Entry } from "../../../daemon/timeline/entries/entry.js";
import { programPaths } from "../../support/programs.js";
import type { SeededRandom } from "../../support/seeded-random.js";
import { type Contents, damage, readFolder } from "../folder-contents.js";
import type { Cluster } from "./cluster.js";
import { Departed } from "./departed.js";
import { sleep } from "./lanes.js";
import { type Act, type ActKind, FOUNDERS } from "./schedule.js";
import { makeWrite, type ReportedWrite, sendWrite } from "./write.js";

/**
 * A tolerance in milliseconds for wrong client clocks, and for calls that were in flight when all daemons were equal.
 */
const SKEW_MS = 60_000;
/** The number of writes sent to a daemon that is disconnected from the other members. */
const ALONE = 20;
const DAMAGED = /an entry of the timeline is damaged/;

export interface OperatorParts {
  readonly cluster: Cluster;
  readonly random: SeededRandom;
  /** The operator's number as a writer. */
  readonly writer: number;
  /** The dbsyncd of an older build, or null. */
  readonly old: string | null;
  readonly say: (line: string) => void;
}

export class Operator {
  readonly counts = {} as Record<ActKind, number>;
  /** The number of damaged entries that daemons have found. */
  damaged = 0;
  deadLetters = 0;
  /** The entries that only a lost folder had. */
  readonly erased: Entry[] = [];
  /** The ids of removed daemons. */
  readonly removed: string[] = [];
  /** The writes to daemons that were disconnected. */
  readonly writes: ReportedWrite[] = [];
  readonly #parts: OperatorParts;
  /** The removed daemons whose dead letters must be written again. */
  #departed: Departed[] = [];
  /** The date up to which all daemons have the same entries. */
  #levelAt = Date.now();
  /** Whether new daemons use the older build. */
  #isOld: boolean;

  constructor(parts: OperatorParts) {
    this.#parts = parts;
    this.#isOld = parts.old !== null;
  }

  async run(acts: readonly Act[]): Promise<void> {
    for (const act of acts) {
      await sleep(act.lasts);
      const startedAt = performance.now();
      const result = await this.#acts[act.kind](act);
      this.counts[act.kind] = (this.counts[act.kind] ?? 0) + 1;
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
      this.#parts.say(`  ${act.kind}: ${result} (${seconds} s)`);
    }
  }

  /** Writes dead letters again. All members must be running and equal. @returns whether there were any dead letters */
  async writeAgain(): Promise<boolean> {
    const departed = this.#departed;
    this.#departed = [];
    for (const one of departed) await one.writeAgain();
    return departed.length > 0;
  }

  /** Records that all members have the same entries now. */
  levelled(): void {
    this.#levelAt = Date.now();
  }

  readonly #acts: Record<ActKind, (act: Act) => Promise<string>> = {
    evict: ({ seat, lasts }) => this.#at(seat, () => this.#evict(seat, lasts)),
    replace: ({ seat, lasts }) => this.#at(seat, () => this.#replace(seat, lasts)),
    damage: ({ seat }) => this.#at(seat, () => this.#damage(seat)),
    join: () => this.#at(FOUNDERS, () => this.#join()),
    leave: ({ lasts }) => this.#at(FOUNDERS, () => this.#leave(lasts)),
    settings: () => this.#settings(),
    upgrade: () => this.#upgrade(),
    blackout: ({ lasts }) => this.#blackout(lasts),
  };

  #at(seat: number, step: () => Promise<string>): Promise<string> {
    return this.#parts.cluster.at(seat, step);
  }

  /**
   * Disconnects a member, writes to it alone, removes it, and restarts it so that it learns of the removal. A new
   * daemon replaces it.
   */
  async #evict(seat: number, lasts: number): Promise<string> {
    const { cluster } = this.#parts;
    const { trio } = cluster;
    await cluster.live(seat);
    cluster.setCut(seat, true);
    await sleep(lasts);
    await this.#writeTo(seat);
    await trio.end(seat, "SIGKILL");
    cluster.setCut(seat, false);
    await cluster.evict(seat);
    await cluster.start(seat);
    await this.#untilRemovalKnown(seat);
    const deadLetters = await this.#depart(seat);
    await this.#admit(seat);
    return `the daemon of seat ${seat} returned with ${deadLetters} dead letters; a new one replaces it`;
  }

  /** Removes a member while it is disconnected. It serves clients until it learns of the removal. */
  async #leave(lasts: number): Promise<string> {
    const { cluster } = this.#parts;
    await cluster.live(FOUNDERS);
    cluster.setCut(FOUNDERS, true);
    await cluster.evict(FOUNDERS);
    await this.#writeTo(FOUNDERS);
    await sleep(lasts);
    cluster.setCut(FOUNDERS, false);
    await this.#untilRemovalKnown(FOUNDERS);
    return `seat ${FOUNDERS}, with ${await this.#depart(FOUNDERS)} dead letters`;
  }

  async #untilRemovalKnown(seat: number): Promise<void> {
    const { trio } = this.#parts.cluster;
    await trio.until(
      "the daemon learns of its removal",
      async () => (await trio.status(seat)).unlisted !== "",
    );
  }

  /** Sends writes to one daemon alone. */
  async #writeTo(seat: number): Promise<void> {
    const { cluster, random, writer } = this.#parts;
    await using client = cluster.trio.client([seat]);
    const writes = Array.from({ length: ALONE }, (_, index) => {
      const write = { ...makeWrite(random, writer, this.writes.length + index), waits: false };
      return sendWrite(client, write);
    });
    this.writes.push(...(await Promise.all(writes)));
  }

  /** Stops a removed daemon and processes its folder. @returns the number of its dead letters */
  async #depart(seat: number): Promise<number> {
    const { cluster } = this.#parts;
    await cluster.trio.end(seat, "SIGTERM");
    const departed = new Departed(cluster, seat);
    this.removed.push(departed.id);
    const count = await departed.find(this.#levelAt - SKEW_MS);
    this.deadLetters += count;
    this.#departed.push(departed);
    return count;
  }

  async #join(): Promise<string> {
    await this.#admit(FOUNDERS);
    return `a new daemon at seat ${FOUNDERS}`;
  }

  async #replace(seat: number, lasts: number): Promise<string> {
    const { cluster } = this.#parts;
    const lost = cluster.idOf(seat);
    await cluster.trio.end(seat, "SIGKILL");
    cluster.loses(seat);
    const alone = await this.#erase(seat);
    await sleep(lasts);
    await this.#admit(seat, lost);
    this.removed.push(lost);
    return `seat ${seat} has lost its folder, with ${alone} writes that no other member had`;
  }

  async #erase(seat: number): Promise<number> {
    const { cluster } = this.#parts;
    const contents = await this.#contents(seat);
    const others = await Promise.all(cluster.members.map((other) => this.#contents(other)));
    const alone = [...contents].filter(([orderKey]) => !others.some((other) => other.has(orderKey)));
    this.erased.push(...alone.flatMap(([, entry]) => entry ?? []));
    rmSync(cluster.trio.folder(seat), { recursive: true });
    return alone.length;
  }

  /** Damages the newest entry that all members have, so that intact copies exist. */
  async #damage(seat: number): Promise<string> {
    const { cluster } = this.#parts;
    await cluster.trio.end(seat, "SIGKILL");
    const contents = await this.#contents(seat);
    const keepers = cluster.members.filter((other) => other !== seat);
    const others = await Promise.all(keepers.map((other) => this.#contents(other)));
    const shared = [...contents].filter(([orderKey]) => others.every((other) => other.get(orderKey) != null));

    const isDamaged = await damage(
      cluster.trio.folder(seat),
      shared.flatMap(([, entry]) => entry ?? []).reverse(),
    );

    const daemon = await cluster.start(seat);
    if (!isDamaged) return `nothing at seat ${seat}, since its log still contains all entries`;
    this.damaged++;
    await cluster.trio.until("the daemon has found the damage", async () =>
      daemon.log.some(({ msg }) => DAMAGED.test(msg)),
    );
    return `an entry at seat ${seat}; the daemon has found it`;
  }

  async #settings(): Promise<string> {
    const { random } = this.#parts;
    const env = {
      DBSYNCD_SNAPSHOT_ENTRIES: String(random.oneOf([1000, 5000, 200_000])),
      DBSYNCD_COMPARE_PERCENT: String(random.oneOf([5, 20, 50])),
      DBSYNCD_FSYNC: random.oneOf(["always", "interval=100"]),
    };
    await this.#roll({ env });
    return `each daemon was restarted with ${Object.values(env).join(" ")}`;
  }

  async #upgrade(): Promise<string> {
    const { old, random } = this.#parts;
    await this.#roll(old === null ? {} : { program: programPaths.dbsyncd });
    // Some of the daemons that are added later use the older build.
    this.#isOld = old !== null && random.chance(0.5);
    return old === null ? "each daemon was restarted" : "each daemon was restarted with the newer build";
  }

  /** Restarts daemons one after the other, each when the previous daemon is live. */
  async #roll(options: Parameters<Cluster["setOptions"]>[1]): Promise<void> {
    const { cluster } = this.#parts;
    for (const seat of cluster.members)
      await cluster.at(seat, async () => {
        await cluster.trio.end(seat, "SIGTERM");
        cluster.setOptions(seat, options);
        await cluster.start(seat);
        await cluster.live(seat);
      });
  }

  async #blackout(lasts: number): Promise<string> {
    const { cluster } = this.#parts;
    const { members } = cluster;
    /** Reserves all seats, one after the other, and then runs a step. */
    const withSeats = async (rest: readonly number[], step: () => Promise<void>): Promise<void> => {
      const [first, ...others] = rest;
      await (first === undefined ? step() : cluster.at(first, () => withSeats(others, step)));
    };
    await withSeats(members, async () => {
      await Promise.all(members.map((seat) => cluster.trio.end(seat, "SIGKILL")));
      await sleep(lasts);
      await Promise.all(members.map((seat) => cluster.start(seat)));
    });
    return `all ${members.length} daemons were killed together`;
  }

  async #admit(seat: number, lost: string | null = null): Promise<void> {
    const { cluster, old } = this.#parts;
    if (old !== null) cluster.setOptions(seat, { program: this.#isOld ? old : programPaths.dbsyncd });
    await cluster.admit(seat, lost);
  }

  #contents(seat: number): Promise<Contents> {
    return readFolder(this.#parts.cluster.trio.folder(seat), this.#levelAt - SKEW_MS);
  }
}
