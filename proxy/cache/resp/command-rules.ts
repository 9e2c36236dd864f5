/** What becomes of a client's command: answered from the cache, passed on among others', or a reason for a connection of its own. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { CommandFailure } from "../../../store/arguments/errors.js";
import { commands, resolveCommand } from "../../../store/command-table.js";
import { touchesOf } from "../../../store/rows/key-spec.js";
import type { Argv } from "./connection-state.js";

/**
 * cached: its answer is kept until its keys change. read: passed on. write: passed on, and its keys have changed. all: passed on, and
 * anything may have changed. state: AUTH, HELLO, SELECT. own: the client is given a connection of its own. quit, reset: answered here.
 */
export type CommandRule = "cached" | "read" | "write" | "all" | "state" | "own" | "quit" | "reset";

/** Of one key; their answers depend on nothing but it. */
const CACHED_OF_ONE =
  "GET STRLEN GETRANGE SUBSTR GETBIT BITCOUNT TYPE HGET HMGET HGETALL HEXISTS HKEYS HVALS HLEN HSTRLEN LRANGE LINDEX LLEN SMEMBERS SISMEMBER SMISMEMBER SCARD ZSCORE ZMSCORE ZCARD ZRANGE ZRANGEBYSCORE ZREVRANGE ZREVRANGEBYSCORE ZRANK ZREVRANK ZCOUNT";
const CACHED_OF_ALL = "MGET EXISTS";
/** Not in our table, and like any other to who passes them on. */
const SCRIPTS =
  "EVAL EVALSHA EVAL_RO EVALSHA_RO FCALL FCALL_RO SCRIPT FUNCTION FLUSHALL FLUSHDB SWAPDB RESTORE-ASKING";
const PASSED =
  "PING ECHO TIME COMMAND INFO CONFIG PUBLISH SPUBLISH PUBSUB ACL MEMORY LATENCY SLOWLOG LASTSAVE ROLE LOLWUT";
/** Of connections, and yet nobody sees a difference. */
const NAMES_OF_CLIENTS: ReadonlySet<string> = new Set(["SETINFO", "SETNAME"]);

const words = (text: string): readonly string[] => text.split(" ");
const ofAllKeys: ReadonlySet<string> = new Set(words(CACHED_OF_ALL));
/** In upper and lower case. */
const rules = new Map<string, CommandRule>();

/** Groups of our table whose commands know nothing of their connection. */
const DATA_GROUPS: ReadonlySet<string> = new Set(
  words("string bitmap hyperloglog keyspace list hash set sortedset stream geo document sql"),
);
for (const { name, group, flags, writes } of commands) {
  if (!DATA_GROUPS.has(group) || flags.includes("blocking")) continue;
  set(name.split("|")[0] as string, writes ? "write" : "read");
}
for (const name of words(`${CACHED_OF_ONE} ${CACHED_OF_ALL}`)) set(name, "cached");
for (const name of words(SCRIPTS)) set(name, "all");
for (const name of words(PASSED)) set(name, "read");
for (const name of ["AUTH", "HELLO", "SELECT"]) set(name, "state");
set("QUIT", "quit");
set("RESET", "reset");

function set(name: string, rule: CommandRule): void {
  const known = rules.get(name);
  // Subcommands of which one writes.
  const widest = known === "write" && rule === "read" ? known : rule;
  rules.set(name, widest);
  rules.set(name.toLowerCase(), widest);
}

export function ruleOf(argv: Argv): CommandRule {
  const [name = "", subcommand = ""] = argv;
  const upper = name.toUpperCase();
  const rule = rules.get(name) ?? rules.get(upper);
  if (rule === "state" && argv.length < 2) return "read";
  // What follows it on the connection is debugged.
  if (rule === "all" && upper === "SCRIPT" && subcommand.toUpperCase() === "DEBUG") return "own";
  if (rule !== undefined) return rule;
  return upper === "CLIENT" && NAMES_OF_CLIENTS.has(subcommand.toUpperCase()) ? "read" : "own";
}

/** Everything depends on it. */
export const ANY_KEY = "any key";
const tagOf = (key: ByteString) => `key ${key}`;

/** What the answer to a command depends on. Keys of databases and users are taken together: changes are told without them. */
export function tagsOfCached(argv: Argv): readonly string[] {
  const keys = ofAllKeys.has((argv[0] ?? "").toUpperCase()) ? argv.slice(1) : argv.slice(1, 2);
  return [ANY_KEY, ...keys.map(tagOf)];
}

/** What a command may have changed. */
export function tagsOfChanged(argv: Argv, rule: CommandRule): readonly string[] {
  if (rule !== "write") return [ANY_KEY];
  const command = resolveCommand(argv);
  if (command instanceof CommandFailure) return [ANY_KEY];
  const tags: string[] = [];
  for (const { key, access } of touchesOf(command.keys, argv)) {
    if (access === "read") continue;
    if (key === null) return [ANY_KEY];
    tags.push(tagOf(key));
  }
  return tags;
}

/** What a command on a client's own connection may change, at a moment that nobody is told of: EXEC runs what came before. */
export function tagsOfUnseen(argv: Argv, rule: CommandRule): readonly string[] {
  if (rule !== "own") return rule === "write" || rule === "all" ? tagsOfChanged(argv, rule) : [];
  const command = resolveCommand(argv);
  const isKnown = !(command instanceof CommandFailure) && !command.writes && command.name !== "EXEC";
  return isKnown ? [] : [ANY_KEY];
}

export const tagsOfKeys = (keys: readonly ByteString[]): readonly string[] => keys.map(tagOf);
