/**
 * A cluster of daemons with a member list. Each daemon has a seat with a permanent address. The data folder at a seat
 * may be replaced, and then another daemon runs there. Members connect through ports that the test can cut. The test
 * changes the list with `dbsync members`, as an operator does.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ChildResult, runDbsync } from "../../client/child.js";
import type { DaemonOptions, DaemonProcess } from "../../support/daemon-process.js";
import { type DaemonArgs, Trio } from "../../support/trio.js";
import type { Status } from "../status.js";

/** The timeout in milliseconds for a change of the list. It is long because the machine may be busy. */
const AMEND_MS = 900_000;
/** The shortest window for real use. With it, writes become final early. */
export const OPTIONS: readonly string[] = ["--window", "3,2"];

export interface List {
  readonly number: number;
  readonly members: readonly string[];
  readonly left: readonly string[];
}

interface Seat {
  /** The id of the daemon at this seat, hexadecimal. */
  id: string;
  isMember: boolean;
  /** The number of folders that were lost, and whether the daemon has caught up with its present folder. */
  lost: number;
  isComplete: boolean;
  options: DaemonOptions;
  /** The last step at this seat. The next step waits for it. */
  turn: Promise<unknown>;
}

export class Cluster implements AsyncDisposable {
  readonly trio: Trio;
  readonly #seats: readonly Seat[];
  readonly #files = mkdtempSync(join(tmpdir(), "dbsync-cluster-"));

  private constructor(trio: Trio, optionsOf: (seat: number) => DaemonOptions) {
    this.trio = trio;
    this.#seats = trio.ports.map((_, seat) => ({
      id: "",
      isMember: false,
      lost: 0,
      isComplete: true,
      options: optionsOf(seat),
      turn: Promise.resolve(),
    }));
    for (const [name, { privateKey }] of [
      ["app", trio.app],
      ["root", trio.root],
    ] as const)
      writeFileSync(this.keyFile(name), privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  }

  /**
   * Starts a cluster.
   * @param founders  the number of daemons in the first list; the remaining seats are empty
   * @param optionsOf  returns the options of the daemons at a seat
   * @param args  further arguments of each daemon
   */
  static async start(
    seats: number,
    founders: number,
    optionsOf: (seat: number) => DaemonOptions,
    args: DaemonArgs = OPTIONS,
  ): Promise<Cluster> {
    const trio = await Trio.make(args, seats);
    await trio.openLinks();
    const cluster = new Cluster(trio, optionsOf);
    try {
      await cluster.#found(Array.from({ length: founders }, (_, index) => index));
    } catch (problem) {
      await cluster[Symbol.asyncDispose]();
      throw problem;
    }
    return cluster;
  }

  keyFile(name: "app" | "root"): string {
    return join(this.#files, `${name}.pem`);
  }

  /** The seats of all members, including members whose daemons are killed at the moment. */
  get members(): number[] {
    return [...this.#seats.keys()].filter((index) => this.#seat(index).isMember);
  }

  idOf(index: number): string {
    return this.#seat(index).id;
  }

  isMember(index: number): boolean {
    return this.#seat(index).isMember;
  }

  /**
   * Returns the number of folders that a daemon has lost, or null while it does not have the members' data yet. Until
   * then it does not know on which keys they decide.
   */
  completeFolder(index: number): number | null {
    const { isComplete, lost } = this.#seat(index);
    return isComplete ? lost : null;
  }

  /** Runs a step at a seat, after all earlier steps there. */
  at<T>(index: number, step: () => Promise<T>): Promise<T> {
    const seat = this.#seat(index);
    const turn = seat.turn.then(step);
    seat.turn = turn.catch(() => {});
    return turn;
  }

  /** Sets the options for all later starts of daemons. */
  setOptions(index: number, options: DaemonOptions): void {
    this.#seat(index).options = { ...this.#seat(index).options, ...options };
  }

  async start(index: number): Promise<DaemonProcess> {
    const seat = this.#seat(index);
    const daemon = await this.trio.start(index, seat.options);
    const { daemon: id } = await daemon.logged(({ msg }) => msg === "listening");
    seat.id = String(id);
    return daemon;
  }

  /** Disconnects a seat from all other members, or reconnects it. */
  setCut(index: number, isCut: boolean): void {
    for (const [from, links] of this.trio.links.entries())
      for (const [to, link] of links.entries()) if ((from === index) !== (to === index)) link.isCut = isCut;
  }

  /** Adds a daemon with an empty folder to the list. @param lost  the id of the daemon that it replaces, or null */
  async admit(index: number, lost: string | null = null): Promise<void> {
    await this.start(index);
    const address = this.#address(index);
    const words = lost === null ? ["add", address] : ["replace", lost.slice(0, 12), address];
    const { id } = this.#seat(index);
    await this.#amend(words, [...this.members, index], ({ members }) => members.includes(id));
    this.#seat(index).isMember = true;
    await this.live(index);
    this.#seat(index).isComplete = true;
  }

  /** Stops sending bytes to a seat, or from it, without closing a connection, or sends them again. */
  setHeld(index: number, direction: "to" | "from", isHeld: boolean): void {
    for (const [from, links] of this.trio.links.entries())
      for (const [to, link] of links.entries()) {
        if ((from === index) === (to === index)) continue;
        link.hold((direction === "to") === (to === index) ? "forward" : "back", isHeld);
      }
  }

  /** Removes a member, even if its daemon does not run. */
  async evict(index: number): Promise<void> {
    const seat = this.#seat(index);
    seat.isMember = false;
    const { id } = seat;
    await this.#amend(["evict", id.slice(0, 12)], this.members, ({ left }) => left.includes(id));
    await this.trio.until(`${id} is not admitted again`, async () => {
      const { code, stderr } = await this.dbsync(["members", "add", id], this.members, "root");
      return code !== 0 && /was removed, and a removed id cannot return/.test(stderr);
    });
  }

  /** Records that the daemon at a seat is no longer a member, since its folder is lost. */
  loses(index: number): void {
    const seat = this.#seat(index);
    seat.isMember = false;
    seat.isComplete = false;
    seat.lost++;
  }

  async live(index: number): Promise<void> {
    await this.trio.until(
      `seat ${index} is live`,
      async () => (await this.trio.status(index)).state === "live",
      AMEND_MS,
    );
  }

  statuses(): Promise<Status[]> {
    return Promise.all(this.members.map((index) => this.trio.status(index)));
  }

  /**
   * Waits until all members have the same entries, have folded them, and use the same list.
   * @param ms  the timeout
   * @returns the duration of the wait in milliseconds
   */
  async level(ms: number): Promise<number> {
    const startedAt = performance.now();
    const equal = async () => {
      const statuses = await this.statuses();
      const of = (status: Status) => `${status.fingerprint} ${status.listHash}`;
      return statuses.every((one) => one.isSettled && of(one) === of(statuses[0] ?? one));
    };
    await this.trio.until("all members are equal", equal, ms);
    return performance.now() - startedAt;
  }

  /** Runs dbsync with arguments, and with some of the daemons as its servers. */
  dbsync(words: readonly string[], seats: readonly number[], key: "app" | "root"): Promise<ChildResult> {
    const DBSYNC_SERVERS = seats.map((index) => this.#address(index)).join(",");
    return runDbsync(words, { variables: { DBSYNC_SERVERS, DBSYNC_SIGNKEY: this.keyFile(key) } });
  }

  /** Returns the member list that daemons use, or null if they have no list or use different lists. */
  async list(seats: readonly number[] = this.members): Promise<List | null> {
    const { stdout } = await this.dbsync(["members", "list", "--json"], seats, "root");
    const { lists } = JSON.parse(stdout) as { readonly lists: readonly List[] };
    const [list = null] = lists;
    return lists.length === 1 ? list : null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.trio[Symbol.asyncDispose]();
    rmSync(this.#files, { recursive: true, force: true });
  }

  async #found(founders: readonly number[]): Promise<void> {
    await Promise.all(founders.map((index) => this.start(index)));
    await Promise.all(founders.map((index) => this.live(index)));
    const addresses = founders.map((index) => this.#address(index));
    await this.#amend(["add", ...addresses], founders, ({ members }) => members.length === founders.length);
    for (const index of founders) this.#seat(index).isMember = true;
  }

  /**
   * Repeats a change of the list until it succeeds. An attempt may fail because the queried daemons are killed, or
   * because only one daemon has the newest list.
   */
  async #amend(
    words: readonly string[],
    seats: readonly number[],
    isDone: (list: List) => boolean,
  ): Promise<void> {
    let output = "";
    const amended = async () => {
      const { stdout, stderr } = await this.dbsync(["members", ...words], seats, "root");
      output = stdout + stderr;
      const list = await this.list(seats);
      return list !== null && isDone(list);
    };
    await this.trio.until(`dbsync members ${words.join(" ")}`, amended, AMEND_MS).catch((problem: Error) => {
      throw new Error(`${problem.message}\noutput: ${output}`);
    });
  }

  #address(index: number): string {
    return this.trio.servers[index] as string;
  }

  #seat(index: number): Seat {
    const seat = this.#seats[index];
    if (seat === undefined) throw new Error(`seat ${index} does not exist`);
    return seat;
  }
}
