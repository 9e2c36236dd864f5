/**
 * The session of a connection of memcached's text protocol: requests in, answers out. The string commands execute the
 * requests; an item is a string of the database. The session does not handle bytes. A client logs in as with
 * `memcached -Y`, with a first `set` whose data contains name and password.
 */

import { createHash } from "node:crypto";
import type { CheckedCommand, CommandSender } from "../../daemon/engine/backends/command-path.js";
import type { Environment } from "../../daemon/net/process/clock-and-randomness.js";
import { version } from "../../daemon/net/process/version.js";
import type { Limits } from "../../daemon/options/limits.js";
import { findCommand } from "../../daemon/store/command-table.js";
import type { Command } from "../../daemon/store/rows/command-row.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { type ErrorReply, error, type Reply } from "../../protocol/reply.js";
import { SessionCommandSender, UserCommands } from "../users/user-commands.js";
import type { UserSocketHost } from "../users/user-listener.js";
import type { Denial } from "../users/user-session.js";
import {
  type CountRequest,
  type DeleteRequest,
  FLAGS_MAX,
  type MemcachedRequest,
  type MetaGet,
  metaAnswer,
  type StoreRequest,
  uint64,
} from "./bytes/memcached-requests.js";
import type { KeyQueues } from "./key-queues.js";

/** A request that needs a user. */
type CommandRequest = Exclude<MemcachedRequest, { readonly kind: "quit" | "http" | "wrong" | "version" }>;

type TouchingRequest = MemcachedRequest & { readonly kind: "get-and-touch" };

/** Options of a command that runs only if its key is unchanged. */
interface ConditionOptions {
  /** Whether the answer contains the unit that changes the key now; default: false. */
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
const NO_MEMORY = error("out of memory storing object");
const NOT_PERMITTED = error("this user has no permissions for this command or key");
const EXISTS = "EXISTS\r\n";
const NOT_FOUND = "NOT_FOUND\r\n";
const NOT_STORED = "NOT_STORED\r\n";
const TOO_LARGE = "SERVER_ERROR object too large for cache\r\n";
const TOO_LONG = "SERVER_ERROR out of memory writing get response\r\n";
/** The beginning of the answer to a request that the daemon could not execute. */
const SERVER_ERROR = "SERVER_ERROR ";
/** The beginning of the answer to a read that exceeds a limit of the daemon. */
const TOO_MUCH = "SERVER_ERROR TOOMUCH ";
const NO_NUMBER = "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n";

export class MemcachedSession {
  readonly commands: UserCommands;
  readonly #host: UserSocketHost;
  readonly #sender: SessionCommandSender;
  readonly #delayedFlush: DelayedFlush;
  readonly #queues: KeyQueues;

  constructor(host: UserSocketHost, delayedFlush: DelayedFlush, queues: KeyQueues) {
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
      const unique = writers === null ? "" : ` ${uniqueOf(bytesOf(writers[at]))}`;
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
    const stored = (reply: Reply, now: ByteString) =>
      reply.kind === "nil" ? NOT_STORED : storedAnswer(now, withNumber);
    if (verb !== "cas")
      return withNumber
        ? this.#runIf(argv, null, (reply, now) => (reply === null ? NOT_STORED : stored(reply, now)), {
            withNumber: true,
          })
        : this.#run(argv, (reply) => stored(reply, ""));
    return this.#ifUnchanged(argv, unique, (writer) =>
      this.#runIf(argv, writer, (reply, now) => (reply === null ? EXISTS : stored(reply, now)), {
        withNumber,
      }),
    );
  }

  #delete({ key, unique }: DeleteRequest): string | Promise<string> {
    const deleted = (reply: Reply | null) =>
      reply === null ? EXISTS : isZero(reply) ? NOT_FOUND : "DELETED\r\n";
    const argv = ["DEL", key];
    if (unique === 0n) return this.#run(argv, deleted);
    return this.#ifUnchanged(argv, unique, (writer) => this.#runIf(argv, writer, deleted));
  }

  /** Makes a change if the item has the number `unique`. @param argv  the command of the change */
  #ifUnchanged(
    argv: readonly ByteString[],
    unique: bigint,
    change: (writer: ByteString) => string | Promise<string>,
  ): string | Promise<string> {
    return this.#readToChange(argv, (_, writer) => {
      if (writer === "") return NOT_FOUND;
      return uniqueOf(writer) === unique ? change(writer) : EXISTS;
    });
  }

  /** Increments or decrements a number. Without an exptime of its own, the expiry time stays unchanged. */
  #count({ verb, key, by, unique, exptime, initial }: CountRequest): Promise<string> {
    const { now } = this.#sender;
    const expiry = exptime === null ? ["KEEPTTL"] : expiryOf(exptime, now, []);
    const create = (): string | Promise<string> => {
      if (initial === null) return NOT_FOUND;
      const argv = ["SET", key, String(initial.value), "NX", ...expiryOf(initial.exptime, now, [])];
      return this.#run(argv, (reply) => (reply.kind === "nil" ? CONFLICT : `${initial.value}\r\n`));
    };
    return this.#change(key, create, ({ flags, data, writer }) => {
      if (unique !== 0n && uniqueOf(writer) !== unique) return EXISTS;
      const before = uint64(data.trim());
      if (before === null) return NO_NUMBER;
      const less = before < by ? 0n : before - by;
      const after = String(verb === "decr" ? less : BigInt.asUintN(64, before + by));
      const answer = () => `${after}\r\n`;
      return this.#replace(key, { flags, data: after, writer }, answer, { expiry, isDecided: unique !== 0n });
    });
  }

  /** Appends or prepends data. The flags and the expiry time stay unchanged. */
  #extend(request: StoreRequest): Promise<string> {
    const { verb, key, data: added, unique } = request;
    const withNumber = asksNumber(request);
    return this.#change(
      key,
      () => NOT_STORED,
      ({ flags, data, writer }) => {
        if (unique !== 0n && uniqueOf(writer) !== unique) return EXISTS;
        if (data.length + added.length > itemBytesMax(this.#host.limits)) return NOT_STORED;
        const now = verb === "append" ? data + added : added + data;
        const stored = (changer: ByteString) => storedAnswer(changer, withNumber);
        const options = { withNumber, isDecided: unique !== 0n };
        return this.#replace(key, { flags, data: now, writer }, stored, options);
      },
    );
  }

  /**
   * Changes an item. Retries if another client has changed it.
   * @param absent  returns the answer if there is no item, or creates the item
   * @param change  makes an attempt; its answer is CONFLICT if another client has changed the item
   */
  async #change(
    key: ByteString,
    absent: () => string | Promise<string>,
    change: (item: ReadItem) => string | Promise<string>,
  ): Promise<string> {
    const attempt = () =>
      this.#readToChange(["SET", key, ""], (value, writer) =>
        value?.kind === "bulk" ? change({ ...itemOf(value.bytes), writer }) : absent(),
      );
    const answer = await attempt();
    if (answer !== CONFLICT) return answer;

    // Attempts of many clients at the same time would keep failing because of each other.
    const retry = async () => {
      for (let tries = CHANGE_TRIES - 1; tries > 0; tries--) {
        const answer = await attempt();
        if (answer !== CONFLICT) return answer;
      }
      return "SERVER_ERROR other clients keep changing this value\r\n";
    };
    return await this.#queues.run(key, retry, (final) => final.startsWith(SERVER_ERROR));
  }

  /**
   * Replaces an item, unless another client has changed it.
   * @param answered  receives the unit that replaces the item, with `withNumber`
   */
  #replace(
    key: ByteString,
    { writer, ...item }: ReadItem,
    answered: (now: ByteString) => string,
    { expiry = ["KEEPTTL"], ...options }: { readonly expiry?: readonly ByteString[] } & ConditionOptions,
  ): string | Promise<string> {
    const argv = ["SET", key, stringOf(item), ...expiry];
    const replaced = (reply: Reply | null, now: ByteString) => (reply === null ? CONFLICT : answered(now));
    return this.#runIf(argv, writer, replaced, options);
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
      c: () => String(uniqueOf(writer)),
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
  #flush(delay: number, sender: CommandSender = this.#sender): string | Promise<string> {
    const called = this.commands.permitted(["FLUSHDB"]);
    if ("kind" in called) return answerOf(called, () => "");

    const { now } = sender;
    const ms = delay > 0 ? dateOf(delay, now) - now : 0;
    this.#delayedFlush.cancel();
    if (ms <= 0) return this.#deleteItems(sender);

    // The user's rights may change in the meantime, so they are checked again.
    this.#delayedFlush.schedule(ms, () => {
      this.commands.userSession.renew();
      // The commands that the client sends meanwhile do not wait for it.
      this.#flush(0, new SessionCommandSender(this.commands.userSession, this.#host.environment));
    });
    return "OK\r\n";
  }

  /** Deletes all strings in steps. Values of other types belong to other clients, and are no items. */
  async #deleteItems(sender: CommandSender): Promise<string> {
    const { path } = this.#host;
    const count = String(FLUSHED_PER_STEP);
    for (let cursor = "0"; ; ) {
      const argv = ["SCAN", cursor, "TYPE", "string", "COUNT", count];
      const page = await path.execute(SCAN, argv, sender);
      if (page.kind === "error") return answerOf(page, () => "");

      const [next, found] = itemsOf(page);
      const keys = itemsOf(found).map(bytesOf);
      // Through a sidecar, a page contains all keys.
      for (let at = 0; at < keys.length; at += FLUSHED_PER_STEP) {
        const some = keys.slice(at, at + FLUSHED_PER_STEP);
        const reply = await path.execute(DEL, ["DEL", ...some], sender);
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

  /**
   * Reads an item and its last writer to answer a request that may change it. If it does not change a decided key,
   * other daemons may have a later state: the answer is created again from a read on which the members decide.
   * @param argv  a command that changes the item. Users without the right to it cause no decision
   * @param answered  creates the answer, or changes the item and returns a promise if the change is recorded
   */
  #readToChange(
    argv: readonly ByteString[],
    answered: (value: Reply | undefined, writer: ByteString) => string | Promise<string>,
  ): string | Promise<string> {
    const read = ([value]: readonly Reply[], [writer]: readonly Reply[]) => answered(value, bytesOf(writer));
    const key = argv[1] as ByteString;
    const command = findCommand(argv[0] as ByteString) as Command;
    const { localData } = this.#host.path;
    // A sidecar does not know which keys are decided.
    const isDecided = localData?.writesDecided(command, argv, this.#sender) === true;
    if (!isDecided || this.commands.userSession.denial(command, argv, false) !== null)
      return this.#readWithWriters([key], read);

    const unchanging = { command: EXPIRE_AT, argv: [EXPIRE_AT.name, key, "1", "GT"] };
    let isRecorded = false;
    const answer = this.#readWithWriters([key], (values, writers) => {
      const first = read(values, writers);
      isRecorded = first instanceof Promise;
      return first;
    });
    return Promise.resolve(answer).then((first) =>
      isRecorded ? first : this.#readWithWriters([key], read, unchanging),
    );
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
    answered: (reply: Reply | null, now: ByteString) => string,
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

/** Whether the answer to a store contains the item's number. */
const asksNumber = ({ meta }: StoreRequest): boolean => meta?.words.includes("c") ?? false;

const storedAnswer = (now: ByteString, withNumber: boolean): string =>
  withNumber ? `STORED ${uniqueOf(now)}\r\n` : "STORED\r\n";

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

/** The maximum delay of a timer of Node.js in milliseconds. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** The delayed `flush_all` of a listener. As in memcached there is at most one, and a later `flush_all` replaces it. */
export class DelayedFlush {
  readonly #environment: Environment;
  #cancel = () => {};

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** Flushes after a delay, and cancels an earlier delayed flush. */
  schedule(milliseconds: number, flush: () => void): void {
    this.cancel();
    const now = Math.min(milliseconds, TIMER_MS_MAX);
    this.#cancel = this.#environment.setTimer(now, () =>
      now < milliseconds ? this.schedule(milliseconds - now, flush) : flush(),
    );
  }

  cancel(): void {
    this.#cancel();
  }
}

interface Item {
  /** The 32-bit number that the client stores with the item. */
  readonly flags: number;
  readonly data: ByteString;
}

const MARK = "\0memcached ";
const MARKED = new RegExp(`^${MARK}(\\d{1,10})\0`);
/** The maximum relative exptime in seconds; a greater one is a date. */
const RELATIVE_SECONDS_MAX = 30 * 24 * 60 * 60;

/** Returns the maximum length of an item's data. */
export function itemBytesMax({ maxRequestBytes, maxMemcachedItemBytes }: Limits): number {
  return Math.min(maxRequestBytes, maxMemcachedItemBytes - 1);
}

/**
 * Returns the string of the database that contains an item. Redis clients see the item's bytes unchanged. Flags other
 * than 0 precede the bytes, after a mark.
 */
function stringOf({ flags, data }: Item): ByteString {
  return flags === 0 && !data.startsWith(MARK) ? data : `${MARK}${flags}\0${data}`;
}

/**
 * Returns the item that a string contains. Inverse of `stringOf`. Another client may have written the mark; flags of
 * more than 32 bits then belong to the data.
 */
function itemOf(text: ByteString): Item {
  const [head, flags] = text.startsWith(MARK) ? (MARKED.exec(text) ?? []) : [];
  return head === undefined || Number(flags) > FLAGS_MAX
    ? { flags: 0, data: text }
    : { flags: Number(flags), data: text.slice(head.length) };
}

/**
 * The number of bits of an item's number. Memcached counts from 1, so clients whose integers are signed store its
 * numbers in 63 bits: PHP and Java cannot represent more.
 */
const UNIQUE_BITS = 63;

/**
 * Returns the number that `gets` sends and `cas` compares: a hash of the unit that last changed the key, which is the
 * same on all daemons. It is never 0, which in a request means that the item may have any number.
 */
function uniqueOf(writer: ByteString): bigint {
  const hash = createHash("sha256").update(writer, "latin1").digest().readBigUInt64BE(0);
  return BigInt.asUintN(UNIQUE_BITS, hash) || 1n;
}

/**
 * Returns the options of SET for an exptime. @param now  milliseconds since 1970 @param lasting  the options for an
 * item that does not expire
 */
function expiryOf(exptime: number, now: number, lasting: readonly ByteString[]): readonly ByteString[] {
  if (exptime === 0) return lasting;
  // A negative exptime, or a date in the past, expires the item immediately.
  return ["PXAT", String(exptime < 0 ? 1 : dateOf(exptime, now))];
}

/** Returns the date of an exptime, in milliseconds since 1970. */
function dateOf(exptime: number, now: number): number {
  return exptime > RELATIVE_SECONDS_MAX ? exptime * 1000 : now + exptime * 1000;
}
