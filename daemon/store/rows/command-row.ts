/**
 * A command: one row of its family's table. Dispatch, arity errors, COMMAND, permissions, routing, key look-ups and the
 * documentation all use the same row.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import type { Choice } from "../../../protocol/version-2/envelope.js";
import type { EventRule } from "../events/event-rules.js";
import type { KeyEntry } from "../keyspace/keyspace.js";
import type { Data } from "../keyspace/mutators.js";
import type { Unit } from "../keyspace/unit.js";
import type { KeySearch } from "./key-searches.js";
import { type KeySpec, touchesOf } from "./key-spec.js";

/** Redis's flags. A command on data has either `write` or `readonly`; with `write`, it is recorded. */
export type Flag =
  | "write"
  | "readonly"
  | "fast"
  | "denyoom"
  | "admin"
  | "noscript"
  | "loading"
  | "stale"
  | "blocking"
  | "no_auth"
  | "no_multi"
  | "movablekeys"
  | "pubsub";

/**
 * The tips of COMMAND, which inform proxies and testers about a command's replies: whether a repeated command has the
 * same reply, and how to combine the replies of several servers.
 */
export type Tip =
  | "nondeterministic_output"
  | "nondeterministic_output_order"
  | "request_policy:all_nodes"
  | "request_policy:all_shards"
  | "request_policy:multi_shard"
  | "request_policy:special"
  | "response_policy:agg_logical_and"
  | "response_policy:agg_min"
  | "response_policy:agg_sum"
  | "response_policy:all_succeeded"
  | "response_policy:one_succeeded"
  | "response_policy:special";

/** Shapes of replies in RESP3, for programs that have only the bytes of RESP2. */
export type ReplyShape =
  | "double"
  | "doubles"
  | "entries"
  | "locations"
  | "map"
  | "map-of-changes"
  | "map-of-entries"
  | "map-with-idx"
  | "maps"
  | "one-popped"
  | "pairs-with-values"
  | "popped"
  | "positions"
  | "relation"
  | "score-or-scores"
  | "scores-after-count"
  | "scores-after-keys"
  | "scores-after-range"
  | "set"
  | "set-with-count"
  | "stream"
  | "streams";

/**
 * What a call does to its connection to a Redis server behind the daemon. `changes`: it changes the connection's state.
 * `alone`: it may block other calls, or must not wait for them.
 */
export type ConnectionUse = "changes" | "alone" | "listens" | "replicates" | "ends" | "silences";

/** What a sidecar does not have: other clients' commands, replicas, data for scripts, memory and a disk of its own. */
export type SidecarLack = "monitored-commands" | "replicas" | "script-data" | "internals" | "storage";

/**
 * Runs a command whose arity has been checked.
 * @param argv the command's name, followed by its arguments
 * @returns the reply, which is never an error: errors are thrown before the first mutator is called
 * @throws CommandFailure
 */
export type Handler = (data: Data, argv: readonly ByteString[], unit: Unit) => Reply;

/** The documentation of a command. */
export interface CommandDescription {
  /** The number of arguments including the name; if negative, the minimum. */
  readonly arity: number;
  readonly summary: string;
  readonly complexity: string;
}

export interface Row extends CommandDescription {
  readonly flags: readonly Flag[];
  readonly keys: KeySpec;
  /** Whether `keys` may name keys of other databases that the command writes. */
  readonly writesOtherDatabases?: boolean;
  /** First key, last key and step for COMMAND, if `keys` is a function although some keys have regular indexes. */
  readonly keyRange?: readonly [first: number, last: number, step: number] | undefined;
  /** The Redis version that introduced the command; empty if Redis does not have it. */
  readonly since: string;
  /**
   * Returns the name of another row to which a call belongs because of its arguments, or null for this row. The result
   * depends only on the bytes of the arguments.
   */
  readonly otherRow?: ((argv: readonly ByteString[]) => string | null) | undefined;
  /** ACL categories in addition to those that follow from the family and the flags. */
  readonly categories?: readonly string[] | undefined;
  /**
   * `arguments` for a writing command whose time is proportional to the length of its arguments: a bounded number of
   * steps for each argument (at most a tree's height), and the bytes of the arguments. Budgets count every writing
   * command except these. `query` for a reading command whose time does not follow from its keys, but which can
   * produce its reply in steps, if the caller supports that.
   */
  readonly cost?: "arguments" | "query";
  /** Whether its arguments are a statement that must be parsed, which takes longer than most commands; default: no. */
  readonly isStatement?: boolean;
  /**
   * Whether a reading command limits its steps itself, so that the limit for reads does not count them; default: no.
   */
  readonly countsOwnSteps?: boolean;
  /** Keys that a writing command looks up for reading; default: none. */
  readonly lookedUp?: LookedUp;
  /** Redis's flags of each group of keys, if they do not follow from `keys`. */
  readonly keyFlags?: readonly string[] | undefined;
  /** How to find each group of keys, if this does not follow from `keys`. */
  readonly keySearches?: readonly KeySearch[] | undefined;
  /** As Redis's; default: none. test/conformance/command-table.test.ts compares them. */
  readonly tips?: readonly Tip[];
  /** Reports the events of keys. A command with the flag `write` has it. */
  readonly events?: EventRule;
  /** Whether a call counts as a use of its keys, for OBJECT FREQ and the eviction of keys; default: true. */
  readonly isUse?: boolean;
  /** What a call of a blocking command waits for. A command with the flag `blocking` has it. */
  readonly waitsFor?: WaitRule | undefined;
  /**
   * The calls of a writing command after which clients that wait for its keys are served; default: all. `none`: it adds
   * nothing that a client may wait for. `unless-empty`: not if it replies 0 or nil, because it has then changed nothing
   * (a command that stores an empty set has removed the earlier value). `if-expired`: it changes the expiry time.
   */
  readonly serves?: "none" | "unless-empty" | "if-expired" | undefined;
  /** Whether the command runs a script, so that its effects and its errors are those of the script; default: no. */
  readonly runsScript?: boolean | undefined;
  /** How a call uses its connection to a Redis server behind the daemon; default: like any other, so calls share it. */
  readonly connectionUse?: ConnectionUse | undefined;
  /**
   * Whether any master of a Redis Cluster behind the daemon can answer a call, although it names no key; default: by
   * its group and tips.
   */
  readonly anyMaster?: boolean | undefined;
  /** What a sidecar (-d dbsync) would need to answer the command or to send it to the daemons; default: nothing. */
  readonly sidecarLacks?: SidecarLack | undefined;
  /**
   * Returns the call to record in place of a call that a daemon has tried, if the fold would choose again, such as the
   * id of XADD. The recorded call contains the choice, so that it has the same effect on every daemon, whenever it is
   * folded. Daemons try the calls of scripts, and those before a claim: see docs/decisions/0066.
   */
  readonly recordedAs?: RecordedCall | undefined;
  /**
   * Whether the reply names what the command took, or the command writes to what it has chosen. A daemon that signs
   * the command records the choice: the handler adds it to `Unit.taken`, and obeys `Unit.choice`. A function decides it
   * for each call. Default: no.
   */
  readonly isClaim?: boolean | ((argv: readonly ByteString[]) => boolean) | undefined;
  /** Finds what a claim takes without running it; default: the daemon runs the claim and undoes it. */
  readonly peek?: ClaimPeek | undefined;
  /**
   * The index of the key that a writing command may create without an expiry, and whose expiry it keeps if the key
   * exists. A daemon that signs the command records that expiry: see `Unit.expiry`. Default: none.
   */
  readonly keepsExpiryOf?: number | ((argv: readonly ByteString[]) => number | undefined) | undefined;
  /**
   * Whether a script's call is recorded although it changed nothing, because it sets what is there already: after a
   * late write it then has the effect that the script relies on. Not for calls that remove something, or that write
   * only under a condition: their replies said that they have no effect. Default: no.
   */
  readonly setsAgain?: true | ((argv: readonly ByteString[], reply: Reply) => boolean) | undefined;
  /** The index of the cursor in the arguments of a scan; default: none. */
  readonly cursorAt?: number | undefined;
  /**
   * What an envelope uses instead of a command that has a meaning only for a connection, and is refused in envelopes;
   * default: the command is permitted. It is the same for all subcommands of a container.
   */
  readonly inEnvelope?: string | undefined;
  /** Whether an argument may be a password, which logs and monitors do not show; default: none is. */
  readonly isSecret?: ((argv: readonly ByteString[], index: number) => boolean) | undefined;
  /** The index of the argument that is a public key; default: none. */
  readonly publicKeyAt?: number | undefined;
  /** Whether a command for the key ring is recorded; default: true. False: it only reads the ring or related data. */
  readonly isRecorded?: boolean;
  /**
   * The arguments that are channels and need permission: the first one, all, or all as patterns; default: none.
   * Unsubscribing needs no permission.
   */
  readonly channels?: "first" | "all" | "patterns" | undefined;
  /** The shape of the reply, if RESP3 has a type for it that RESP2 does not have. */
  readonly reply?: ReplyShape;
  /**
   * The parameters and the result of the client's method, such as `key value ...options: @text?`; default: none. A `?`
   * marks an optional parameter, and `...` any number of arguments. test/tables/command-signatures.ts lists the types
   * that begin with `@`.
   */
  readonly method?: string;
  /** The number of CLUSTER SEMANTICS from which the row applies; default: 1. */
  readonly sinceSemantics?: number | undefined;
  /** The row before `sinceSemantics`; if it is missing, the command does not exist before. */
  readonly earlier?: EarlierRow | undefined;
  readonly run: Handler;
}

/**
 * What a row was before a number of CLUSTER SEMANTICS. The keys, the flags and the container of a command never change,
 * because the fold determines them before it knows the number that applies to a unit; give a command that needs other
 * keys another name.
 */
export type EarlierRow = Pick<Row, "run" | "sinceSemantics" | "earlier"> &
  Partial<Pick<Command, "arity" | "isLinear">>;

export interface Command extends Omit<Row, "events" | "lookedUp" | "reply" | "method"> {
  /** Reports the events of keys; null if the command does not write. */
  readonly events: EventRule | null;
  /** The command's name in upper case; a subcommand is `CONTAINER|NAME`. */
  readonly name: string;
  /** The family's name, which is also its ACL category (except for the family `server`). */
  readonly group: string;
  /** Whether its flags include `write`. */
  readonly writes: boolean;
  readonly writesOtherDatabases: boolean;
  readonly isUse: boolean;
  readonly isRecorded: boolean;
  /** The shape of the reply, or null if it is the same in RESP2 and RESP3. */
  readonly reply: ReplyShape | null;
  /** The signature of the client's method, or null if there is none. */
  readonly method: string | null;
  readonly tips: readonly Tip[];
  /** Whether its flags include `readonly`. */
  readonly reads: boolean;
  /** Keys that the command looks up for reading although it writes, or null if there are none. */
  readonly lookedUp: LookedUp | null;
  /** Whether the command's cost is proportional to its arguments, in which case budgets do not count the command. */
  readonly isLinear: boolean;
  /**
   * Whether this is a reading command whose duration does not follow from its keys. Budgets limit such a command
   * wherever it cannot yield to other commands.
   */
  readonly isQuery: boolean;
  readonly isStatement: boolean;
  readonly countsOwnSteps: boolean;
}

/** A family's name, and properties of all its rows. */
export type FamilyGroup = { readonly name: string } & Pick<Row, "isStatement" | "countsOwnSteps">;

/** All commands, for code that cannot import them: rows that describe the table, and rules that name commands. */
export interface CommandTable {
  all(): readonly Command[];
  /** Finds a command by its name, regardless of upper and lower case; a subcommand is `CONTAINER|NAME`. */
  find(name: string): Command | undefined;
}

/**
 * Returns a family's rows with their names. The keys of `rows` are upper-case command names in the order of the
 * documentation.
 * @param group  the family's name, or also properties of all its rows
 */
export function family(group: string | FamilyGroup, rows: Readonly<Record<string, Row>>): readonly Command[] {
  const { name: groupName, ...common } = typeof group === "string" ? { name: group } : group;
  return Object.entries(rows).map(([name, row]) => commandOf(groupName, name, { ...common, ...row }));
}

/** Whether a call is a claim. */
export const isClaim = ({ isClaim: rule }: Pick<Command, "isClaim">, argv: readonly ByteString[]): boolean =>
  typeof rule === "function" ? rule(argv) : rule === true;

/**
 * Returns a command. All commands have the same properties in the same order for V8, because each request reads one.
 */
function commandOf(group: string, name: string, row: Row): Command {
  return {
    name,
    group,
    arity: row.arity,
    flags: row.flags,
    keys: row.keys,
    run: row.run,
    writes: row.flags.includes("write"),
    reads: row.flags.includes("readonly"),
    isLinear: row.cost === "arguments",
    isQuery: row.cost === "query",
    isStatement: row.isStatement ?? false,
    countsOwnSteps: row.countsOwnSteps ?? false,
    writesOtherDatabases: row.writesOtherDatabases ?? false,
    otherRow: row.otherRow,
    isUse: row.isUse ?? true,
    waitsFor: row.waitsFor,
    serves: row.serves,
    runsScript: row.runsScript,
    connectionUse: row.connectionUse,
    anyMaster: row.anyMaster,
    sidecarLacks: row.sidecarLacks,
    recordedAs: row.recordedAs,
    isClaim: row.isClaim,
    peek: row.peek,
    keepsExpiryOf: row.keepsExpiryOf,
    setsAgain: row.setsAgain,
    cursorAt: row.cursorAt,
    inEnvelope: row.inEnvelope,
    isSecret: row.isSecret,
    publicKeyAt: row.publicKeyAt,
    isRecorded: row.isRecorded ?? true,
    channels: row.channels,
    lookedUp: row.lookedUp ?? null,
    events: row.events ?? null,
    categories: row.categories,
    keyRange: row.keyRange,
    keyFlags: row.keyFlags,
    keySearches: row.keySearches,
    tips: row.tips ?? [],
    reply: row.reply ?? null,
    method: row.method ?? null,
    since: row.since,
    summary: row.summary,
    complexity: row.complexity,
    sinceSemantics: row.sinceSemantics,
    earlier: row.earlier,
  };
}

const categories = new WeakMap<Command, readonly string[]>();

/**
 * Returns the ACL categories of a command, without the `@`. They are cached, because each rule looks them up for each
 * command.
 */
export function categoriesOf(command: Command): readonly string[] {
  let known = categories.get(command);
  if (known === undefined) categories.set(command, (known = categoriesFound(command)));
  return known;
}

function categoriesFound(command: Command): readonly string[] {
  const names = new Set(command.categories);
  if (command.group !== "server") names.add(command.group);
  if (command.flags.includes("write")) names.add("write");
  // As in Redis, scripts are not in this category, because whether a script reads depends on its commands.
  if (command.flags.includes("readonly") && command.group !== "scripting") names.add("read");
  if (command.flags.includes("admin")) names.add("admin").add("dangerous");
  names.add(command.flags.includes("fast") ? "fast" : "slow");
  return [...names].sort();
}

/** What the earlier claims of an envelope take from one key, although none of them has been applied. */
export class PeekedKey {
  #first = 0;
  #last = 0;
  /** The ids that each consumer group has not delivered yet, by the group's name. */
  readonly undelivered = new Map<ByteString, Iterator<bigint>>();

  /** Takes an element from an end. @returns its index among all `size` elements, or null if all have been taken */
  take(end: "first" | "last", size: number): number | null {
    if (this.#first + this.#last >= size) return null;
    return end === "first" ? this.#first++ : size - 1 - this.#last++;
  }
}

/**
 * The search for what a claim takes, without running it. A daemon does so for the claims that it signs most often,
 * because running and undoing them costs about as much as applying them. Source: docs/decisions/0066.
 */
export interface ClaimPeek {
  /** The index of the call's only key, as for `Array.at`. */
  readonly keyAt: number;
  /**
   * Returns what a call takes, and records it in `peeked`; it changes nothing else. Returns null if the call must be
   * run to find that out, for example because of its options.
   * @param value  the key's value before the envelope; undefined if the key is absent
   */
  readonly find: (
    value: KeyEntry["value"] | undefined,
    argv: readonly ByteString[],
    peeked: PeekedKey,
  ) => Choice | null;
}

/** Returns a call with the choice that the reply shows, or null if the call already has the same effect everywhere. */
type RecordedCall = (argv: readonly ByteString[], reply: Reply) => readonly ByteString[] | null;

/** Returns the strings of a reply: of its items, or of itself. */
export function bytesIn(reply: Reply): ByteString[] {
  const items = "items" in reply ? reply.items : [reply];
  return items.flatMap((item) => (item.kind === "bulk" ? [item.bytes] : []));
}

const CONDITIONS: readonly ByteString[] = ["NX", "XX", "GT", "LT"];
/** The options of ZADD and GEOADD that are not conditions. */
const REPLY_OPTIONS: readonly ByteString[] = ["CH", "INCR"];

/** Whether ZADD or GEOADD adds members whatever the key holds. */
export function addsAlways(argv: readonly ByteString[]): boolean {
  let at = 2;
  while (REPLY_OPTIONS.includes(argv[at]?.toUpperCase() ?? "")) at++;
  return !CONDITIONS.includes(argv[at]?.toUpperCase() ?? "");
}

/** Whether EXPIRE and its variants found the key, and changed its expiry or left it. */
export const repliesOne = (_: readonly ByteString[], reply: Reply): boolean =>
  reply.kind === "integer" && Number(reply.value) === 1;

type Argv = readonly ByteString[];

/**
 * The type that TYPE returns for a key with data; `group`: a stream with entries that the group has not delivered yet.
 */
export type AwaitedType = "list" | "zset" | "stream" | "group";

export interface WaitShape {
  readonly type: AwaitedType;
  readonly keys: Argv;
  /** The time limit in milliseconds; 0: no limit. */
  readonly milliseconds: number;
  /** Returns the command for a key that has data; it reads only this key. */
  readonly argvFor: (key: ByteString) => Argv;
}

/** The rule for what a call of a blocking command waits for. A listener waits; the store itself never does. */
export interface WaitRule {
  /** Whether a call waits only with the option BLOCK. */
  readonly isOptional: boolean;
  /**
   * Returns what a call waits for, or null if it does not wait. @param argv  a call that the store has already checked,
   * unless `isOptional` @param lastId  returns the last id of a stream, which replaces `$`
   */
  readonly shapeOf: (argv: Argv, lastId: (key: ByteString) => ByteString) => WaitShape | null;
}

/** Whether a call waits because it has the option BLOCK. */
export const waitsByOption = (rule: WaitRule | undefined, argv: Argv): boolean =>
  rule?.isOptional === true && rule.shapeOf(argv, () => "") !== null;

/**
 * Returns the keys whose look-up by a call counts as a hit or a miss. Redis counts whether a look-up for reading finds
 * its key: a reading command counts all its look-ups, and a writing command usually counts none. The rows of writing
 * commands that also count look-ups have one of these rules in `lookedUp`. SET has none: with the option GET, it counts
 * its look-up itself. Source: redis-server 7.0, the calls of lookupKeyRead.
 */
type LookedUp = (keys: KeySpec, argv: readonly ByteString[]) => readonly ByteString[];

function touched(keys: KeySpec, argv: readonly ByteString[], access: readonly string[]): ByteString[] {
  const found: ByteString[] = [];
  for (const touch of touchesOf(keys, argv))
    if (touch.key !== null && access.includes(touch.access)) found.push(touch.key);
  return found;
}

export const sourcesLookedUp: LookedUp = (keys, argv) => touched(keys, argv, ["read"]);
export const allLookedUp: LookedUp = (keys, argv) => touched(keys, argv, ["read", "write"]);

function hasWord(argv: readonly ByteString[], from: number, words: RegExp): boolean {
  return argv.some((word, index) => index >= from && words.test(word));
}

/** Returns the keys of BITFIELD if it does not write. */
export const readBitsLookedUp: LookedUp = (keys, argv) =>
  hasWord(argv, 2, /^(set|incrby)$/i) ? [] : allLookedUp(keys, argv);
