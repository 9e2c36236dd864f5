/**
 * Real daemons that are peers of each other. Each has a port that stays the same over restarts, and usually a data
 * folder. A daemon that ends unexpectedly fails the test.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, createClient, type SendOptions } from "../../client/public-api.js";
import { writeMemberList } from "../../protocol/members/member-list.js";
import { bytesOfHex, HASH_BYTES } from "../../protocol/version-2/envelope.js";
import { fieldsOf, readStatus, type Status } from "../system/status.js";
import { isFull } from "./amount.js";
import { knowsSecret } from "./cluster-secret.js";
import { CuttablePort } from "./cuttable-port.js";
import { startInThisProcess } from "./daemon-here.js";
import { type DaemonOptions, type DaemonProcess, type Ended, startDaemon } from "./daemon-process.js";
import { EnvelopeClient, type KeyPair, makeKeyPair } from "./envelope-client.js";
import { freePort } from "./free-port.js";
import { until } from "./until.js";

const DAEMONS = 3;
/** The timeout of calls in milliseconds. It is long because the machine may be busy and its disk slow. */
const CALL_MS = 20_000;

/** Further options of each daemon, or of the daemon with an index. */
export type DaemonArgs = readonly string[] | ((index: number) => readonly string[]);

export interface TrioOptions {
  /** Whether the daemons have no data folders. */
  readonly isInMemory?: boolean;
  /** Whether each daemon connects to the others. */
  readonly arePeers?: boolean;
  /**
   * The public keys of the daemons: `app` and `root` (default); `app` alone, so that no daemon's key has to be
   * authorized, and no key may read the status; or none, so that clients do not sign.
   */
  readonly keys?: "app and root" | "app" | "none";
  /** The key pair of the client. */
  readonly app?: KeyPair;
  /** Whether the daemons are in the process of the test, except in full runs. Such a test kills and suspends none. */
  readonly areHere?: boolean;
}

export class Trio implements AsyncDisposable {
  /** The key pair of the client. */
  readonly app: KeyPair;
  /** The key pair of the administrator. */
  readonly root: KeyPair = makeKeyPair();
  readonly ports: readonly number[];
  /**
   * The ports through which the other daemons connect to each daemon. They differ from the daemons' own ports if
   * there are relays between them.
   */
  linkPorts: readonly number[];
  /** Returns the port for connections from one daemon to another. Tests replace it if each pair needs its own port. */
  linkPort: (from: number, to: number) => number = (_, to) => this.linkPorts[to] ?? 0;
  /** The links of `openLinks`, by the daemon that connects and the daemon that it connects to. */
  links: readonly (readonly CuttablePort[])[] = [];
  /** All lines that the daemons have logged at level error or fatal. */
  readonly errors: string[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), "dbsync-trio-"));
  readonly #args: DaemonArgs;
  readonly #options: TrioOptions;
  readonly #daemons: (DaemonProcess | null)[];
  /** The processes that the test has stopped or is about to stop. */
  readonly #doomed = new WeakSet<DaemonProcess>();
  readonly #unexpected: string[] = [];

  private constructor(ports: readonly number[], args: DaemonArgs, options: TrioOptions) {
    this.app = options.app ?? makeKeyPair();
    this.ports = ports;
    this.linkPorts = ports;
    this.#args = args;
    this.#options = options;
    this.#daemons = ports.map(() => null);
  }

  /** Starts daemons and waits until they are live. @param args  further options of each daemon */
  static async start(args: DaemonArgs = [], count = DAEMONS, options: TrioOptions = {}): Promise<Trio> {
    const trio = await Trio.make(args, count, options);
    await trio.startAll();
    return trio;
  }

  /** Creates a trio without starting it. */
  static async make(args: DaemonArgs = [], count = DAEMONS, options: TrioOptions = {}): Promise<Trio> {
    const ports = new Set<number>();
    while (ports.size < count) ports.add(await freePort());
    return new Trio([...ports], args, options);
  }

  /**
   * Opens a link for each pair of daemons, which the test can cut. The daemons must not be started yet.
   * @param delayMs  the milliseconds that bytes need in each direction
   */
  async openLinks(delayMs?: number): Promise<void> {
    const open = (port: number) => CuttablePort.open(() => port, delayMs);
    this.links = await Promise.all(this.ports.map(() => Promise.all(this.ports.map(open))));
    this.linkPort = (from, to) => this.links[from]?.[to]?.port ?? 0;
  }

  /** Cuts the links between some daemons and all others, and opens the remaining ones. */
  cutOff(some: readonly number[]): void {
    for (const [from, links] of this.links.entries())
      for (const [to, link] of links.entries()) link.isCut = some.includes(from) !== some.includes(to);
  }

  /** Starts all daemons, and waits until they are live unless they have no timeline. */
  async startAll(options: DaemonOptions = {}): Promise<void> {
    try {
      await Promise.all(this.ports.map((_, index) => this.start(index, options)));
      const { isInMemory = false, arePeers = true } = this.#options;
      if (isInMemory && !arePeers) return;
      const areLive = async () => {
        const states = await Promise.all(this.ports.map((port) => this.#stateOf(port)));
        return states.every((state) => state === "live");
      };
      await this.until("all daemons are live", areLive);
    } catch (problem) {
      await this[Symbol.asyncDispose]();
      throw problem;
    }
  }

  /** Returns the state in the hello of a daemon, which needs no rights. */
  async #stateOf(port: number): Promise<string> {
    using client = await EnvelopeClient.open(port, this.app);
    return (await client.hello()).state;
  }

  /**
   * Waits until the answers of all daemons count towards a majority. An empty daemon that becomes live before it has
   * reached all peers may have lost its data. It therefore flags its answers as `late` for some seconds.
   */
  async untilNoneIsLate(): Promise<void> {
    await this.until("no answer has the flag late", async () => {
      await using client = this.client();
      await client.call("DEL nothing", { policy: "all" });
      return true;
    });
  }

  /** Signs the first member list, which names all daemons, and waits until all of them use it. */
  async list(): Promise<void> {
    const reports = await Promise.all(this.ports.map((_, index) => this.report(index, "CLUSTER", "MEMBERS")));
    const members = reports.map((report) => bytesOfHex(String(report.get("id")), HASH_BYTES) ?? "");
    const cluster = bytesOfHex(String(reports[0]?.get("cluster")), HASH_BYTES) ?? "";
    const list = writeMemberList({ cluster, number: 1, parents: [], members, removed: [] });
    await using client = this.client(undefined, { key: this.root.privateKey });
    await client.call(["CLUSTER", "MEMBERS", list], { policy: "all" });
    await this.until("all daemons report under the list", async () => {
      const now = await Promise.all(this.ports.map((_, index) => this.report(index, "CLUSTER", "MEMBERS")));
      return now.every((report) => Number(report.get("reporting")) === 1);
    });
  }

  get servers(): readonly string[] {
    return this.ports.map((port) => `127.0.0.1:${port}`);
  }

  folder(index: number): string {
    return join(this.#folder, String(index));
  }

  /** Returns a daemon. @throws Error if it is not running */
  daemon(index: number): DaemonProcess {
    const daemon = this.#daemons[index];
    if (daemon == null) throw new Error(`daemon ${index} is not running`);
    return daemon;
  }

  /** The running daemons. */
  get running(): readonly DaemonProcess[] {
    return this.#daemons.filter((daemon) => daemon !== null);
  }

  /** The indices of the running daemons. */
  get runningIndices(): readonly number[] {
    return [...this.ports.keys()].filter((index) => this.#daemons[index] !== null);
  }

  /** Returns the command-line arguments of a daemon. */
  argsOf(index: number): string[] {
    const { isInMemory = false, arePeers = true, keys: kinds = "app and root" } = this.#options;
    const others = arePeers ? [...this.ports.keys()].filter((other) => other !== index) : [];
    const peers = others.flatMap((other) => ["--peer", `127.0.0.1:${this.linkPort(index, other)}`]);
    const keys = [
      ...(kinds === "none" ? [] : ["-s", this.app.file]),
      ...(kinds === "app and root" ? ["--root-key", this.root.file] : []),
    ];
    const data = isInMemory ? [] : ["--data", this.folder(index)];
    const secret = others.length === 0 ? [] : knowsSecret;
    const more = typeof this.#args === "function" ? this.#args(index) : this.#args;
    return ["-p", String(this.ports[index]), ...keys, ...data, ...peers, ...secret, ...more];
  }

  /** Starts a daemon, with its previous folder if it has one. */
  async start(index: number, options: DaemonOptions = {}): Promise<DaemonProcess> {
    const args = this.argsOf(index);
    const isHere = this.#options.areHere === true && !isFull;
    const daemon = await (isHere ? startInThisProcess(args) : startDaemon(args, options));
    this.#daemons[index] = daemon;
    void daemon.ended().then((ended) => this.#note(index, daemon, ended));
    return daemon;
  }

  /** Stops a daemon with a signal, and waits until it has ended. */
  async end(index: number, signal: "SIGKILL" | "SIGTERM"): Promise<Ended> {
    const daemon = this.daemon(index);
    this.#doomed.add(daemon);
    this.#daemons[index] = null;
    daemon.kill("SIGCONT");
    daemon.kill(signal);
    return await daemon.ended();
  }

  /** Stops all running daemons with SIGTERM. */
  async endAll(): Promise<void> {
    await Promise.all(this.runningIndices.map((index) => this.end(index, "SIGTERM")));
    this.check();
  }

  /** Checks that no daemon has ended unexpectedly. @throws Error if one has */
  check(): void {
    if (this.#unexpected.length > 0) throw new Error(this.#unexpected.join("\n"));
  }

  /** Returns a client of some daemons, by default of all. */
  client(indices: readonly number[] = [...this.ports.keys()], options: Partial<SendOptions> = {}): Client {
    const servers = indices.map((index) => this.servers[index] as string);
    return createClient({ servers, key: this.app.privateKey, timeout: CALL_MS, ...options });
  }

  /** Returns the status of each daemon. @throws Error if a daemon does not answer */
  async statuses(): Promise<Status[]> {
    return await Promise.all(this.ports.map((_, index) => this.status(index)));
  }

  async status(index: number): Promise<Status> {
    await using client = this.client([index], { key: this.root.privateKey });
    return await readStatus(client);
  }

  /** Requests a report of one daemon as an administrator. @returns its fields */
  async report(index: number, ...argv: readonly string[]): Promise<ReturnType<typeof fieldsOf>> {
    await using client = this.client([index], { key: this.root.privateKey });
    return fieldsOf(await client.call(argv));
  }

  /**
   * Waits until all daemons have the same entries and have folded them.
   * @param ms  the timeout
   * @returns the duration of the wait in milliseconds
   */
  async level(ms: number): Promise<number> {
    const startedAt = performance.now();
    const equal = async () => {
      const statuses = await this.statuses();
      const [first] = statuses;
      return statuses.every((one) => one.isSettled && one.fingerprint === first?.fingerprint);
    };
    await this.until("all daemons are equal", equal, ms);
    return performance.now() - startedAt;
  }

  /**
   * Waits for a condition.
   * @throws Error after the timeout, or if a daemon has ended; the message describes the daemons
   */
  async until(what: string, holds: () => Promise<boolean>, ms?: number): Promise<void> {
    const check = async () => {
      this.check();
      return await holds().catch(() => false);
    };
    await until(what, check, ms === undefined ? {} : { ms }).catch(async (problem: Error) => {
      const { keys = "app and root" } = this.#options;
      const asked = keys === "app and root" ? this.ports : [];
      const statuses = await Promise.allSettled(asked.map((_, index) => this.status(index)));
      const lines = statuses.map((one) =>
        one.status === "fulfilled" ? JSON.stringify(one.value) : String(one.reason),
      );
      throw new Error(`${problem.message}:\n${[...lines, ...this.errors].join("\n")}`);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const daemon of this.#daemons) if (daemon !== null) this.#doomed.add(daemon);
    await Promise.all(this.#daemons.map((daemon) => daemon?.[Symbol.asyncDispose]()));
    await Promise.all(this.links.flat().map((link) => link[Symbol.asyncDispose]()));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #note(index: number, daemon: DaemonProcess, { code, stderr }: Ended): void {
    for (const line of daemon.log)
      if (line.level === "error" || line.level === "fatal")
        this.errors.push(`${index}: ${JSON.stringify(line)}`);
    if (this.#doomed.has(daemon)) return;
    this.#daemons[index] = null;
    const last = daemon.log.slice(-5).map((line) => JSON.stringify(line));
    this.#unexpected.push(`daemon ${index} ended unexpectedly with ${code}: ${stderr}\n${last.join("\n")}`);
  }
}
