/**
 * Daemons with a member list at seats, each with a permanent address; the folder at a seat, and so its daemon, may
 * change. Members are connected through ports that can be cut. The list is changed by `dbsync members`, as an operator
 * does.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ChildResult, runDbsync } from "../../client/child.js";
import { CuttablePort } from "../../support/cuttable-port.js";
import type { DaemonOptions, DaemonProcess } from "../../support/daemon-process.js";
import type { Status } from "../status.js";
import { Trio } from "../trio.js";

/** Maximum milliseconds to change the list; on a busy machine an operator may need a part of it. */
const AMEND_MS = 900_000;
/** The shortest window for real use, so that writes become final soon. */
const OPTIONS = ["--window", "3,2"];

export interface List {
  readonly number: number;
  readonly members: readonly string[];
  readonly left: readonly string[];
}

interface Seat {
  /** Id of its daemon, hexadecimal. */
  id: string;
  isMember: boolean;
  options: DaemonOptions;
  /** The last step at this seat; the next one waits for it. */
  turn: Promise<unknown>;
}

export class Cluster implements AsyncDisposable {
  readonly trio: Trio;
  readonly #seats: readonly Seat[];
  readonly #links: readonly (readonly CuttablePort[])[];
  readonly #files = mkdtempSync(join(tmpdir(), "dbsync-cluster-"));

  private constructor(trio: Trio, links: readonly (readonly CuttablePort[])[], options: DaemonOptions) {
    this.trio = trio;
    this.#links = links;
    this.#seats = links.map(() => ({ id: "", isMember: false, options, turn: Promise.resolve() }));
    trio.linkPort = (from, to) => links[from]?.[to]?.port ?? 0;
    for (const [name, { privateKey }] of [
      ["app", trio.app],
      ["root", trio.root],
    ] as const)
      writeFileSync(this.keyFile(name), privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  }

  /** Starts a cluster. @param founders  the daemons of the first list; the remaining seats are empty */
  static async start(seats: number, founders: number, options: DaemonOptions): Promise<Cluster> {
    const trio = await Trio.make(OPTIONS, seats);
    const open = (target: number) => CuttablePort.open(() => trio.ports[target] ?? 0);
    const links = await Promise.all(trio.ports.map(() => Promise.all(trio.ports.map((_, to) => open(to)))));
    const cluster = new Cluster(trio, links, options);
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

  /** The seats of members, including killed ones. */
  get members(): number[] {
    return [...this.#seats.keys()].filter((index) => this.#seat(index).isMember);
  }

  idOf(index: number): string {
    return this.#seat(index).id;
  }

  isMember(index: number): boolean {
    return this.#seat(index).isMember;
  }

  /** Runs a step at a seat, after the steps in progress there. */
  at<T>(index: number, step: () => Promise<T>): Promise<T> {
    const seat = this.#seat(index);
    const turn = seat.turn.then(step);
    seat.turn = turn.catch(() => {});
    return turn;
  }

  /** Sets the options with which its daemons are started from now on. */
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

  /** Cuts a seat off from all members, or reconnects it. */
  setCut(index: number, isCut: boolean): void {
    for (const [from, links] of this.#links.entries())
      for (const [to, link] of links.entries()) if ((from === index) !== (to === index)) link.isCut = isCut;
  }

  /** Makes a daemon with an empty folder a member. @param lost  the id of the daemon that it replaces; null: none */
  async letIn(index: number, lost: string | null = null): Promise<void> {
    await this.start(index);
    const address = this.#address(index);
    const words = lost === null ? ["add", address] : ["replace", lost.slice(0, 12), address];
    const { id } = this.#seat(index);
    await this.#amend(words, [...this.members, index], ({ members }) => members.includes(id));
    this.#seat(index).isMember = true;
    await this.live(index);
  }

  /** Removes a member, whether its daemon runs or not. */
  async evict(index: number): Promise<void> {
    const seat = this.#seat(index);
    seat.isMember = false;
    const { id } = seat;
    await this.#amend(["evict", id.slice(0, 12)], this.members, ({ left }) => left.includes(id));
    await this.trio.until(`${id} is not let in again`, async () => {
      const { code, stderr } = await this.dbsync(["members", "add", id], this.members, "root");
      return code !== 0 && /was removed, and a removed id cannot return/.test(stderr);
    });
  }

  /** Records that a seat's daemon is no longer a member, as its folder is lost. */
  loses(index: number): void {
    this.#seat(index).isMember = false;
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
   * Waits until all members hold the same entries, have folded them, and use one list.
   * @param ms  the timeout
   * @returns how long it took
   */
  async level(ms: number): Promise<number> {
    const startedAt = performance.now();
    const equal = async () => {
      const statuses = await this.statuses();
      const of = (status: Status) => `${status.fingerprint} ${status.listHash}`;
      return statuses.every((one) => one.isSettled && of(one) === of(statuses[0] ?? one));
    };
    await this.trio.until("all members are level", equal, ms);
    return performance.now() - startedAt;
  }

  /** Runs `dbsync WORDS` with some of the daemons as servers. */
  dbsync(words: readonly string[], asked: readonly number[], key: "app" | "root"): Promise<ChildResult> {
    const DBSYNC_SERVERS = asked.map((index) => this.#address(index)).join(",");
    return runDbsync(words, { variables: { DBSYNC_SERVERS, DBSYNC_SIGNKEY: this.keyFile(key) } });
  }

  /** Returns the list that the given daemons use; null: there is none, or more than one. */
  async list(asked: readonly number[] = this.members): Promise<List | null> {
    const { stdout } = await this.dbsync(["members", "list", "--json"], asked, "root");
    const { lists } = JSON.parse(stdout) as { readonly lists: readonly List[] };
    const [list = null] = lists;
    return lists.length === 1 ? list : null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.trio[Symbol.asyncDispose]();
    await Promise.all(this.#links.flat().map((link) => link[Symbol.asyncDispose]()));
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
   * Retries as often as necessary: the queried daemons are being killed, and a single daemon may be the only one with
   * the list.
   */
  async #amend(
    words: readonly string[],
    asked: readonly number[],
    isDone: (list: List) => boolean,
  ): Promise<void> {
    let told = "";
    const amended = async () => {
      const { stdout, stderr } = await this.dbsync(["members", ...words], asked, "root");
      told = stdout + stderr;
      const list = await this.list(asked);
      return list !== null && isDone(list);
    };
    await this.trio.until(`dbsync members ${words.join(" ")}`, amended, AMEND_MS).catch((problem: Error) => {
      throw new Error(`${problem.message}\nit says: ${told}`);
    });
  }

  #address(index: number): string {
    return this.trio.servers[index] as string;
  }

  #seat(index: number): Seat {
    const seat = this.#seats[index];
    if (seat === undefined) throw new Error(`there is no seat ${index}`);
    return seat;
  }
}
