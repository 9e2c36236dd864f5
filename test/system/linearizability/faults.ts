/** The faults of a round, and the small disk of one daemon. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, statfsSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pause } from "../../support/pause.js";
import type { SeededRandom } from "../../support/seeded-random.js";
import type { Cluster } from "../chaos/cluster.js";

/**
 * What happens in a round. `kill`: SIGKILL and a restart. `stop`: SIGSTOP and SIGCONT. `one-way cut`: a daemon receives
 * nothing from the members, or they receive nothing from it. `full disk`: a daemon's disk has no space left. `clock`:
 * clocks are wrong by 20 s. `list`: a member is added, removed, or replaced because its folder is lost. `all`: all of
 * these at the same time.
 */
export const FAULT_KINDS = [
  "none",
  "kill",
  "stop",
  "one-way cut",
  "full disk",
  "clock",
  "list",
  "all",
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** The faults that happen at a seat. */
type SeatFault = "kill" | "stop" | "one-way cut" | "clock";
const SEAT_FAULTS: readonly SeatFault[] = ["kill", "stop", "one-way cut", "clock"];

/** Milliseconds without a fault at a seat before the next one, and the duration of each. */
const PEACE_MS: readonly [number, number] = [50, 1_500];
const LASTS_MS: readonly [number, number] = [100, 4_000];
/** The share of rounds in which no more than a minority has faults. */
const MINORITY = 0.7;
/** The size of the small disk. It is large enough for the log and LMDB of a few rounds. */
const DISK = "size=128m";
/** A value that is longer than what a log reserves for later writes, and the timeout of its write in milliseconds. */
const FILLER = "x".repeat(1_000_000);
const FILL_MS = 5_000;
/** What a daemon logs if it finds its disk full. */
const DISK_IS_FULL = /^the data folder cannot be written/;

/** A file system of its own for the folder of one daemon, which a test can fill. Mounting it requires root. */
export class SmallDisk implements Disposable {
  readonly seat: number;
  readonly #path: string;

  private constructor(seat: number, path: string) {
    this.seat = seat;
    this.#path = path;
  }

  /** Moves the folder of a daemon to a small disk. @returns null if this user cannot mount one */
  static async of(cluster: Cluster, seat: number): Promise<SmallDisk | null> {
    const path = mkdtempSync(join(tmpdir(), "dbsync-small-"));
    if (spawnSync("mount", ["-t", "tmpfs", "-o", DISK, "none", path]).status !== 0) {
      rmSync(path, { recursive: true });
      return null;
    }
    const folder = cluster.trio.folder(seat);
    await cluster.trio.end(seat, "SIGTERM");
    cpSync(folder, join(path, "data"), { recursive: true });
    rmSync(folder, { recursive: true });
    symlinkSync(join(path, "data"), folder);
    await cluster.start(seat);
    await cluster.live(seat);
    return new SmallDisk(seat, path);
  }

  /** Takes all space that is left. The daemon may write meanwhile. */
  fill(): void {
    const { blocks, bsize } = statfsSync(this.#path);
    try {
      writeFileSync(this.#filler, Buffer.alloc(blocks * bsize));
    } catch (problem) {
      if ((problem as NodeJS.ErrnoException).code !== "ENOSPC") throw problem;
    }
  }

  free(): void {
    rmSync(this.#filler, { force: true });
  }

  get #filler(): string {
    return join(this.#path, "filler");
  }

  [Symbol.dispose](): void {
    spawnSync("umount", ["--lazy", this.#path]);
    rmSync(this.#path, { recursive: true, force: true });
  }
}

export class Faults {
  readonly counts = new Map<string, number>();
  readonly #cluster: Cluster;
  readonly #founders: number;
  readonly #disk: SmallDisk | null;
  readonly #random: SeededRandom;

  /** @param founders  the number of seats that have a member at the start. The seat after them is empty. */
  constructor(cluster: Cluster, founders: number, disk: SmallDisk | null, random: SeededRandom) {
    this.#cluster = cluster;
    this.#founders = founders;
    this.#disk = disk;
    this.#random = random;
  }

  /** Lets a kind of fault happen. In the end, all daemons run, are connected, and have correct clocks. */
  async run(kind: FaultKind, ms: number): Promise<void> {
    const deadline = performance.now() + ms;
    const isAll = kind === "all";
    const steps: Promise<void>[] = [pause(ms)];
    if (isAll || SEAT_FAULTS.includes(kind as SeatFault)) {
      const kinds = isAll ? SEAT_FAULTS : [kind as SeatFault];
      for (const seat of this.#victims()) steps.push(this.#runSeat(seat, kinds, deadline));
    }
    if (kind === "full disk" || (isAll && this.#random.chance(0.5))) steps.push(this.#fillDisk(ms));
    if (kind === "list" || isAll) steps.push(this.#changeList());
    const failed = (await Promise.allSettled(steps)).find((one) => one.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  #victims(): number[] {
    const random = this.#random;
    const minority = (this.#founders - 1) >> 1;
    const count = random.between(1, random.chance(MINORITY) ? minority : this.#founders);
    return random.shuffled([...Array(this.#founders).keys()]).slice(0, count);
  }

  async #runSeat(seat: number, kinds: readonly SeatFault[], deadline: number): Promise<void> {
    const random = this.#random;
    for (;;) {
      await pause(random.between(...PEACE_MS));
      const lasts = Math.min(random.between(...LASTS_MS), deadline - performance.now());
      if (lasts <= 0) return;
      await this.#cluster.at(seat, async () => {
        if (this.#cluster.isMember(seat)) await this.#apply(seat, random.oneOf(kinds), lasts);
      });
    }
  }

  async #apply(seat: number, kind: SeatFault, lasts: number): Promise<void> {
    const { trio } = this.#cluster;
    this.#count(kind);
    switch (kind) {
      case "kill":
        await trio.end(seat, "SIGKILL");
        await pause(lasts);
        await this.#cluster.start(seat);
        return;
      case "stop":
        trio.daemon(seat).kill("SIGSTOP");
        await pause(lasts);
        trio.daemon(seat).kill("SIGCONT");
        return;
      case "clock":
        trio.daemon(seat).kill("SIGUSR2");
        await pause(lasts);
        trio.daemon(seat).kill("SIGWINCH");
        return;
      case "one-way cut": {
        const direction = this.#random.oneOf(["to", "from"] as const);
        this.#cluster.setHeld(seat, direction, true);
        await pause(lasts);
        this.#cluster.setHeld(seat, direction, false);
      }
    }
  }

  /** Fills the small disk, frees it after a time, and starts its daemon again, as an operator would. */
  async #fillDisk(ms: number): Promise<void> {
    const disk = this.#disk;
    if (disk === null) return;
    await pause(this.#random.between(...PEACE_MS));
    await this.#cluster.at(disk.seat, async () => {
      const { trio } = this.#cluster;
      const daemon = trio.daemon(disk.seat);
      disk.fill();
      // The log has space for some time. A long write uses it up.
      await using client = trio.client([disk.seat], { timeout: FILL_MS });
      await Promise.all([pause(ms / 2), client.call(["SET", "filler", FILLER]).catch(() => {})]);
      const isNoticed = daemon.log.some(({ msg }) => DISK_IS_FULL.test(msg));
      this.#count(isNoticed ? "full disk" : "full disk without a write");
      disk.free();
      await trio.end(disk.seat, this.#random.oneOf(["SIGKILL", "SIGTERM"] as const));
      await this.#cluster.start(disk.seat);
    });
  }

  /** Adds a member at the last seat or removes it, or replaces a member that has lost its folder. */
  async #changeList(): Promise<void> {
    const cluster = this.#cluster;
    const random = this.#random;
    await pause(random.between(...PEACE_MS));

    const last = this.#founders;
    const seat = random.below(this.#founders);
    if (random.chance(0.3) && seat !== this.#disk?.seat) {
      this.#count("replace");
      return await cluster.at(seat, async () => {
        const lost = cluster.idOf(seat);
        await cluster.trio.end(seat, "SIGKILL");
        cluster.loses(seat);
        rmSync(cluster.trio.folder(seat), { recursive: true });
        await cluster.admit(seat, lost);
      });
    }

    const isMember = cluster.isMember(last);
    this.#count(isMember ? "leave" : "join");
    await cluster.at(last, async () => {
      if (!isMember) return await cluster.admit(last);
      await cluster.evict(last);
      // A removed daemon does not return. The next one at its seat has a new folder.
      await cluster.trio.end(last, "SIGKILL");
      rmSync(cluster.trio.folder(last), { recursive: true });
    });
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }
}
