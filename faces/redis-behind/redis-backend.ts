/** A Redis server as a backend. While it is down, commands fail immediately. */

import type { Backend, BackendFailure, Outcome } from "../../daemon/engine/backends/backend.js";
import { isolationOf } from "../../daemon/engine/backends/connection-isolation.js";
import type { RedisSpecification } from "../../daemon/options/database-list.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { error } from "../../protocol/reply.js";
import { DatabaseLog } from "./database-log.js";
import { isScan, sendScan, sendScans } from "./marked-cursors.js";
import { type Argv, isAscii, type RedisBackendParts, RedisLink } from "./redis-link.js";

type Waiter = (failure: BackendFailure | null) => void;

export class RedisBackend implements Backend {
  readonly name: string;
  /** Only one database, which is selected when connecting. Each further database would need its own connection. */
  readonly databases = 1;
  readonly #link: RedisLink;
  readonly #log: DatabaseLog;
  /** Commands that arrived while the connection was being opened. */
  readonly #waiters = new Set<Waiter>();
  #stopped = false;

  constructor(parts: RedisBackendParts<RedisSpecification>) {
    const { specification } = parts;
    this.name = specification.name;
    this.#log = new DatabaseLog(this.name, parts);
    this.#link = new RedisLink(parts, specification, specification, (isUp) => {
      if (isUp) this.#up();
      else this.#down();
    });
  }

  async start(): Promise<void> {
    this.#link.start();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#link.stop();
    this.#release(this.#link.failure("database-down", "the daemon is stopping"));
  }

  get up(): boolean {
    return this.#link.isUp;
  }

  get timeout(): number {
    return this.#link.timeout;
  }

  set timeout(timeout: number) {
    this.#link.timeout = timeout;
  }

  execute(argv: Argv): Outcome | Promise<Outcome> {
    const name = (argv[0] as ByteString).toUpperCase();
    if (!isAscii(name)) return error(`ERR unknown command '${argv[0]}'`);
    const isolation = isolationOf(name, argv);
    if (isolation.kind === "none") return this.#link.failure("not-carried", `${name}: ${isolation.reason}`);
    if (isolation.kind === "own") return this.#link.sendAlone([argv]);
    return isScan(argv) ? sendScan(argv, (own) => this.#send(own)) : this.#send(argv);
  }

  #send(argv: Argv): Outcome | Promise<Outcome> {
    if (this.#link.isUp) return this.#link.send(argv);
    return this.#whenReady().then((failure) => failure ?? this.#link.send(argv));
  }

  /** Sends MULTI, the commands and EXEC without other commands between them. */
  async executeTogether(commands: readonly Argv[]): Promise<Outcome> {
    const refused = transactionRefusal(commands);
    if (refused !== null) return refused;
    const failure = this.#link.isUp ? null : await this.#whenReady();
    if (failure !== null) return failure;
    return sendScans(commands, (own) => this.#link.sendInOrder([["MULTI"], ...own, ["EXEC"]]));
  }

  async #whenReady(): Promise<BackendFailure | null> {
    if (this.#link.isConnecting) return await this.#ready();
    return this.#link.failure("database-down", this.#link.lastError);
  }

  #ready(): Promise<BackendFailure | null> {
    return new Promise((resolve) => {
      const waiter: Waiter = (failure) => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
        resolve(failure);
      };
      const timer = setTimeout(() => {
        waiter(this.#link.failure("database-down", `no connection yet: ${this.#link.lastError}`));
      }, this.timeout);
      this.#waiters.add(waiter);
    });
  }

  #release(failure: BackendFailure | null): void {
    for (const waiter of [...this.#waiters]) waiter(failure);
  }

  #up(): void {
    this.#log.up();
    this.#release(null);
  }

  #down(): void {
    this.#release(this.#link.failure("database-down", this.#link.lastError));
    if (!this.#stopped) this.#log.down(this.#link.lastError);
  }
}

/** Returns the error for a command that a transaction cannot contain, or null if all commands are allowed. */
export function transactionRefusal(commands: readonly Argv[]): Outcome | null {
  for (const argv of commands) {
    const isolation = isolationOf((argv[0] as ByteString).toUpperCase(), argv);
    if (isolation.kind !== "shared") return error(`ERR ${argv[0]} is not supported in a transaction`);
  }
  return null;
}
