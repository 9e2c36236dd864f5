/**
 * Real daemons that are each other's peers, usually each with a data folder, and with a port that it retains over
 * restarts. A daemon that ends unexpectedly fails the test.
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
/** Maximum milliseconds of calls and conditions; a busy machine or a slow disk may need a part of it. */
const CALL_MS = 20_000;
const UNTIL_MS = 120_000;

export class Trio implements AsyncDisposable {
  /** The client's key pair. */
  readonly app: KeyPair = makeKeyPair();
  /** The administrator's key pair. */
  readonly root: KeyPair = makeKeyPair();
  readonly ports: readonly number[];
  /** The ports through which the other daemons reach each one; differs from its own port if a relay is between them. */
  linkPorts: readonly number[];
  /** The same, if it depends on which daemon connects. */
  linkPort: (from: number, to: number) => number = (_, to) => this.linkPorts[to] ?? 0;
  /** Everything that the daemons have logged at level error or fatal. */
  readonly errors: string[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), "dbsync-trio-"));
  readonly #args: readonly string[];
  readonly #isInMemory: boolean;
  readonly #daemons: (DaemonProcess | null)[];
  /** Processes that the test has ended or is about to end. */
  readonly #doomed = new WeakSet<DaemonProcess>();
  readonly #unexpected: string[] = [];

  private constructor(ports: readonly number[], args: readonly string[], isInMemory: boolean) {
    this.ports = ports;
    this.linkPorts = ports;
    this.#args = args;
    this.#isInMemory = isInMemory;
    this.#daemons = ports.map(() => null);
  }

  /** Starts daemons and waits until they are live. @param args  further options of each */
  static async start(args: readonly string[] = [], count = DAEMONS): Promise<Trio> {
    const trio = await Trio.make(args, count);
    await trio.startAll();
    return trio;
  }

  /** Creates a trio without starting it. @param isInMemory  without data folders */
  static async make(
    args: readonly string[] = [],
    count = DAEMONS,
    { isInMemory = false } = {},
  ): Promise<Trio> {
    const ports = new Set<number>();
    while (ports.size < count) ports.add(await freePort());
    return new Trio([...ports], args, isInMemory);
  }

  /** Starts all daemons and waits until they are live. */
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
   * Waits until the answers of all daemons count towards a majority. An empty daemon that goes live before it has
   * reached all peers may have existed before, and so marks its answers `late` for some seconds.
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

  /** Returns a running daemon. @throws Error  it does not run */
  daemon(index: number): DaemonProcess {
    const daemon = this.#daemons[index];
    if (daemon == null) throw new Error(`daemon ${index} does not run`);
    return daemon;
  }

  /** Returns the command-line arguments of a daemon. */
  argsOf(index: number): string[] {
    const others = [...this.ports.keys()].filter((other) => other !== index);
    const peers = others.flatMap((other) => ["--peer", `127.0.0.1:${this.linkPort(index, other)}`]);
    const keys = ["-s", this.app.file, "--root-key", this.root.file];
    const data = this.#isInMemory ? [] : ["--data", this.folder(index)];
    const secret = others.length === 0 ? [] : knowsSecret;
    return ["-p", String(this.ports[index]), ...keys, ...data, ...peers, ...secret, ...this.#args];
  }

  /** Starts a daemon, in its earlier folder if there is one. */
  async start(index: number, options: DaemonOptions = {}): Promise<DaemonProcess> {
    const daemon = await startDaemon(this.argsOf(index), options);
    this.#daemons[index] = daemon;
    void daemon.ended().then((ended) => this.#note(index, daemon, ended));
    return daemon;
  }

  /** Ends a daemon by a signal, and waits until it has ended. */
  async end(index: number, signal: "SIGKILL" | "SIGTERM"): Promise<Ended> {
    const daemon = this.daemon(index);
    this.#doomed.add(daemon);
    this.#daemons[index] = null;
    daemon.kill("SIGCONT");
    daemon.kill(signal);
    return await daemon.ended();
  }

  /** Ends all running daemons by SIGTERM. */
  async endAll(): Promise<void> {
    const running = this.#daemons.flatMap((daemon, index) => (daemon === null ? [] : [index]));
    await Promise.all(running.map((index) => this.end(index, "SIGTERM")));
    this.check();
  }

  /** Checks that the daemons run. @throws Error  a daemon has ended by itself */
  check(): void {
    if (this.#unexpected.length > 0) throw new Error(this.#unexpected.join("\n"));
  }

  /** Returns a client of the named daemons, by default of all. */
  client(indices: readonly number[] = [...this.ports.keys()], options: Partial<SendOptions> = {}): Client {
    const servers = indices.map((index) => this.servers[index] as string);
    return createClient({ servers, key: this.app.privateKey, timeout: CALL_MS, ...options });
  }

  /** Returns the status of each daemon; null: it does not answer. */
  async statuses(): Promise<Status[]> {
    return await Promise.all(this.ports.map((_, index) => this.status(index)));
  }

  async status(index: number): Promise<Status> {
    await using client = this.client([index], { key: this.root.privateKey });
    return await readStatus(client);
  }

  /** Waits until all hold the same entries and have folded them. @param ms  the timeout @returns how long it took */
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

  /** Waits for a condition. @throws Error  timeout, or a daemon has ended; the message describes the daemons */
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
