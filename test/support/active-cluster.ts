/**
 * Two or three real daemons in the configuration of docs/active-active.md. Each accepts writes of any Redis client. A
 * test can cut the links between them, kill and restart them, and run them with a wrong clock.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import { RedisPyClient } from "../system/redis-programs.js";
import { fieldsOf } from "../system/status.js";
import { decideOn, sendOrder } from "./decided-patterns.js";
import { freePort } from "./free-port.js";
import { buildRoot } from "./repository.js";
import { Trio } from "./trio.js";

const clockOff = join(buildRoot, "test", "system", "programs", "clock-off.js");

/** A client of one daemon. Its calls fail while that daemon is down. */
export interface ScenarioClient {
  call(name: string, ...argv: string[]): Promise<unknown>;
  disconnect(): void;
}

interface Options {
  /** Whether the daemons run without --data. */
  readonly isInMemory?: boolean;
  /** Whether the daemons also serve MongoDB clients. */
  readonly hasDocuments?: boolean;
  /** Whether the daemons also serve memcached clients. */
  readonly hasMemcached?: boolean;
  /** Whether the daemons are in the process of the test, except in full runs (`areHere` of a trio). */
  readonly areHere?: boolean;
  /** Further arguments of the daemon with an index. */
  readonly args?: (index: number) => readonly string[];
  /** The number of milliseconds by which the clock of each daemon is ahead. */
  readonly clocks?: readonly number[];
  /** Whether a pause of a daemon's process, on a busy machine, has no effect. */
  readonly isPatient?: boolean;
  /** The milliseconds that bytes need from one daemon to another. */
  readonly delayMs?: number;
}

/** The options with which daemons refuse neither writes nor scripts after a pause of a process. */
export const PATIENT = ["--standstill", "1m", "--lua-time-limit", "1m"];

export class ActiveCluster implements AsyncDisposable {
  readonly indices: readonly number[];
  readonly #options: Options;
  readonly #trio: Trio;
  readonly #respPorts: readonly number[];
  readonly #mongoPorts: readonly number[];
  readonly #memcachedPorts: readonly number[];
  readonly #clients: ScenarioClient[] = [];

  private constructor(
    trio: Trio,
    ports: Readonly<Record<"resp" | "mongo" | "memcached", readonly number[]>>,
    options: Options,
  ) {
    this.#trio = trio;
    this.#respPorts = ports.resp;
    this.#mongoPorts = ports.mongo;
    this.#memcachedPorts = ports.memcached;
    this.#options = options;
    this.indices = [...trio.ports.keys()];
  }

  /** Starts the daemons and waits until each one accepts writes. */
  static async start(count: number, options: Options = {}): Promise<ActiveCluster> {
    const { isInMemory = false, hasDocuments = false, hasMemcached = false } = options;
    const { isPatient = false, areHere = false } = options;

    const freePorts = () => Promise.all(Array.from({ length: count }, freePort));
    const ports = { resp: await freePorts(), mongo: await freePorts(), memcached: await freePorts() };
    const args = (index: number) => [
      ...["--resp", String(ports.resp[index])],
      ...(hasDocuments ? ["--mongo", String(ports.mongo[index])] : []),
      ...(hasMemcached ? ["--memcached", String(ports.memcached[index])] : []),
      ...(isPatient ? PATIENT : []),
      ...(options.args?.(index) ?? []),
    ];

    const trio = await Trio.make(args, count, { isInMemory, keys: "none", areHere });
    await trio.openLinks(options.delayMs);
    const cluster = new ActiveCluster(trio, ports, options);
    try {
      await Promise.all(cluster.indices.map((index) => cluster.spawn(index)));
      for (const index of cluster.indices) await cluster.untilWritable(index);
      await cluster.untilEqual();
    } catch (problem) {
      await cluster[Symbol.asyncDispose]();
      throw problem;
    }
    return cluster;
  }

  /**
   * Starts a daemon with its previous folder.
   * @param clock  the number of milliseconds by which its clock is ahead
   */
  async spawn(index: number, clock: number = this.#options.clocks?.[index] ?? 0): Promise<void> {
    const options = clock === 0 ? {} : { program: clockOff, env: { CLOCK_OFF_MS: String(clock) } };
    await this.#trio.start(index, options);
  }

  /** Sends a signal to a daemon and waits until its process has ended. */
  async end(index: number, signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    await this.#trio.end(index, signal);
  }

  /** Suspends a daemon's process: it still accepts connections, but answers nothing. */
  hang(index: number): void {
    this.#trio.daemon(index).kill("SIGSTOP");
  }

  /** Resumes a suspended daemon. */
  resume(index: number): void {
    this.#trio.daemon(index).kill("SIGCONT");
  }

  /** Deletes the data folder of a daemon that is not running. */
  loseDisk(index: number): void {
    rmSync(this.#trio.folder(index), { recursive: true });
  }

  async restart(index: number): Promise<void> {
    await this.spawn(index);
    await this.untilWritable(index);
  }

  /** Whether all links between daemons are cut. */
  set areApart(areApart: boolean) {
    for (const link of this.#trio.links.flat()) link.isCut = areApart;
  }

  /** Cuts the link by which one daemon connects to another one. The link in the other direction still works. */
  cut(from: number, to: number): void {
    const link = this.#trio.links[from]?.[to];
    if (link !== undefined) link.isCut = true;
  }

  /** Cuts the links between two daemons, or opens them. */
  cutBoth(one: number, other: number, isCut: boolean): void {
    for (const link of [this.#trio.links[one]?.[other], this.#trio.links[other]?.[one]])
      if (link !== undefined) link.isCut = isCut;
  }

  /** Holds back everything that two daemons send to each other, or forwards it again. */
  hold(one: number, other: number, isHeld: boolean): void {
    for (const link of [this.#trio.links[one]?.[other], this.#trio.links[other]?.[one]])
      if (link !== undefined) link.isHeld = isHeld;
  }

  /** Returns a client of one daemon. */
  client(index: number, library: "ioredis" | "redis-py" = "ioredis"): ScenarioClient {
    const port = this.#respPorts[index] as number;
    const client = library === "ioredis" ? openIoredis(port) : new RedisPyClient(port);
    this.#clients.push(client);
    return client;
  }

  respPort(index: number): number {
    return this.#respPorts[index] as number;
  }

  mongoPort(index: number): number {
    return this.#mongoPorts[index] as number;
  }

  memcachedPort(index: number): number {
    return this.#memcachedPorts[index] as number;
  }

  /** Lets the members decide on the keys of patterns, and waits until all daemons do. */
  async decideOn(patterns: readonly string[]): Promise<void> {
    await decideOn(this.#trio, patterns);
  }

  /** Waits until the daemons have founded a list of members, and each one decides with it. */
  async untilListed(): Promise<void> {
    for (const index of this.indices)
      await this.#trio.until(`daemon ${index} uses the list of members`, async () => {
        const report = fieldsOf(await sendOrder(this.#trio, index, "CLUSTER", "MEMBERS"));
        return Number(report.get("reporting")) === 1;
      });
  }

  /** Returns the id of a running daemon, 64 hexadecimal digits. */
  async idOf(index: number): Promise<string> {
    let id = "";
    await this.#trio.until(`daemon ${index} answers`, async () => {
      id = String(fieldsOf(await sendOrder(this.#trio, index, "CLUSTER", "MEMBERS")).get("id"));
      return id !== "";
    });
    return id;
  }

  /** Orders a change of the list of members as the operator of a daemon, once that daemon accepts the order. */
  async orderMembers(index: number, ...order: readonly string[]): Promise<void> {
    await this.#trio.until(`daemon ${index} accepts the order`, async () => {
      await sendOrder(this.#trio, index, "CLUSTER", "MEMBERS", ...order);
      return true;
    });
  }

  /** Waits until a daemon has logged a text that begins in this way. */
  async untilLogged(index: number, beginning: string): Promise<void> {
    await this.#trio.daemon(index).logged(({ msg }) => msg.startsWith(beginning));
  }

  async untilWritable(index: number): Promise<void> {
    await this.#trio.until(`daemon ${index} accepts writes`, async () => {
      const client = this.client(index);
      try {
        return (await client.call("DEL", "never")) === 0;
      } catch {
        return false;
      } finally {
        client.disconnect();
      }
    });
  }

  /** Waits until all running daemons have the same writes and have applied them. */
  async untilEqual(): Promise<void> {
    const clients = this.#trio.runningIndices.map((index) => this.client(index));
    try {
      await this.#trio.until("all daemons have the same writes", async () => {
        const states = await Promise.all(clients.map(holdings)).catch(() => []);
        return states.length > 0 && states.every((state) => state === states[0] && /^0 /.test(state));
      });
    } finally {
      for (const client of clients) client.disconnect();
    }
  }

  /** Returns the answers of all running daemons. */
  async answers(...argv: readonly [string, ...string[]]): Promise<unknown[]> {
    return await Promise.all(
      this.#trio.runningIndices.map(async (index) => {
        const client = this.client(index);
        const [name, ...rest] = argv;
        try {
          return await client.call(name, ...rest);
        } finally {
          client.disconnect();
        }
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.disconnect();
    await this.#trio[Symbol.asyncDispose]();
  }
}

function openIoredis(port: number): Redis {
  const client = new Redis({ port, retryStrategy: () => null, maxRetriesPerRequest: 0 });
  client.on("error", () => {});
  return client;
}

/** Returns the number of entries that a daemon has not applied yet, and the sums of its entries. */
async function holdings(client: ScenarioClient): Promise<string> {
  const flat = (await client.call("TIMELINE", "STATUS")) as unknown[];
  const field = (name: string) => String(flat[flat.indexOf(name) + 1]);
  return ["waiting", "ring-entries", "ring-sum", "data-entries", "data-sum"].map(field).join(" ");
}
