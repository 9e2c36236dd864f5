/**
 * The path of a Redis client's commands through a sidecar, which signs each command with its own key and sends it to
 * all daemons of a cluster. The daemons' replies are converted from RESP2 to RESP3, which also has doubles, sets, maps
 * and pairs. The bytes of a reply in RESP2 do not show its type in RESP3, so the type is determined by `reply` in the
 * command's row. faces/sidecar/test/typed-replies.test.ts compares the converted replies with those of the store.
 */
import type { ForwardingClient, ReplyHandlers } from "../../client/forwarding-client.js";
import type {
  CheckedCommand,
  CommandPath,
  CommandSender,
  ReplyWaiter,
  WaitingSender,
  Writers,
} from "../../daemon/engine/backends/command-path.js";
import type { KeyCounts } from "../../daemon/engine/backends/key-counts.js";
import { cursorOf } from "../../daemon/store/arguments/scan-arguments.js";
import { commands, findCommand } from "../../daemon/store/command-table.js";
import { DATABASES_DEFAULT, Database } from "../../daemon/store/database.js";
import {
  type Command,
  type ReplyShape,
  type SidecarLack,
  waitsByOption,
} from "../../daemon/store/rows/command-row.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { DocumentEntriesReply } from "../../protocol/document-replies.js";
import {
  array,
  type ErrorReply,
  error,
  map,
  mapInPairs,
  pairs,
  type Reply,
  set,
  writtenDouble,
} from "../../protocol/reply.js";
import { type Condition, UNIT_COMMANDS_MAX } from "../../protocol/version-2/envelope.js";
import { replyOf } from "./signing-backend.js";

/** The commands that the sidecar answers itself, because the answer needs no data. */
export const ANSWERED_HERE: ReadonlySet<Command> = new Set(
  commands.filter(
    ({ name, group }) =>
      group === "connection" || group === "scripting" || name === "TIME" || /^COMMAND\b/.test(name),
  ),
);
const READING_SQL = findCommand("SQL_RO") as Command;
/** An empty database, which executes these commands. */
const EMPTY = new Database({ databases: 1 });

const TOO_MANY = error(`ERR a signed transaction may have at most ${UNIT_COMMANDS_MAX} commands`);
const NO_STEPS = error("ERR a script reads data while it runs, but dbsyncd -d dbsync has no data");
const NO_WRITERS = error("ERR the daemons did not report the writers of these keys");

const unchanged = (reply: Reply): Reply => reply;

export class SignedPath implements CommandPath {
  readonly records = true;
  readonly localData = null;
  readonly appliesAhead = false;
  /** The daemons' members may decide, but all commands are sent in order. */
  readonly decides = false;
  readonly others = null;
  readonly databases = DATABASES_DEFAULT;
  readonly expiredKeys = 0;
  readonly changes = null;
  readonly keyCounts: readonly KeyCounts[] = [];
  readonly unsupported = UNSUPPORTED_COMMANDS;
  readonly #carrier: ForwardingClient;

  constructor(carrier: ForwardingClient) {
    this.#carrier = carrier;
  }

  execute(command: Command, argv: readonly ByteString[], sender: CommandSender): Reply | Promise<Reply> {
    return (
      replyHere(command, argv, sender) ??
      this.#promised(converterOf(command, argv), (reply) =>
        this.#carrier.send(sentAs(command, argv), sender, reply),
      )
    );
  }

  whenSafe(reply: Reply): Reply {
    return reply;
  }

  send<Waiter extends ReplyWaiter>(
    command: Command,
    argv: readonly ByteString[],
    sender: WaitingSender<Waiter>,
  ): Reply | Waiter {
    const here = replyHere(command, argv, sender);
    if (here !== null) return here;
    const waiter = sender.waiter();
    this.#carrier.send(sentAs(command, argv), sender, new ForwardedReply(converterOf(command, argv), waiter));
    return waiter;
  }

  sharing<Result>(run: () => Result): Result {
    return run();
  }

  executeInSteps(): Reply {
    return NO_STEPS;
  }

  executeTogether(
    calls: readonly CheckedCommand[],
    conditions: readonly Condition[],
    sender: CommandSender,
  ): Reply | Promise<Reply> {
    if (calls.length > UNIT_COMMANDS_MAX) return TOO_MANY;
    const makings = calls.map(({ command, argv }) => converterOf(command, argv));
    const made = (all: Reply): Reply => {
      if (all.kind !== "array") return all;
      const items = all.items.map((item, at) =>
        item.kind === "error" ? item : (makings[at] ?? unchanged)(item),
      );
      return { kind: "array", items };
    };

    const argvs = calls.map(({ command, argv }) => sentAs(command, argv));
    return this.#promised(made, (reply) => this.#carrier.sendTogether(argvs, conditions, sender, reply));
  }

  /** Does nothing, because this daemon applies no writes. */
  observeWrites(): void {}

  writersOf(db: number, keys: readonly ByteString[]): Promise<Writers | ErrorReply> {
    const sender = { db, isStable: false, watched: { size: keys.length } };
    const reported = this.#promised(unchanged, (reply) =>
      this.#carrier.send(["WRITERS", ...keys], sender, reply),
    );
    return reported.then((reply) => {
      if (reply.kind === "error") return reply;
      return reply.kind === "array"
        ? reply.items.map((item) => (item.kind === "bulk" ? item.bytes : ""))
        : NO_WRITERS;
    });
  }

  /** Returns true, because the daemons check the conditions when they receive the transaction. */
  hold(): boolean {
    return true;
  }

  #promised(made: (reply: Reply) => Reply, send: (reply: ForwardedReply) => void): Promise<Reply> {
    return new Promise((answered) => send(new ForwardedReply(made, { answered })));
  }
}

/**
 * Returns the command to send. A statement that only reads receives the name SQL_RO, and a scan is changed to return a
 * single page.
 */
function sentAs(command: Command, argv: readonly ByteString[]): readonly ByteString[] {
  if (command.cursorAt !== undefined) return singlePageScan(argv, command.cursorAt);
  return command === READING_SQL ? [READING_SQL.name, ...argv.slice(1)] : argv;
}

/** Returns the reply if this daemon can answer the command itself, or null if the daemons must answer. */
function replyHere(command: Command, argv: readonly ByteString[], { now }: CommandSender): Reply | null {
  const { cursorAt } = command;
  if (cursorAt !== undefined && isForeignCursor(argv[cursorAt])) return FOREIGN_CURSOR;
  return ANSWERED_HERE.has(command)
    ? EMPTY.run(command, argv, { at: now, db: 0, id: "" })
    : refusalOfForm(command, argv);
}

/** The object that receives the reply, once. */
interface ReplyReceiver {
  answered(reply: Reply): void;
}

/** The pending reply to a command that was sent to the daemons. */
class ForwardedReply implements ReplyHandlers {
  readonly #convert: (reply: Reply) => Reply;
  readonly #receiver: ReplyReceiver;

  /** @param convert  converts a reply that is not an error */
  constructor(convert: (reply: Reply) => Reply, receiver: ReplyReceiver) {
    this.#convert = convert;
    this.#receiver = receiver;
  }

  readonly resolve = (reply: Reply): void =>
    this.#receiver.answered(reply.kind === "error" ? reply : this.#convert(reply));

  /** Delivers the error in a microtask, because it may occur before `send` has returned the receiver. */
  readonly reject = (problem: Error): void => queueMicrotask(() => this.#receiver.answered(replyOf(problem)));
}

/** A COUNT that is greater than the number of elements on any daemon. */
const ALL = String(2 ** 31 - 1);
const COUNT = /^0*[1-9]\d*$/;

const FOREIGN_CURSOR = error(
  "ERR invalid cursor: a scan through dbsyncd -d dbsync returns everything in one page, so only the cursor 0 is valid here. Begin again with 0",
);

/** Returns whether a cursor is a number other than 0. This daemon returns only the cursor 0. */
function isForeignCursor(cursor: ByteString | undefined): boolean {
  return cursor !== undefined && (cursorOf(cursor) ?? 0n) !== 0n;
}

/**
 * Returns a scan that requests all elements in a single page, which one daemon creates at one moment; or `argv` itself
 * if its options are wrong, which the daemons report. A cursor is valid only on the daemon that issued it, but the next
 * page might come from another daemon. Source: docs/sidecar.md "Guarantees".
 */
function singlePageScan(argv: readonly ByteString[], cursor: number): readonly ByteString[] {
  const options = argv.slice(cursor + 1);
  // In a transaction, replace such a cursor by an invalid one, so that the daemons refuse the command.
  if (isForeignCursor(argv[cursor])) return [...argv.slice(0, cursor), "foreign", ...options];
  if (argv.length <= cursor || options.length % 2 !== 0) return argv;

  const otherOptions: ByteString[] = [];
  for (let at = 0; at < options.length; at += 2) {
    const [name, value] = [options[at] as ByteString, options[at + 1] as ByteString];
    if (name.toUpperCase() !== "COUNT") otherOptions.push(name, value);
    else if (!COUNT.test(value)) return argv;
  }

  return [...argv.slice(0, cursor + 1), ...otherOptions, "COUNT", ALL];
}

const WAITS =
  "it waits for data, but a signed command is applied once, at its date: connect workers to --resp of a daemon, " +
  "or read, and remove the element by a command that names it (LREM, ZREM, XACK)";
const STREAMS =
  "it turns its connection into a stream of messages, but the daemons send one answer to each signed command";
const MESSAGES = "channels belong to the daemon that a client is connected to, but no client listens here";

const LACKS: Readonly<Record<SidecarLack, string>> = {
  "monitored-commands":
    "the commands that the daemons accept do not pass through the sidecar: dbsync log shows them",
  replicas: "only the daemons know which of them have a write: --policy sets how many must answer",
  internals: "it concerns a daemon's internals, but this daemon has no data",
  "script-data": "a script reads data while it runs, but this daemon has no data",
  storage: "this daemon stores nothing: the other daemons do",
};

/** Returns why a sidecar does not support a command in any form, or null if it may. */
function reasonAgainst({ sidecarLacks, waitsFor, connectionUse, flags }: Command): string | null {
  if (sidecarLacks !== undefined) return LACKS[sidecarLacks];
  if (waitsFor?.isOptional === false) return WAITS;
  if (connectionUse === "listens") return STREAMS;
  return flags.includes("pubsub") ? MESSAGES : null;
}

/**
 * The errors for the commands of Redis clients that a sidecar neither sends to the daemons nor answers itself, by
 * command name in upper case.
 */
export const UNSUPPORTED_COMMANDS: ReadonlyMap<string, ErrorReply> = new Map(
  commands.flatMap((command) => {
    const reason = reasonAgainst(command);
    return reason === null ? [] : [[command.name, refusalOf(command.name, reason)] as const];
  }),
);

/** Returns the error for a call that waits because of an option, or null for any other call. */
function refusalOfForm({ name, waitsFor }: Command, argv: readonly ByteString[]): ErrorReply | null {
  return waitsByOption(waitsFor, argv) ? refusalOf(`${name} with BLOCK`, WAITS) : null;
}

/**
 * Returns the error for a command that was not sent. It does not begin with ERR, because phpredis returns false for
 * such an error, which its callers take for an answer. Source: redis_error_throw in phpredis's library.c.
 */
function refusalOf(name: string, reason: string): ErrorReply {
  return error(`NOTAPPLIED ${name.replace("|", " ")} is not supported by dbsyncd -d dbsync: ${reason}`);
}

type Making = (reply: Reply) => Reply;

const YES: Reply = { kind: "resp3", written: "#t\r\n", plain: { kind: "integer", value: 1 } };
const NO: Reply = { kind: "resp3", written: "#f\r\n", plain: { kind: "integer", value: 0 } };

const unconverted: Making = (reply) => reply;

const asDouble: Making = (reply) => {
  if (reply.kind !== "bulk") return reply;
  const text = reply.bytes;
  const value = /inf/.test(text) ? Number(text.replace("inf", "Infinity")) : Number(text);
  return writtenDouble(value, text);
};

/** Converts an array; other replies, such as nil, remain unchanged. */
const ofItems =
  (make: (items: readonly Reply[]) => Reply): Making =>
  (reply) =>
    reply.kind === "array" ? make(reply.items) : reply;

const convertOdd = (making: Making) => (items: readonly Reply[]) =>
  items.map((item, at) => (at % 2 === 0 ? item : making(item)));

const asSet = ofItems(set);
const asMap = ofItems(map);
/** Converts the entries of a document to the form that --json expects. Entries with further details become a map. */
const asEntries = ofItems((items) => {
  const bytes = items.flatMap((item) => (item.kind === "bulk" ? [item.bytes] : []));
  if (bytes.length < items.length) return map(items);
  const isKey = (_: ByteString, at: number) => at % 2 === 0;
  return new DocumentEntriesReply({
    keys: bytes.filter(isKey),
    texts: bytes.filter((one, at) => !isKey(one, at)),
  });
});
const asDoubles = ofItems((items) => array(items.map(asDouble)));
const asPairs = ofItems(pairs);
const asScores = ofItems((items) => pairs(convertOdd(asDouble)(items)));
/** Converts a member and its score. */
const asScore = ofItems((items) => array(convertOdd(asDouble)(items)));
const asMapOf = (making: Making) => ofItems((items) => map(convertOdd(making)(items)));
/** Converts a key followed by members with their scores. */
const asPopped = ofItems((items) =>
  array(convertOdd(ofItems((members) => array(members.map(asScore))))(items)),
);
/** Converts a key, a member and its score. */
const asOnePopped = ofItems((items) => array(items.map((item, at) => (at === 2 ? asDouble(item) : item))));
/** Converts the positions of members: longitude and latitude, or nil. */
const asPositions = ofItems((items) => array(items.map(asDoubles)));
/**
 * Converts the requested properties of each member, which may include a list of longitude and latitude. Without such
 * options the reply contains only names.
 */
const asLocations = ofItems((items) => array(items.map(asPositions)));
/** Returns a converter for a map, some of whose values need the given converters. */
const asMapWith = (names: Readonly<Record<string, Making>>) =>
  ofItems((items) =>
    map(
      items.map((item, at) => {
        const name = items[at - 1];
        return at % 2 === 1 && name?.kind === "bulk" ? (names[name.bytes] ?? unconverted)(item) : item;
      }),
    ),
  );
const asCell: Making = (reply) => {
  if (reply.kind === "status") return writtenDouble(Number(reply.text), reply.text);
  return reply.kind === "integer" ? (reply.value === 1 ? YES : NO) : reply;
};
const asRows = ofItems((rows) => array(rows.map(ofItems((cells) => array(cells.map(asCell))))));
/** Converts the answer to an SQL statement that reads. Numbers in its rows are sent as simple strings. */
const asRelation = asMapWith({ rows: asRows });

/** Converts the streams in a reply, each with its key and its entries. */
const asRead = ofItems((items) => mapInPairs(items.flatMap((item) => ("items" in item ? item.items : item))));
const asMaps = ofItems((items) => array(items.map(asMap)));
const asGroups = ofItems((items) => array(items.map(asMapWith({ consumers: asMaps }))));

/**
 * @param from  the index of the first option; an earlier argument is a key or a value, even if it looks like an option
 */
const hasWord = (argv: readonly ByteString[], word: string, from: number): boolean =>
  argv.some((one, at) => at >= from && one.length === word.length && one.toUpperCase() === word);

const withWord =
  (word: string, making: Making, from: (argv: readonly ByteString[]) => number, otherwise = unconverted) =>
  (argv: readonly ByteString[]) =>
    hasWord(argv, word, from(argv)) ? making : otherwise;
const always = (making: Making) => () => making;
/** Returns a function that returns the given index, for commands whose options begin at a fixed index. */
const after = (words: number) => () => words;
/** Returns the index after the keys of a command whose first argument is the number of keys. */
const afterKeys = ([, count]: readonly ByteString[]) => 2 + Number(count);
const scoresOfKeys = withWord("WITHSCORES", asScores, afterKeys);
const scoresOfRange = withWord("WITHSCORES", asScores, after(4));

/** The functions that return the converter for a shape. The converter may depend on the arguments. */
const CONVERTERS: Readonly<Record<ReplyShape, (argv: readonly ByteString[]) => Making>> = {
  double: always(asDouble),
  doubles: always(asDoubles),
  entries: withWord("EXPLAIN", asMap, after(2), asEntries),
  locations: always(asLocations),
  map: always(asMap),
  "map-of-changes": always(asMapWith({ changed: asMap })),
  "map-of-entries": always(asMapOf(asEntries)),
  "map-with-idx": withWord("IDX", asMap, after(3)),
  maps: always(asMaps),
  "one-popped": always(asOnePopped),
  "pairs-with-values": withWord("WITHVALUES", asPairs, after(3)),
  popped: always(asPopped),
  positions: always(asPositions),
  relation: always(asRelation),
  "score-or-scores": ({ length }) => (length > 2 ? asScores : asScore),
  "scores-after-count": withWord("WITHSCORES", asScores, after(3)),
  "scores-after-keys": scoresOfKeys,
  "scores-after-range": scoresOfRange,
  set: always(asSet),
  "set-with-count": ({ length }) => (length > 2 ? asSet : unconverted),
  stream: always(asMapWith({ groups: asGroups })),
  streams: always(asRead),
};

/** Returns the converter for the reply to a command. */
export function converterOf({ reply: shape }: Command, argv: readonly ByteString[]): (reply: Reply) => Reply {
  return shape === null ? unconverted : CONVERTERS[shape](argv);
}
