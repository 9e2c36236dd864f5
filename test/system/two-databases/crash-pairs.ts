/** Pairs of servers with the same data: two dbsync daemons, or a Redis primary and its replica. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "../../../client/public-api.js";
import { freePort } from "../../support/free-port.js";
import { RedisConnection } from "../../support/redis-connection.js";
import { type RedisServer, startRedis } from "../../support/redis-server.js";
import { Trio } from "../../support/trio.js";
import { until } from "../../support/until.js";
import { Relay } from "./relay.js";

export interface CrashPair extends AsyncDisposable {
  /** Sets a key named `token`. @returns whether a server acknowledged it */
  write(writer: number, token: string): Promise<boolean>;
  /** Disconnects the second server from the first server and from the clients. */
  cutSecond(): void;
  /** Kills the first server, reconnects the second server, and directs writes to the second server. */
  killFirst(): Promise<void>;
  /** Stops the first server with SIGSTOP, and resumes it later. */
  freezeFirst(): void;
  thawFirst(): void;
  /** Restarts the first server as a peer or replica of the second server, and waits until they are connected. */
  restartFirst(): Promise<void>;
  changePlaces(): void;
  /** Waits until both servers have the same data. No client may write at this time. */
  level(): Promise<void>;
  /** Returns whether both servers have the same data. They must be in sync, and no client may write at this time. */
  isEqual(): Promise<boolean>;
  /**
   * Returns the number of these keys that exist on the second server if it is alone, or on the server that receives
   * the writes.
   */
  count(tokens: readonly string[]): Promise<number>;
}

const CHUNK = 500;
/** The option of redis-server that enables DEBUG DIGEST. */
const DEBUG = ["--enable-debug-command", "local"];
const LEVEL_MS = 30_000;
const TIMEOUT_MS = 2000;

export class DbsyncPair implements CrashPair {
  readonly #trio: Trio;
  readonly #waits: boolean;
  /** The relays from the clients to each server. */
  readonly #clientRelays: readonly Relay[];
  /** The relays from the other server to each server. */
  readonly #links: readonly Relay[];
  readonly #client: Client;
  #first = 0;

  private constructor(trio: Trio, waits: boolean, relays: readonly Relay[], links: readonly Relay[]) {
    this.#trio = trio;
    this.#waits = waits;
    this.#clientRelays = relays;
    this.#links = links;
    const servers = relays.map(({ port }) => `127.0.0.1:${port}`);
    this.#client = trio.client([0, 1], { servers, timeout: TIMEOUT_MS });
  }

  static async start({ waits }: { waits: boolean }): Promise<DbsyncPair> {
    const trio = await Trio.make([], 2);
    const relays = await Promise.all(trio.ports.map((port) => Relay.start(port)));
    const links = await Promise.all(trio.ports.map((port) => Relay.start(port)));
    trio.linkPorts = links.map(({ port }) => port);
    await trio.startAll();
    return new DbsyncPair(trio, waits, relays, links);
  }

  async write(_writer: number, token: string): Promise<boolean> {
    try {
      await this.#client.send(["SET", token, token], this.#waits ? { replicated: 2 } : {});
      return true;
    } catch {
      return false;
    }
  }

  cutSecond(): void {
    for (const relay of [...this.#links, this.#clientRelays[1 - this.#first]]) relay?.cut();
  }

  async killFirst(): Promise<void> {
    await this.#trio.end(this.#first, "SIGKILL");
    for (const relay of [...this.#links, ...this.#clientRelays]) relay.mend();
  }

  freezeFirst(): void {
    this.#trio.daemon(this.#first).kill("SIGSTOP");
  }

  thawFirst(): void {
    this.#trio.daemon(this.#first).kill("SIGCONT");
  }

  async restartFirst(): Promise<void> {
    await this.#trio.start(this.#first);
    const live = async () => (await this.#trio.status(this.#first)).state === "live";
    await this.#trio.until("the first daemon is live again", live, LEVEL_MS);
  }

  changePlaces(): void {
    this.#first = 1 - this.#first;
  }

  async level(): Promise<void> {
    await this.#trio.level(LEVEL_MS);
  }

  async isEqual(): Promise<boolean> {
    const [one, other] = await this.#trio.statuses();
    return one?.fingerprint === other?.fingerprint;
  }

  async count(tokens: readonly string[]): Promise<number> {
    await using client = this.#trio.client([1 - this.#first], { timeout: 10_000 });
    return await countIn(tokens, async (chunk) => Number(await client.call(["EXISTS", ...chunk])));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close();
    for (const relay of [...this.#links, ...this.#clientRelays]) relay[Symbol.dispose]();
    await this.#trio[Symbol.asyncDispose]();
  }
}

interface RedisSettings {
  readonly fsync: "always" | "everysec";
  /** Whether a write is acknowledged only when the replica has it. */
  readonly waits: boolean;
}

export class RedisPair implements CrashPair {
  readonly #settings: RedisSettings;
  readonly #folder = mkdtempSync(join(tmpdir(), "dbsync-redis-pair-"));
  readonly #ports: readonly number[];
  /** The relays from a replica to each server. */
  readonly #links: readonly Relay[];
  readonly #servers: RedisServer[] = [];
  readonly #connections = new Map<number, RedisConnection>();
  #first = 0;
  #primary = 0;

  private constructor(settings: RedisSettings, ports: readonly number[], links: readonly Relay[]) {
    this.#settings = settings;
    this.#ports = ports;
    this.#links = links;
  }

  static async start(settings: RedisSettings): Promise<RedisPair> {
    const ports = [await freePort(), await freePort()];
    const pair = new RedisPair(settings, ports, await Promise.all(ports.map((port) => Relay.start(port))));
    for (const index of [0, 1]) await pair.#start(index);
    await pair.#isLinked(1);
    return pair;
  }

  async write(writer: number, token: string): Promise<boolean> {
    try {
      const connection = await within(TIMEOUT_MS, this.#connectionOf(writer));
      const reply = await within(TIMEOUT_MS, connection.call("SET", token, token));
      if (reply.kind !== "status") return false;
      if (!this.#settings.waits) return true;
      const replicas = await connection.call("WAIT", "1", String(TIMEOUT_MS));
      return replicas.kind === "integer" && Number(replicas.value) >= 1;
    } catch {
      this.#connections.get(writer)?.[Symbol.dispose]();
      this.#connections.delete(writer);
      return false;
    }
  }

  cutSecond(): void {
    for (const link of this.#links) link.cut();
  }

  async killFirst(): Promise<void> {
    const second = 1 - this.#first;
    await this.#servers[this.#first]?.stop();
    for (const link of this.#links) link.mend();
    // The replica first applies the data that it has received.
    await this.#until(second, "master_link_status:down");
    await this.#command(second, "REPLICAOF", "NO", "ONE");
    this.#primary = second;
  }

  freezeFirst(): void {
    this.#servers[this.#first]?.kill("SIGSTOP");
  }

  thawFirst(): void {
    this.#servers[this.#first]?.kill("SIGCONT");
  }

  async restartFirst(): Promise<void> {
    await this.#start(this.#first);
    await this.#isLinked(this.#first);
  }

  changePlaces(): void {
    this.#first = 1 - this.#first;
  }

  async level(): Promise<void> {
    await this.#isLinked(1 - this.#primary);
    await until("both servers have the same data", () => this.isEqual(), { ms: LEVEL_MS });
  }

  /** Compares the digests of all keys that Redis computes. */
  async isEqual(): Promise<boolean> {
    const digest = (index: number) => this.#command(index, "DEBUG", "DIGEST");
    return (await digest(0)) === (await digest(1));
  }

  async count(tokens: readonly string[]): Promise<number> {
    return await countIn(tokens, async (chunk) =>
      Number(await this.#command(this.#primary, "EXISTS", ...chunk)),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.#connections.values()) connection[Symbol.dispose]();
    for (const link of this.#links) link[Symbol.dispose]();
    await Promise.all(this.#servers.map((server) => server.stop()));
    // A child process of the killed server may still be writing its file.
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 50, retryDelay: 20 });
  }

  /** Starts a server, as a replica of the primary unless it is the primary itself. */
  async #start(index: number): Promise<void> {
    const files = ["--dir", this.#folder, "--appenddirname", `${index}`, "--dbfilename", `${index}.rdb`];
    const fsync = ["--appendonly", "yes", "--appendfsync", this.#settings.fsync];
    const primary = ["--replicaof", "127.0.0.1", String(this.#links[this.#primary]?.port)];
    const replica = index === this.#primary ? [] : primary;
    this.#servers[index] = await startRedis({
      port: this.#ports[index] as number,
      args: [...files, ...fsync, "--repl-diskless-sync-delay", "0", ...DEBUG, ...replica],
    });
  }

  async #connectionOf(writer: number): Promise<RedisConnection> {
    const known = this.#connections.get(writer);
    if (known !== undefined) return known;
    const connection = await RedisConnection.open(this.#ports[this.#primary] as number);
    this.#connections.set(writer, connection);
    return connection;
  }

  async #isLinked(replica: number): Promise<void> {
    await this.#until(replica, "master_link_status:up");
  }

  /** Waits until INFO of a replica contains a line. */
  async #until(replica: number, line: string): Promise<void> {
    const holds = async () => (await this.#command(replica, "INFO", "replication")).includes(line);
    await until(`INFO contains ${line}`, holds, { ms: LEVEL_MS });
  }

  async #command(index: number, ...argv: readonly string[]): Promise<string> {
    using connection = await RedisConnection.open(this.#ports[index] as number);
    const reply = await connection.call(...argv);
    if (reply.kind === "bulk") return reply.bytes;
    if (reply.kind === "status") return reply.text;
    if (reply.kind === "integer") return String(reply.value);
    throw new Error(`${argv[0]}: ${JSON.stringify(reply)}`);
  }
}

/**
 * Rejects after a timeout, like the client of the daemons. A write that is not answered in time counts as not
 * acknowledged.
 */
function within<Answer>(ms: number, answer: Promise<Answer>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

async function countIn(
  tokens: readonly string[],
  exists: (chunk: readonly string[]) => Promise<number>,
): Promise<number> {
  let count = 0;
  for (let start = 0; start < tokens.length; start += CHUNK)
    count += await exists(tokens.slice(start, start + CHUNK));
  return count;
}
