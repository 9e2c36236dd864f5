/**
 * The session of a connection of memcached's text protocol: requests in, answers out. The string commands execute the
 * requests; an item is a string of the database. The session does not handle bytes. A client logs in as with
 * `memcached -Y`, with a first `set` whose data contains name and password.
 */

import type { CheckedCommand, StepRunner } from "../../daemon/engine/backends/command-path.js";
import { version } from "../../daemon/net/process/version.js";
import { findCommand } from "../../daemon/store/command-table.js";
import type { Command } from "../../daemon/store/rows/command-row.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { bulk, type ErrorReply, error, type Reply } from "../../protocol/reply.js";
import { SessionCommandSender, UserCommands } from "../users/user-commands.js";
import type { UserSocketHost } from "../users/user-listener.js";
import type { Denial } from "../users/user-session.js";
import { metaAnswer } from "./bytes/meta-commands.js";
import type {
  CountRequest,
  DeleteRequest,
  MemcachedRequest,
  MetaGet,
  StoreRequest,
} from "./bytes/request-types.js";
import { uint64 } from "./bytes/request-words.js";
import type { DelayedFlush } from "./delayed-flush.js";
import type { KeyQueues } from "./key-queues.js";
import {
  casUniqueOf,
  expiryDateOf,
  expiryOf,
  type Item,
  itemBytesMax,
  itemOf,
  stringOf,
} from "./memcached-item.js";

/** A request that needs a user. */
type CommandRequest = Exclude<MemcachedRequest, { readonly kind: "quit" | "http" | "wrong" | "version" }>;

type TouchingRequest = MemcachedRequest & { readonly kind: "get-and-touch" };

/** Options of a command that runs only if its key is unchanged. */
interface ConditionOptions {
  /** Whether the answer contains the item's new number; default: false. */
  readonly withNumber?: boolean;
  /**
   * Whether the members of a list decide on the condition, because the client has sent the item's number; default:
   * true. An attempt that the session repeats is not worth a decision.
   */
  readonly isDecided?: boolean;
}

/** An item that is being changed, and the unit that last changed it. */
interface ReadItem extends Item {
  readonly writer: ByteString;
}

/** The effect of a request on an item. */
interface ItemChange {
  /** The command that changes the item, or null if it stays as it is. */
  readonly argv: readonly ByteString[] | null;
  /** Creates the answer. @param newWriter  the unit that changes the item, with `withNumber` */
  answered(newWriter: ByteString): string;
}

/**
 * The reported version. It begins with the version of memcached whose answers we follow: clients parse it, and some
 * refuse a major version of 0.
 */
export const VERSION: string = `1.6.18-dbsync-${version}`;
const WRITERS = findCommand("WRITERS") as Command;
const SCAN = findCommand("SCAN") as Command;
const DEL = findCommand("DEL") as Command;
const PTTL = findCommand("PTTL") as Command;
/** With `1 GT` it changes nothing, but the members decide on it as on each write. */
const EXPIRE_AT = findCommand("PEXPIREAT") as Command;
const MIB = 1024 * 1024;
/** The number of keys that one step of `flush_all` reads. */
const FLUSHED_PER_STEP = 1000;
/** The number of keys that one step of `gat` reads and changes. */
const TOUCHED_PER_STEP = 1000;
/** The number of attempts to change an item that other clients are changing. */
const CHANGE_TRIES = 100;
/** The result of an attempt that another client's write prevented. */
const CONFLICT = "";
/** The item could not be changed in `CHANGE_TRIES` attempts. A value of another type also prevents its creation. */
const KEEPS_CHANGING = error("other clients keep changing this value");
/** The key has a value of another type, so that no item can be created. */
const NO_ITEM = error("this key has a value of another type: delete it, or use another key");
const NO_MEMORY = error("out of memory storing object");
const NOT_PERMITTED = error("this user has no permissions for this command or key");
const EXISTS = "EXISTS\r\n";
const NOT_FOUND = "NOT_FOUND\r\n";
const NOT_STORED = "NOT_STORED\r\n";
const TOO_LARGE = "SERVER_ERROR object too large for cache\r\n";
const TOO_LONG = "SERVER_ERROR out of memory writing get response\r\n";
/** The beginning of the answer to a read that exceeds a limit of the daemon. */
const TOO_MUCH = "SERVER_ERROR TOOMUCH ";
const NO_NUMBER = "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n";

export class MemcachedSession {
  readonly commands: UserCommands;
  readonly #host: UserSocketHost;
  readonly #sender: SessionCommandSender;
  readonly #delayedFlush: DelayedFlush;
  readonly #queues: KeyQueues;

  constructor({ host, delayedFlush, queues }: MemcachedServer) {
    this.#host = host;
    this.#delayedFlush = delayedFlush;
    this.#queues = queues;
    this.commands = new UserCommands(host, denied);
    this.#sender = new SessionCommandSender(this.commands.userSession, host.environment);
  }

  /**
   * Serves a request. @returns the answer, which is empty for a request without one, or null if the connection must be
   * closed
   */
  serve(request: MemcachedRequest): string | Promise<string> | null {
    if (request.kind === "quit" || request.kind === "http") return null;
    if (request.kind === "wrong") return request.answer;
    if (request.kind === "version") return `VERSION ${VERSION}\r\n`;
    this.commands.userSession.renew();
    const answer = this.commands.needsLogin ? this.#logIn(request) : this.#answer(request);

    const written = answerForm(request);
    if (written === null) return answer;
    return answer instanceof Promise ? answer.then(written) : written(answer);
  }

  #logIn(request: CommandRequest): string {
    if (request.kind === "too-large") return TOO_LARGE;
    if (request.kind !== "store" || request.verb !== "set") return "CLIENT_ERROR unauthenticated\r\n";
    const [, name = "", password = ""] = /^(\S+) (\S+)\s*$/.exec(request.data) ?? [];
    return this.commands.userSession.logIn(name, password)
      ? "STORED\r\n"
      : "CLIENT_ERROR authentication failure\r\n";
  }

  #answer(request: CommandRequest): string | Promise<string> {
    switch (request.kind) {
      case "get":
        return this.#get(request.keys, request.withUnique);
      case "get-and-touch":
        return this.#getAndTouch(request);
      case "meta-get":
        return this.#metaGet(request);
      case "store":
        return request.verb === "append" || request.verb === "prepend"
          ? this.#extend(request)
          : this.#store(request);
      case "too-large":
        // As in memcached, the old item does not remain in the cache.
        return request.verb === "set" ? this.#run(["DEL", request.key], () => TOO_LARGE) : TOO_LARGE;
      case "flush":
        return this.#flush(request.delay);
      case "stats":
        return this.#statistics(request.about);
      case "memory-limit":
        return this.#setMemoryLimit(request.mebibytes * MIB);
      case "delete":
        return this.#delete(request);
      case "touch": {
        const expiry = expiryOf(request.exptime, this.#sender.now, ["PERSIST"]);
        return this.#run(["GETEX", request.key, ...expiry], (reply) =>
          reply.kind === "nil" ? NOT_FOUND : "TOUCHED\r\n",
        );
      }
      case "count":
        return this.#count(request);
    }
  }

  #get(keys: readonly ByteString[], withUnique: boolean): string | Promise<string> {
    if (withUnique) {
      const answer = this.#readWithWriters(keys, (values, writers) =>
        this.#itemsAnswer(keys, values, writers),
      );
      return answer instanceof Promise ? answer.then(asMemcached) : asMemcached(answer);
    }
    return this.#run(["MGET", ...keys], (reply) => this.#itemsAnswer(keys, itemsOf(reply), null));
  }

  /** Reads items and changes when they expire, in steps. Values of other types are no items. */
  async #getAndTouch({ keys, exptime, withUnique }: TouchingRequest): Promise<string> {
    let values: readonly Reply[] = [];
    let writers: readonly Reply[] = [];
    for (let at = 0; at < keys.length; at += TOUCHED_PER_STEP) {
      const some = keys.slice(at, at + TOUCHED_PER_STEP);
      const replies = await this.#touched(some, exptime);
      if ("kind" in replies) return answerOf(replies, () => "");
      values = values.concat(replies.slice(0, -1));
      writers = writers.concat(itemsOf(replies.at(-1)));
    }
    return this.#itemsAnswer(keys, values, withUnique ? writers : null);
  }

  /** @returns the value of each key, or an error, and then their last writers; or the error of the request */
  async #touched(keys: readonly ByteString[], exptime: number): Promise<readonly Reply[] | ErrorReply> {
    const expiry = expiryOf(exptime, this.#sender.now, ["PERSIST"]);
    const calls: CheckedCommand[] = [];
    for (const key of keys) {
      const called = this.commands.permitted(["GETEX", key, ...expiry]);
      if ("kind" in called) return called;
      calls.push(called);
    }

    // The writers are read in the same unit: they identify the change of the expiry time.
    calls.push({ command: WRITERS, argv: [WRITERS.name, ...keys] });
    const reply = await this.#host.path.executeTogether(calls, [], this.#sender);
    return reply.kind === "error" ? reply : itemsOf(reply);
  }

  #itemsAnswer(
    keys: readonly ByteString[],
    values: readonly Reply[],
    writers: readonly Reply[] | null,
  ): string {
    let items = "";
    for (const [at, value] of values.entries()) {
      if (value.kind !== "bulk") continue;
      const { flags, data } = itemOf(value.bytes);
      const unique = writers === null ? "" : ` ${casUniqueOf(bytesOf(writers[at]))}`;
      items += `VALUE ${keys[at]} ${flags} ${data.length}${unique}\r\n${data}\r\n`;
      // A request may name a long value many times. Stop at the limit, so that the complete answer is never in memory.
      if (items.length > this.#host.limits.maxOutputBytes) return TOO_LONG;
    }

    return `${items}END\r\n`;
  }

  #store(request: StoreRequest): string | Promise<string> {
    const { verb, key, exptime, unique } = request;
    const condition = verb === "add" ? ["NX"] : verb === "replace" ? ["XX"] : [];
    const argv = ["SET", key, stringOf(request), ...condition, ...expiryOf(exptime, this.#sender.now, [])];
    const withNumber = asksNumber(request);
    const stored = (reply: Reply, newWriter: ByteString) =>
      reply.kind === "nil" ? NOT_STORED : storedAnswer(newWriter, withNumber);
    const answerUnless = (conflict: string) => (reply: Reply | null, newWriter: ByteString) =>
      reply === null ? conflict : stored(reply, newWriter);

    if (verb === "cas")
      return this.#ifUnchanged(key, unique, (writer) =>
        this.#runIf(argv, writer, answerUnless(EXISTS), { withNumber }),
      );
    // The item's number is the hash of the unit that stores it, which only a second command of the unit can read.
    return withNumber
      ? this.#runIf(argv, null, answerUnless(NOT_STORED), { withNumber })
      : this.#run(argv, (reply) => stored(reply, ""));
  }

  #delete({ key, unique }: DeleteRequest): string | Promise<string> {
    const deleted = (reply: Reply | null) =>
      reply === null ? EXISTS : isZero(reply) ? NOT_FOUND : "DELETED\r\n";
    if (unique === 0n) return this.#run(["DEL", key], deleted);
    return this.#ifUnchanged(key, unique, (writer) => this.#runIf(["DEL", key], writer, deleted));
  }

  /** Makes a change if the item has the number `unique`. */
  #ifUnchanged(
    key: ByteString,
    unique: bigint,
    change: (writer: ByteString) => string | Promise<string>,
  ): string | Promise<string> {
    return this.#readToChange(key, (_, writer) => {
      if (writer === "") return NOT_FOUND;
      return casUniqueOf(writer) === unique ? change(writer) : EXISTS;
    });
  }

  /** Increments or decrements a number. Without an exptime of its own, the expiry time stays unchanged. */
  #count({ verb, key, by, unique, exptime, initial }: CountRequest): Promise<string> {
    const { now } = this.#sender;
    const expiry = exptime === null ? ["KEEPTTL"] : expiryOf(exptime, now, []);

    const change = (item: ReadItem | null): ItemChange => {
      if (item === null) {
        if (initial === null) return unchanged(NOT_FOUND);
        const argv = ["SET", key, String(initial.value), "NX", ...expiryOf(initial.exptime, now, [])];
        return { argv, answered: () => `${initial.value}\r\n` };
      }
      if (unique !== 0n && casUniqueOf(item.writer) !== unique) return unchanged(EXISTS);
      const before = uint64(item.data.trim());
      if (before === null) return unchanged(NO_NUMBER);

      const less = before < by ? 0n : before - by;
      const after = String(verb === "decr" ? less : BigInt.asUintN(64, before + by));
      const argv = ["SET", key, stringOf({ flags: item.flags, data: after }), ...expiry];
      return { argv, answered: () => `${after}\r\n` };
    };
    return this.#change(key, change, { isDecided: unique !== 0n });
  }

  /** Appends or prepends data. The flags and the expiry time stay unchanged. */
  #extend(request: StoreRequest): Promise<string> {
    const { verb, key, data: added, unique } = request;
    const withNumber = asksNumber(request);

    const change = (item: ReadItem | null): ItemChange => {
      if (item === null) return unchanged(NOT_STORED);
      const { flags, data, writer } = item;
      if (unique !== 0n && casUniqueOf(writer) !== unique) return unchanged(EXISTS);
      if (data.length + added.length > itemBytesMax(this.#host.limits)) return unchanged(NOT_STORED);

      const extended = verb === "append" ? data + added : added + data;
      const argv = ["SET", key, stringOf({ flags, data: extended }), "KEEPTTL"];
      return { argv, answered: (newWriter) => storedAnswer(newWriter, withNumber) };
    };
    return this.#change(key, change, { withNumber, isDecided: unique !== 0n });
  }

  /**
   * Changes an item. Retries if another client has changed it.
   * @param change  returns the command that changes the item, or that creates it (null); called for each attempt
   */
  async #change(
    key: ByteString,
    change: (item: ReadItem | null) => ItemChange,
    options: ConditionOptions,
  ): Promise<string> {
    const { withNumber = false, isDecided = true } = options;
    // A program does not know the number of the item that it stores, and the numbers that it reads are not final.
    const mayBeProgram = !withNumber && !isDecided;
    if (mayBeProgram && this.#host.path.localData?.decided?.covers(["DEL", key], this.#sender.db))
      return await this.#changeDecided(key, change);

    const attempt = () =>
      this.#readToChange(key, (value, writer) => {
        const item = value?.kind === "bulk" ? { ...itemOf(value.bytes), writer } : null;
        const { argv, answered } = change(item);
        if (argv === null) return answered("");
        if (item === null)
          return this.#run(argv, (reply) => (reply.kind === "nil" ? CONFLICT : answered("")));

        const replaced = (reply: Reply | null, newWriter: ByteString) =>
          reply === null ? CONFLICT : answered(newWriter);
        return this.#runIf(argv, writer, replaced, options);
      });
    const answer = await attempt();
    if (answer !== CONFLICT) return answer;

    // Attempts of many clients at the same time would keep failing because of each other.
    return await this.#queues.run(key, async () => {
      for (let tries = CHANGE_TRIES; tries > 0; tries--) {
        const answer = await attempt();
        if (answer !== CONFLICT) return answer;
      }
      return answerOf(KEEPS_CHANGING, () => "");
    });
  }

  /**
   * Changes an item on whose writes the members decide, by a program: the daemons take turns at the key, and one
   * decision is enough for all changes that wait at this daemon. If each attempt were a unit of its own, most would be
   * decided in vain, and the attempts of one client could fail for seconds.
   */
  async #changeDecided(key: ByteString, change: (item: ReadItem | null) => ItemChange): Promise<string> {
    const { db } = this.#sender;
    const program = (run: StepRunner): Reply => {
      const execute = (argv: readonly ByteString[]): Reply => {
        const called = this.commands.permitted(argv);
        return "kind" in called ? called : run(called.command, called.argv, db);
      };

      const read = execute(["MGET", key]);
      if (read.kind === "error") return read;
      const [value] = itemsOf(read);
      const { argv, answered } = change(
        value?.kind === "bulk" ? { ...itemOf(value.bytes), writer: "" } : null,
      );
      const written = argv === null ? read : execute(argv);
      if (written.kind === "nil") return NO_ITEM;
      return written.kind === "error" ? written : bulk(answered(""));
    };

    const outline = { readsOnly: false, keys: () => [key] };
    return answerOf(await this.#host.path.executeInSteps(program, [], this.#sender, outline), bytesOf);
  }

  /**
   * Reads an item and its last writer, and answers. If nothing is written, and the item may be an old one, the answer
   * is created again from a read that is recorded as a write: the members decide on it, or it is refused.
   * @param answered  may change the item, and then returns a promise if commands are recorded
   */
  #readToChange(
    key: ByteString,
    answered: (value: Reply | undefined, writer: ByteString) => string | Promise<string>,
  ): string | Promise<string> {
    let hasWritten = false;
    const answer = this.#readWithWriters([key], ([value], [writer]) => {
      const answer = answered(value, bytesOf(writer));
      hasWritten = answer instanceof Promise;
      return answer;
    });

    const decided = () =>
      this.#readWithWriters([key], ([value], [writer]) => answered(value, bytesOf(writer)), {
        command: EXPIRE_AT,
        argv: ["PEXPIREAT", key, "1", "GT"],
      });

    const checked = (first: string) => {
      if (hasWritten) return first;
      const isOld = this.#host.path.mayBeOutdated(key, this.#sender);
      if (isOld instanceof Promise) return isOld.then((isOld) => (isOld ? decided() : first));
      return isOld ? decided() : first;
    };

    return answer instanceof Promise ? answer.then(checked) : checked(answer);
  }

  #metaGet(request: MetaGet): string | Promise<string> {
    const { key } = request;
    const expiry = { command: PTTL, argv: ["PTTL", key] };
    return this.#readWithWriters(
      [key],
      ([value], [writer], ttl) => this.#metaAnswer(request, value, bytesOf(writer), ttl),
      expiry,
    );
  }

  #metaAnswer(
    { flags, withValue, isQuiet }: MetaGet,
    value: Reply | undefined,
    writer: ByteString,
    ttl: Reply | undefined,
  ): string {
    const item = value?.kind === "bulk" ? itemOf(value.bytes) : null;
    const fields: Readonly<Record<string, () => string>> = {
      c: () => String(casUniqueOf(writer)),
      f: () => String(item?.flags),
      s: () => String(item?.data.length),
      t: () => secondsOf(ttl),
    };

    const shown = item === null ? flags.filter((flag) => /^[Okb]/.test(flag)) : flags;
    const words = shown.map((flag) => ` ${flag}${fields[flag]?.() ?? ""}`).join("");
    if (item === null) return isQuiet ? "" : `EN${words}\r\n`;
    return withValue ? `VA ${item.data.length}${words}\r\n${item.data}\r\n` : `HD${words}\r\n`;
  }

  /** Deletes all items, now or after a delay. */
  #flush(delay: number): string | Promise<string> {
    const called = this.commands.permitted(["FLUSHDB"]);
    if ("kind" in called) return answerOf(called, () => "");

    const { now } = this.#sender;
    const ms = delay > 0 ? expiryDateOf(delay, now) - now : 0;
    this.#delayedFlush.cancel();
    if (ms <= 0) return this.#deleteItems();

    // The user's rights may change in the meantime, so they are checked again.
    this.#delayedFlush.schedule(ms, () => {
      this.commands.userSession.renew();
      this.#flush(0);
    });
    return "OK\r\n";
  }

  /** Deletes all strings in steps. Values of other types belong to other clients, and are no items. */
  async #deleteItems(): Promise<string> {
    const { path } = this.#host;
    const count = String(FLUSHED_PER_STEP);
    for (let cursor = "0"; ; ) {
      const argv = ["SCAN", cursor, "TYPE", "string", "COUNT", count];
      const page = await path.execute(SCAN, argv, this.#sender);
      if (page.kind === "error") return answerOf(page, () => "");

      const [next, found] = itemsOf(page);
      const keys = itemsOf(found).map(bytesOf);
      // Through a sidecar, a page contains all keys.
      for (let at = 0; at < keys.length; at += FLUSHED_PER_STEP) {
        const some = keys.slice(at, at + FLUSHED_PER_STEP);
        const reply = await path.execute(DEL, ["DEL", ...some], this.#sender);
        if (reply.kind === "error") return answerOf(reply, () => "");
      }

      cursor = bytesOf(next);
      if (cursor === "0") return "OK\r\n";
      // Other clients are served between the steps.
      await new Promise<void>((resolve) => void setImmediate(resolve));
    }
  }

  /** Changes --maxmemory until the daemon stops, as CONFIG SET does, and requires the same right. */
  #setMemoryLimit(bytes: number): string {
    const called = this.commands.permitted(["CONFIG", "SET", "maxmemory", String(bytes)]);
    if ("kind" in called) return answerOf(called, () => "");
    this.#host.memory.bytes = bytes;
    return "OK\r\n";
  }

  #statistics(about: ByteString): string | Promise<string> {
    if (about === "reset") return "RESET\r\n";
    if (about === "items" || about === "slabs") return "END\r\n";
    if (about === "settings") {
      const { memory, limits } = this.#host;
      return statisticsOf({
        maxbytes: memory.bytes,
        item_size_max: itemBytesMax(limits) + 1,
        cas_enabled: "yes",
        flush_enabled: "yes",
      });
    }
    if (about !== "") return "ERROR\r\n";

    return this.#run(["DBSIZE"], (reply) => {
      return statisticsOf({
        pid: process.pid,
        uptime: Math.floor(process.uptime()),
        time: Math.floor(this.#sender.now / 1000),
        version: VERSION,
        pointer_size: 64,
        curr_items: reply.kind === "integer" ? String(reply.value) : 0,
        limit_maxbytes: this.#host.memory.bytes,
      });
    });
  }

  /**
   * Reads the values and the last writer of each key in one step.
   * @param answered  creates the answer from them, and from the reply to the additional read
   * @param more  an additional read of the same keys
   */
  #readWithWriters(
    keys: readonly ByteString[],
    answered: (
      values: readonly Reply[],
      writers: readonly Reply[],
      more: Reply | undefined,
    ) => string | Promise<string>,
    more?: CheckedCommand,
  ): string | Promise<string> {
    const values = this.commands.permitted(["MGET", ...keys]);
    if ("kind" in values) return answerOf(values, () => "");

    const writers = { command: WRITERS, argv: [WRITERS.name, ...keys] };
    const calls = more === undefined ? [writers, values] : [writers, values, more];
    const reply = this.#host.path.executeTogether(calls, [], this.#sender);

    const read = (all: Reply): string | Promise<string> => {
      const [writers, values, third] = itemsOf(all);
      const problem = [all, writers, values, third].find((one) => one?.kind === "error");
      return problem === undefined
        ? answered(itemsOf(values), itemsOf(writers), third)
        : answerOf(problem, () => "");
    };

    return reply instanceof Promise ? reply.then(read) : read(reply);
  }

  /** @param answered  creates the answer from a reply that is not an error */
  #run(argv: readonly ByteString[], answered: (reply: Reply) => string): string | Promise<string> {
    const reply = this.commands.run(argv, this.#sender);
    return reply instanceof Promise
      ? reply.then((settled) => answerOf(settled, answered))
      : answerOf(reply, answered);
  }

  /**
   * Runs a command if `writer` is still the unit that last changed the key.
   * @param writer  null to run the command unconditionally
   * @param answered  receives null if another client has changed the key
   */
  #runIf(
    argv: readonly ByteString[],
    writer: ByteString | null,
    answered: (reply: Reply | null, newWriter: ByteString) => string,
    { withNumber = false, isDecided = true }: ConditionOptions = {},
  ): string | Promise<string> {
    const called = this.commands.permitted(argv);
    if ("kind" in called) return answerOf(called, () => "");

    const key = argv[1] ?? "";
    const conditions = writer === null ? [] : [{ db: this.#sender.db, key, writer }];
    const writers = { command: WRITERS, argv: [WRITERS.name, key] };
    const calls = withNumber ? [called, writers] : [called];
    const reply = this.#host.path.executeTogether(calls, conditions, this.#sender, isDecided);

    const ofOne = (all: Reply) => {
      if (all.kind === "nil-array") return answered(null, "");
      const [first = all, writers] = itemsOf(all);
      return answerOf(first, (settled) => answered(settled, bytesOf(itemsOf(writers)[0])));
    };

    return reply instanceof Promise ? reply.then(ofOne) : ofOne(reply);
  }
}

/**
 * Returns a function that converts the answer of a classic command to the form that the request expects, or null if it
 * expects the answer as it is.
 */
function answerForm(request: CommandRequest): ((answer: string) => string) | null {
  if ("isSilent" in request && request.isSilent) return () => "";
  const meta = "meta" in request ? request.meta : undefined;
  return meta === undefined ? null : (answer) => metaAnswer(answer, meta);
}

const unchanged = (answer: string): ItemChange => ({ argv: null, answered: () => answer });

/** Whether the answer to a store contains the item's number. */
const asksNumber = ({ meta }: StoreRequest): boolean => meta?.words.includes("c") ?? false;

const storedAnswer = (newWriter: ByteString, withNumber: boolean): string =>
  withNumber ? `STORED ${casUniqueOf(newWriter)}\r\n` : "STORED\r\n";

function statisticsOf(figures: Readonly<Record<string, string | number>>): string {
  const lines = Object.entries(figures).map(([name, value]) => `STAT ${name} ${value}\r\n`);
  return `${lines.join("")}END\r\n`;
}

const denied = (denial: Denial): ErrorReply => (denial === "no-memory" ? NO_MEMORY : NOT_PERMITTED);

function answerOf(reply: Reply, answered: (reply: Reply) => string): string {
  if (reply === NOT_PERMITTED) return `CLIENT_ERROR ${NOT_PERMITTED.text}\r\n`;
  return reply.kind === "error" ? `SERVER_ERROR ${reply.text}\r\n` : answered(reply);
}

/** Returns an answer to a client that reads items: if they are too long together, in memcached's words. */
const asMemcached = (answer: string): string => (answer.startsWith(TOO_MUCH) ? TOO_LONG : answer);

const itemsOf = (reply: Reply | undefined): readonly Reply[] => (reply?.kind === "array" ? reply.items : []);
const bytesOf = (reply: Reply | undefined): ByteString => (reply?.kind === "bulk" ? reply.bytes : "");

/** The maximum number of seconds that memcached returns: its clients store them in 32 bits. */
const SECONDS_MAX = 2 ** 31 - 1;

/**
 * Returns the seconds of a reply of PTTL, -1 for an item that does not expire. Clients of other listeners may have set
 * a later expiry time than memcached's clients can represent.
 */
const secondsOf = (ttl: Reply | undefined): string => {
  const ms = ttl?.kind === "integer" ? Number(ttl.value) : -1;
  return String(ms < 0 ? -1 : Math.min(SECONDS_MAX, Math.ceil(ms / 1000)));
};

const isZero = (reply: Reply): boolean => reply.kind === "integer" && reply.value === 0;

/** What all connections of a listener share. */
export interface MemcachedServer {
  readonly host: UserSocketHost;
  readonly delayedFlush: DelayedFlush;
  readonly queues: KeyQueues;
}
