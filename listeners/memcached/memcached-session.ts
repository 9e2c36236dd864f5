/**
 * The session of a connection of memcached's text protocol: requests in, answers out. The string commands execute the
 * requests. The session does not handle bytes. A client logs in as with `memcached -Y`, with a first `set` whose data
 * contains name and password.
 */

import { SessionCommandSender } from "../../engine/users/session-command-sender.js";
import { UserCommands } from "../../engine/users/user-commands.js";
import type { Denial } from "../../engine/users/user-session.js";
import { version } from "../../net/process/version.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { type MemcachedRequest, type StoreRequest, uint64 } from "../../protocol/memcached-requests.js";
import { type ErrorReply, error, type Reply } from "../../protocol/reply.js";
import { findCommand } from "../../store/command-table.js";
import type { Command } from "../../store/rows/command-row.js";
import type { UserSocketHost } from "../user-listener.js";
import { expiryOf, itemOf, stringOf, uniqueOf } from "./memcached-item.js";

/** A request that needs a user. */
type CommandRequest = Exclude<MemcachedRequest, { readonly kind: "quit" | "http" | "wrong" | "version" }>;

type CountRequest = MemcachedRequest & { readonly kind: "count" };

/**
 * The reported version. It begins with the version of memcached whose answers we follow: clients parse it, and some
 * refuse a major version of 0.
 */
export const VERSION: string = `1.6.18-dbsync-${version}`;
const WRITERS = findCommand("WRITERS") as Command;
/** The number of attempts to change a number that other clients are changing. */
const COUNT_TRIES = 100;
/** The result of an attempt that another client's write prevented. */
const CONFLICT = "";
const NO_MEMORY = error("out of memory storing object");
const NOT_PERMITTED = error("this user has no permissions for this command or key");
const NOT_FOUND = "NOT_FOUND\r\n";
const TOO_LONG = "SERVER_ERROR out of memory writing get response\r\n";
const NO_NUMBER = "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n";

export class MemcachedSession {
  readonly commands: UserCommands;
  readonly #host: UserSocketHost;
  readonly #sender: SessionCommandSender;

  constructor(host: UserSocketHost) {
    this.#host = host;
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
    if (request.kind === "get" || !request.isSilent) return answer;
    return answer instanceof Promise ? answer.then(() => "") : "";
  }

  #logIn(request: CommandRequest): string {
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
      case "store":
        return this.#store(request);
      case "delete":
        return this.#run(["DEL", request.key], (reply) => (isZero(reply) ? NOT_FOUND : "DELETED\r\n"));
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
    if (withUnique)
      return this.#readWithWriters(keys, (values, writers) => this.#itemsAnswer(keys, values, writers));
    return this.#run(["MGET", ...keys], (reply) => this.#itemsAnswer(keys, itemsOf(reply), null));
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
    if (verb !== "cas")
      return this.#run(argv, (reply) => (reply.kind === "nil" ? "NOT_STORED\r\n" : "STORED\r\n"));
    return this.#readWithWriters([key], (_, [last]) => {
      const writer = bytesOf(last);
      if (writer === "") return NOT_FOUND;
      if (uniqueOf(writer) !== unique) return "EXISTS\r\n";
      return this.#runIf(argv, writer, (reply) => (reply === null ? "EXISTS\r\n" : "STORED\r\n"));
    });
  }

  /** Increments or decrements a number. Retries if another client has changed it. The expiry time stays unchanged. */
  async #count(request: CountRequest): Promise<string> {
    for (let tries = COUNT_TRIES; tries > 0; tries--) {
      const answer = await this.#readWithWriters([request.key], ([value], [writer]) =>
        this.#counted(request, value, bytesOf(writer)),
      );
      if (answer !== CONFLICT) return answer;
    }
    return "SERVER_ERROR other clients keep changing this value\r\n";
  }

  #counted(
    { verb, key, by }: CountRequest,
    value: Reply | undefined,
    writer: ByteString,
  ): string | Promise<string> {
    if (value?.kind !== "bulk") return NOT_FOUND;
    const { flags, data } = itemOf(value.bytes);
    const before = uint64(data.trim());
    if (before === null) return NO_NUMBER;
    const less = before < by ? 0n : before - by;
    const now = String(verb === "decr" ? less : BigInt.asUintN(64, before + by));
    const argv = ["SET", key, stringOf({ flags, data: now }), "KEEPTTL"];
    return this.#runIf(argv, writer, (reply) => (reply === null ? CONFLICT : `${now}\r\n`));
  }

  /** Reads the values and the last writer of each key in one step. @param answered  creates the answer from them */
  #readWithWriters(
    keys: readonly ByteString[],
    answered: (values: readonly Reply[], writers: readonly Reply[]) => string | Promise<string>,
  ): string | Promise<string> {
    const values = this.commands.permitted(["MGET", ...keys]);
    if ("kind" in values) return answerOf(values, () => "");
    const writers = { command: WRITERS, argv: [WRITERS.name, ...keys] };
    const reply = this.#host.path.executeTogether([writers, values], [], this.#sender);
    const read = (both: Reply): string | Promise<string> => {
      const [writers, values] = itemsOf(both);
      const problem = [both, writers, values].find((one) => one?.kind === "error");
      return problem === undefined
        ? answered(itemsOf(values), itemsOf(writers))
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
   * @param answered  receives null if another client has changed the key
   */
  #runIf(
    argv: readonly ByteString[],
    writer: ByteString,
    answered: (reply: Reply | null) => string,
  ): string | Promise<string> {
    const called = this.commands.permitted(argv);
    if ("kind" in called) return answerOf(called, () => "");
    const conditions = [{ db: this.#sender.db, key: argv[1] ?? "", writer }];
    const reply = this.#host.path.executeTogether([called], conditions, this.#sender);
    const ofOne = (all: Reply) => {
      if (all.kind === "nil-array") return answered(null);
      return answerOf(all.kind === "array" ? (all.items[0] ?? all) : all, answered);
    };
    return reply instanceof Promise ? reply.then(ofOne) : ofOne(reply);
  }
}

const denied = (denial: Denial): ErrorReply => (denial === "no-memory" ? NO_MEMORY : NOT_PERMITTED);

function answerOf(reply: Reply, answered: (reply: Reply) => string): string {
  if (reply === NOT_PERMITTED) return `CLIENT_ERROR ${NOT_PERMITTED.text}\r\n`;
  return reply.kind === "error" ? `SERVER_ERROR ${reply.text}\r\n` : answered(reply);
}

const itemsOf = (reply: Reply | undefined): readonly Reply[] => (reply?.kind === "array" ? reply.items : []);
const bytesOf = (reply: Reply | undefined): ByteString => (reply?.kind === "bulk" ? reply.bytes : "");
const isZero = (reply: Reply): boolean => reply.kind === "integer" && reply.value === 0;
