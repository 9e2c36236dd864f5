/** A Redis server as a backend. While it is down, commands fail immediately. */

import type { Backend, BackendFailure, Outcome } from "../../daemon/engine/backends/backend.js";
import { isolationOf } from "../../daemon/engine/backends/connection-isolation.js";
import { INVALID_CURSOR } from "../../daemon/engine/backends/scan-cursor.js";
import type { RedisSpecification } from "../../daemon/options/database-list.js";
import { cursorOf } from "../../daemon/store/arguments/scan-arguments.js";
import { findCommand } from "../../daemon/store/command-table.js";
import { cursorTag } from "../../daemon/store/values/tables/name-hash.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { array, bulk, type ErrorReply, error, type Reply } from "../../protocol/reply.js";
import { type Argv, DatabaseLog, isAscii, type RedisBackendParts, RedisLink } from "./redis-link.js";

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

/** The upper bound of the server's own cursors: they are smaller than the number of slots in a hash table. */
const OWN = 2n ** 34n;
/**
 * The upper bound of marked cursors, because some clients read cursors as doubles. A larger cursor comes from another
 * server, and is forwarded unchanged.
 */
const MARKED = 2n ** 53n;
const TOO_LARGE = error("ERR the cursor of this server cannot be forwarded: scan the server directly");

const cursorAt = (argv: Argv): number | undefined => findCommand(argv[0] as ByteString)?.cursorAt;

export const isScan = (argv: Argv): boolean => cursorAt(argv) !== undefined;

/**
 * Sends a scan with the server's own cursor, and marks the cursor in its reply. A cursor is valid only on the Redis
 * that issued it: each Redis hashes names with its own secret, so a scan that continued on another daemon's Redis would
 * skip keys. Therefore clients receive the server's cursor combined with the number of this daemon's process, and a
 * cursor with a different number is an error.
 */
export async function sendScan(
  argv: Argv,
  send: (own: Argv) => Outcome | Promise<Outcome>,
): Promise<Outcome> {
  const own = ownScan(argv);
  return "kind" in own ? own : markedIn(await send(own));
}

/** Sends several commands that share one reply, and marks the cursors in it. */
export async function sendScans(
  commands: readonly Argv[],
  send: (own: readonly Argv[]) => Promise<Outcome>,
): Promise<Outcome> {
  const all: Argv[] = [];
  for (const argv of commands) {
    const own = isScan(argv) ? ownScan(argv) : argv;
    if ("kind" in own) return own;
    all.push(own);
  }

  const outcome = await send(all);
  if (outcome.kind !== "array") return outcome;

  return array(outcome.items.map((reply, i) => (isScan(commands[i] as Argv) ? markedIn(reply) : reply)));
}

/** Returns the command with the server's own cursor, or an error if the cursor was issued by another process. */
function ownScan(argv: Argv): Argv | ErrorReply {
  const index = cursorAt(argv) as number;
  const cursor = argv[index];
  const value = cursor === undefined ? undefined : cursorOf(cursor);
  if (value === undefined || value === 0n || value >= MARKED) return argv;
  if (value / OWN !== mark()) return INVALID_CURSOR;
  return [...argv.slice(0, index), String(value % OWN), ...argv.slice(index + 1)];
}

function markedIn<Answer extends Outcome>(outcome: Answer): Answer | Reply {
  const [next, found] = outcome.kind === "array" ? outcome.items : [];
  const value = next?.kind === "bulk" ? cursorOf(next.bytes) : undefined;
  if (value === undefined || found === undefined || value === 0n || value >= MARKED) return outcome;
  return value >= OWN ? TOO_LARGE : array([bulk(String(mark() * OWN + value)), found]);
}

/** Returns the number of this process, from 1 to 2^19 - 1. */
const mark = (): bigint => BigInt(cursorTag() >>> 1 || 1);
