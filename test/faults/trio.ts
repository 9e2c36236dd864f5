/**
 * Real daemons, each the others' peer, mostly with a data folder each, and a port that it keeps over its restarts. One that ends
 * without having been told to fails the test.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, createClient, type SendOptions } from "../../client/entry.js";
import { knowsSecret } from "../support/cluster-secret.js";
import {
  type DaemonOptions,
  type DaemonProcess,
  type Ended,
  startDaemon,
} from "../support/daemon-process.js";
import { type KeyPair, makeKeyPair } from "../support/envelope-client.js";
import { freePort } from "../support/free-port.js";
import { readStatus, type Status } from "./status.js";

const DAEMONS = 3;
const POLL_MS = 100;
/** What calls and conditions get; a busy machine, or a slow disk, may need some of it. */
const CALL_MS = 20_000;
const UNTIL_MS = 120_000;

export class Trio implements AsyncDisposable {
  /** Signs commands. */
  readonly app: KeyPair = makeKeyPair();
  /** An administrator's. */
  readonly root: KeyPair = makeKeyPair();
  readonly ports: readonly number[];
  /** Where each is reached by the others; another port than its own: through something. */
  linkPorts: readonly number[];
  /** The same, where it depends on which of the others reaches it. */
  linkPort: (from: number, to: number) => number = (_, to) => this.linkPorts[to] ?? 0;
  /** Everything that the daemons have logged at level error or fatal. */
  readonly errors: string[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), "dbsync-trio-"));
  readonly #args: readonly string[];
  readonly #isInMemory: boolean;
  readonly #daemons: (DaemonProcess | null)[];
  /** Ended by us, or about to be. */
  readonly #doomed = new WeakSet<DaemonProcess>();
  readonly #unexpected: string[] = [];

  private constructor(ports: readonly number[], args: readonly string[], isInMemory: boolean) {
    this.ports = ports;
    this.linkPorts = ports;
    this.#args = args;
    this.#isInMemory = isInMemory;
    this.#daemons = ports.map(() => null);
  }

  /** Started, and live. @param args  further options of each */
  static async start(args: readonly string[] = [], count = DAEMONS): Promise<Trio> {
    const trio = await Trio.make(args, count);
    await trio.startAll();
    return trio;
  }

  /** Not started. @param isInMemory  without data folders */
  static async make(
    args: readonly string[] = [],
    count = DAEMONS,
    { isInMemory = false } = {},
  ): Promise<Trio> {
    const ports = new Set<number>();
    while (ports.size < count) ports.add(await freePort());
    return new Trio([...ports], args, isInMemory);
  }

  /** Until all are live. */
  async startAll(options: DaemonOptions = {}): Promise<void> {
    try {
      await Promise.all(this.ports.map((_, index) => this.start(index, options)));
      const areLive = async () => (await this.statuses()).every(({ state }) => state === "live");
      await this.until("all are live", areLive);
    } catch (problem) {
      await this[Symbol.asyncDispose]();
      throw problem;
    }
  }

  /**
   * Until the answers of all count where most are to agree. One that begins with nothing, and is live before it has heard of all others, may
   * have been here before: for some seconds it marks its answers `late`.
   */
  async untilNoneIsLate(): Promise<void> {
    await this.until("no answer is late", async () => {
      await using client = this.client();
      await client.call("DEL nothing", { policy: "all" });
      return true;
    });
  }

  get servers(): readonly string[] {
    return this.ports.map((port) => `127.0.0.1:${port}`);
  }

  folder(index: number): string {
    return join(this.#folder, String(index));
  }

  /** @throws Error  it does not run */
  daemon(index: number): DaemonProcess {
    const daemon = this.#daemons[index];
    if (daemon == null) throw new Error(`daemon ${index} does not run`);
    return daemon;
  }

  /** What a daemon is started with. */
  argsOf(index: number): string[] {
    const others = [...this.ports.keys()].filter((other) => other !== index);
    const peers = others.flatMap((other) => ["--peer", `127.0.0.1:${this.linkPort(index, other)}`]);
    const keys = ["-s", this.app.file, "--root-key", this.root.file];
    const data = this.#isInMemory ? [] : ["--data", this.folder(index)];
    const secret = others.length === 0 ? [] : knowsSecret;
    return ["-p", String(this.ports[index]), ...keys, ...data, ...peers, ...secret, ...this.#args];
  }

  /** Starts one, in its folder of before if there is one. */
  async start(index: number, options: DaemonOptions = {}): Promise<DaemonProcess> {
    const daemon = await startDaemon(this.argsOf(index), options);
    this.#daemons[index] = daemon;
    void daemon.ended().then((ended) => this.#note(index, daemon, ended));
    return daemon;
  }

  /** Ends one by a signal, and waits until it has ended. */
  async end(index: number, signal: "SIGKILL" | "SIGTERM"): Promise<Ended> {
    const daemon = this.daemon(index);
    this.#doomed.add(daemon);
    this.#daemons[index] = null;
    daemon.kill("SIGCONT");
    daemon.kill(signal);
    return await daemon.ended();
  }

  /** Ends all that run, gently. */
  async endAll(): Promise<void> {
    const running = this.#daemons.flatMap((daemon, index) => (daemon === null ? [] : [index]));
    await Promise.all(running.map((index) => this.end(index, "SIGTERM")));
    this.check();
  }

  /** @throws Error  a daemon has ended by itself */
  check(): void {
    if (this.#unexpected.length > 0) throw new Error(this.#unexpected.join("\n"));
  }

  /** A client of some of the daemons, of all if none is named. */
  client(indices: readonly number[] = [...this.ports.keys()], options: Partial<SendOptions> = {}): Client {
    const servers = indices.map((index) => this.servers[index] as string);
    return createClient({ servers, key: this.app.privateKey, timeout: CALL_MS, ...options });
  }

  /** As each of the daemons sees it; null instead of one that does not answer. */
  async statuses(): Promise<Status[]> {
    return await Promise.all(this.ports.map((_, index) => this.status(index)));
  }

  async status(index: number): Promise<Status> {
    await using client = this.client([index], { key: this.root.privateKey });
    return await readStatus(client);
  }

  /**
   * Waits until all hold the same and have folded it.
   * @param ms  what they have for it
   * @returns how long it took
   */
  async level(ms: number): Promise<number> {
    const startedAt = performance.now();
    const equal = async () => {
      const statuses = await this.statuses();
      const [first] = statuses;
      return statuses.every((one) => one.isSettled && one.fingerprint === first?.fingerprint);
    };
    await this.until("all are level", equal, ms);
    return performance.now() - startedAt;
  }

  /** @throws Error  it does not hold in time, or a daemon has ended; says how the daemons are */
  async until(what: string, holds: () => Promise<boolean>, ms = UNTIL_MS): Promise<void> {
    const deadline = performance.now() + ms;
    for (;;) {
      this.check();
      if (await holds().catch(() => false)) return;
      if (performance.now() > deadline) break;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    const told = await Promise.allSettled(this.ports.map((_, index) => this.status(index)));
    const lines = told.map((one) =>
      one.status === "fulfilled" ? JSON.stringify(one.value) : String(one.reason),
    );
    throw new Error(`${what}: not within ${ms} ms:\n${lines.join("\n")}\n${this.errors.join("\n")}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const daemon of this.#daemons) if (daemon !== null) this.#doomed.add(daemon);
    await Promise.all(this.#daemons.map((daemon) => daemon?.[Symbol.asyncDispose]()));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #note(index: number, daemon: DaemonProcess, { code, stderr }: Ended): void {
    for (const line of daemon.log)
      if (line.level === "error" || line.level === "fatal")
        this.errors.push(`${index}: ${JSON.stringify(line)}`);
    if (this.#doomed.has(daemon)) return;
    this.#daemons[index] = null;
    const last = daemon.log.slice(-5).map((line) => JSON.stringify(line));
    this.#unexpected.push(`daemon ${index} ended by itself with ${code}: ${stderr}\n${last.join("\n")}`);
  }
}
