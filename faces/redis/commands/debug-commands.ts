/**
 * The subcommands of DEBUG that test suites of servers and clients call, if a truthful answer is possible. SLEEP delays
 * only its own connection, whereas in Redis all clients wait. Texts: redis-server 7.0.
 */
import { createHash } from "node:crypto";
import { isLoopback } from "../../../daemon/net/process/host-and-port.js";
import { CommandFailure, custom, echoed, noSuchKey } from "../../../daemon/store/arguments/command-errors.js";
import { parseDouble, parseInteger } from "../../../daemon/store/arguments/number-arguments.js";
import { commandTable, findCommand } from "../../../daemon/store/command-table.js";
import type { Command } from "../../../daemon/store/rows/command-row.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import {
  array,
  bulk,
  double,
  error,
  integer,
  map,
  NIL,
  OK,
  type Reply,
  set,
  status,
  verbatim,
} from "../../../protocol/reply.js";
import { writeBulk } from "../../../protocol/resp/resp-writer.js";
import type { RespSession, SessionHandler } from "../session/resp-session.js";
import { parseMemory } from "./config-settings.js";

export const debugHandlers: readonly (readonly [string, SessionHandler])[] = [["DEBUG", debug]];

/** The longest sleep in milliseconds. */
const SLEEP_MS_MAX = 60_000;
/** Maximum number of keys of one POPULATE, and maximum bytes of each value. */
const POPULATE_KEYS_MAX = 1_000_000;
const POPULATE_BYTES_MAX = 1024 * 1024;
/** Redis's upper bound, which is exclusive. */
const THRESHOLD_BYTES_MAX = 2 ** 32 - 1;

interface Subcommand {
  /** The number of arguments, including both names; negative: the minimum. */
  readonly arity: number;
  readonly run: (session: RespSession, argv: readonly ByteString[]) => Reply | Promise<Reply>;
}

type ReadOfMemory = (session: RespSession, argv: readonly ByteString[]) => Reply;

/** Delays the reply to a read, and its error, until everything that it shows is on disk. */
function whenSafe(run: ReadOfMemory): Subcommand["run"] {
  return (session, argv) => {
    let reply: Reply;
    try {
      reply = run(session, argv);
    } catch (failure) {
      if (!(failure instanceof CommandFailure)) throw failure;
      reply = failure.reply;
    }
    return session.server.path.whenSafe(reply);
  };
}

/** Accepts a command that changes Redis's storage or output. Here it has no setting and no visible effect. */
const ignored = (arity: number): Subcommand => ({ arity, run: () => OK });

const SUBCOMMANDS: Readonly<Record<string, Subcommand>> = {
  "AOF-FLUSH-SLEEP": ignored(3),
  // The command has no effect, because no server uses this daemon's replication id.
  "CHANGE-REPL-ID": { arity: 2, run: () => OK },
  DIGEST: { arity: 2, run: whenSafe(digest) },
  "DIGEST-VALUE": { arity: -2, run: whenSafe(digestValues) },
  ERROR: { arity: 3, run: fail },
  HELP: { arity: 2, run: () => array(helpText.map(status)) },
  LISTPACK: { arity: 3, run: whenSafe(printed("listpack", "Listpack")) },
  // A reload would read the same data that is in memory already.
  LOADAOF: { arity: 2, run: () => OK },
  LOG: { arity: 3, run: writeLog },
  OBJECT: { arity: 3, run: whenSafe(object) },
  "PAUSE-CRON": ignored(3),
  POPULATE: { arity: -3, run: populate },
  PROTOCOL: { arity: 3, run: (_, argv) => sample(argv[2] as ByteString) },
  QUICKLIST: { arity: -3, run: whenSafe(printed("quicklist", "Quicklist")) },
  "QUICKLIST-PACKED-THRESHOLD": { arity: 3, run: packedThreshold },
  RELOAD: { arity: -2, run: reload },
  REPLYBUFFER: { arity: 4, run: setReplyBuffer },
  "SET-DISABLE-DENY-SCRIPTS": { arity: 3, run: () => OK },
  // Clients cannot see whether expired keys are still stored.
  "SET-ACTIVE-EXPIRE": { arity: 3, run: () => OK },
  "SET-SKIP-CHECKSUM-VALIDATION": ignored(3),
  SLEEP: { arity: 3, run: sleep },
  // With this command Redis tests its matching of patterns; this project's own tests cover that.
  "STRINGMATCH-TEST": { arity: 2, run: () => status("Apparently Redis did not crash: test passed") },
};

const NOT_ALLOWED =
  'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it from a local connection, ' +
  "otherwise you need to set this option in the configuration file, and then restart the server.";

/** Returns whether --enable-debug-command permits a client to use DEBUG. */
function mayDebug({ server, remote }: RespSession): boolean {
  const { enableDebugCommand } = server.daemon.settings;
  const address = remote.slice(0, remote.lastIndexOf(":"));
  return enableDebugCommand === "yes" || (enableDebugCommand === "local" && isLoopback(address) === true);
}

function debug(session: RespSession, argv: readonly ByteString[]): Reply | Promise<Reply> {
  if (!mayDebug(session)) throw custom(NOT_ALLOWED);
  const name = (argv[1] as ByteString).toUpperCase();
  const subcommand = Object.hasOwn(SUBCOMMANDS, name) ? SUBCOMMANDS[name] : undefined;
  const arity = subcommand?.arity ?? 0;
  if (subcommand === undefined || (arity < 0 ? argv.length < -arity : argv.length !== arity))
    throw wrongArguments(argv);
  return subcommand.run(session, argv);
}

const wrongArguments = (argv: readonly ByteString[]) =>
  custom(
    `ERR unknown subcommand or wrong number of arguments for '${echoed(argv[1] ?? "")}'. Try DEBUG HELP.`,
  );

const helpText: readonly string[] = [
  "DEBUG <subcommand> [<argument> ...]. There are:",
  ...Object.keys(SUBCOMMANDS).sort(),
];

/** `DEBUG QUICKLIST-PACKED-THRESHOLD bytes`. The storage of lists has no setting here, and cannot be observed. */
function packedThreshold(_: RespSession, argv: readonly ByteString[]): Reply {
  const bytes = parseMemory(argv[2] as ByteString);
  if (bytes === undefined || bytes > THRESHOLD_BYTES_MAX)
    throw custom("ERR argument must be a memory value bigger than 1 and smaller than 4gb");
  return OK;
}

/**
 * `DEBUG LISTPACK key`, `DEBUG QUICKLIST key [level]`. Redis prints the structure to its own output; here there is only
 * the reply.
 */
function printed(encoding: string, title: string): ReadOfMemory {
  return (session, argv) => {
    const reply = read(session, ["OBJECT", "ENCODING", argv[2] as ByteString]);
    if (reply.kind !== "bulk") throw noSuchKey();
    if (reply.bytes !== encoding) throw custom(`ERR Not a ${encoding} encoded object.`);
    return status(`${title} structure printed on stdout`);
  };
}

/** `DEBUG LOG text` */
function writeLog({ server }: RespSession, argv: readonly ByteString[]): Reply {
  server.daemon.writeLog("info", `DEBUG LOG: ${argv[2]}`);
  return OK;
}

/** `DEBUG REPLYBUFFER PEAK-RESET-TIME never|reset|ms`, `RESIZING 0|1` */
function setReplyBuffer(_: RespSession, argv: readonly ByteString[]): Reply {
  if (!/^(peak-reset-time|resizing)$/i.test(argv[2] as ByteString)) throw wrongArguments(argv);
  return OK;
}

/** `DEBUG ERROR text` */
function fail(_: RespSession, argv: readonly ByteString[]): never {
  throw custom(argv[2] as ByteString);
}

/** Sleeps. The slow log records the time as if the command had delayed all clients. */
function sleep(session: RespSession, argv: readonly ByteString[]): Promise<Reply> {
  const seconds = parseDouble(argv[2] as ByteString);
  if (seconds === undefined || !(seconds >= 0)) throw custom("ERR value is not a valid float");
  const milliseconds = Math.min(seconds * 1000, SLEEP_MS_MAX);
  const command = findCommand("DEBUG") as Command;
  return new Promise((resolve) => {
    session.server.environment.setTimer(milliseconds, () => {
      session.server.logSlow({ command, argv, client: session, milliseconds });
      resolve(OK);
    });
  });
}

/** `DEBUG OBJECT key` */
function object(session: RespSession, argv: readonly ByteString[]): Reply {
  const key = argv[2] as ByteString;
  const encoding = read(session, ["OBJECT", "ENCODING", key]);
  const dump = read(session, ["DUMP", key]);
  if (encoding.kind !== "bulk" || dump.kind !== "bulk") throw noSuchKey();
  // Excludes the bytes for the format and its checksum.
  const length = dump.bytes.length - 11;
  return status(
    `Value at:0x0 refcount:1 encoding:${encoding.bytes} serializedlength:${length} lru:0 lru_seconds_idle:0`,
  );
}

/** `DEBUG DIGEST`. The result is equal for equal contents, but only on this kind of server. */
function digest(session: RespSession): Reply {
  const all = createHash("sha1");
  for (let db = 0; db < session.server.path.databases; db++) {
    const keys = read(session, ["KEYS", "*"], db);
    const names =
      keys.kind === "array" ? keys.items.map((key) => (key.kind === "bulk" ? key.bytes : "")) : [];
    for (const key of names.sort()) all.update(`${db} ${digestOf(session, key, db)}`, "latin1");
  }
  return status(all.digest("hex"));
}

/** `DEBUG DIGEST-VALUE [key …]` */
function digestValues(session: RespSession, argv: readonly ByteString[]): Reply {
  return array(argv.slice(2).map((key) => status(valueDigest(session, key, session.db))));
}

function digestOf(session: RespSession, key: ByteString, db: number): string {
  const expiry = read(session, ["PEXPIRETIME", key], db);
  const expires = expiry.kind === "integer" && expiry.value > 0;
  return `${key.length} ${key}${expires ? " expires" : ""}${valueDigest(session, key, db)}`;
}

/** Returns the digest of a key's value; zeros if the key does not exist. */
function valueDigest(session: RespSession, key: ByteString, db: number): string {
  const dump = read(session, ["DUMP", key], db);
  if (dump.kind !== "bulk") return "0".repeat(40);
  return createHash("sha1").update(dump.bytes, "latin1").digest("hex");
}

/** `DEBUG POPULATE count [prefix] [size]`. It creates strings for keys that do not exist. */
function populate(session: RespSession, argv: readonly ByteString[]): Promise<Reply> {
  if (argv.length > 5) throw wrongArguments(argv);
  const count = positive(argv[2] as ByteString, POPULATE_KEYS_MAX);
  const prefix = argv[3] ?? "key";
  const size = argv[4] === undefined ? 0 : positive(argv[4], POPULATE_BYTES_MAX);
  return fill(session, { count, prefix, size });
}

async function fill(
  session: RespSession,
  { count, prefix, size }: { readonly count: number; readonly prefix: ByteString; readonly size: number },
): Promise<Reply> {
  const command = findCommand("SETNX") as Command;
  for (let i = 0; i < count; i++) {
    const value = `value:${i}`;
    const padded = size === 0 ? value : value.slice(0, size).padEnd(size, "\0");
    const reply = session.server.path.execute(command, ["SETNX", `${prefix}:${i}`, padded], session);
    const settled = reply instanceof Promise ? await reply : reply;
    if (settled.kind === "error") return settled;
  }

  return OK;
}

function positive(text: ByteString, max: number): number {
  const value = parseInteger(text);
  if (value === undefined || value < 0) throw custom("ERR value is out of range, must be positive");
  if (value > max) throw custom(`ERR value is out of range, must be at most ${max}`);
  return Number(value);
}

/** `DEBUG RELOAD [MERGE|NOFLUSH|NOSAVE …]`. A reload would read the same data that is in memory already. */
function reload(_: RespSession, argv: readonly ByteString[]): Reply {
  if (argv.slice(2).some((word) => !/^(merge|noflush|nosave)$/i.test(word)))
    throw custom("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.");
  return OK;
}

/** Returns the reply to a read, which is immediate. */
function read(session: RespSession, argv: readonly ByteString[], db = session.db): Reply {
  const command = commandTable.resolve(argv);
  if (command instanceof CommandFailure) throw command;
  const { as, now, readsAll, isStable, lastWrite, encoding, server } = session;
  const sender = { db, as, now, readsAll, isStable, lastWrite, encoding };
  const reply = server.path.localData?.inspect(command, argv, sender);
  return reply === undefined || reply instanceof Promise
    ? error("ERR the read was not answered immediately")
    : reply;
}

const resp3 = (written: ByteString, plain: Reply): Reply => ({ kind: "resp3", written, plain });

const boolean = (value: boolean): Reply => resp3(value ? "#t\r\n" : "#f\r\n", integer(value ? 1 : 0));

const BIG_NUMBER = "1234567999999999999999999999999999999";
const POPULARITY = `|1\r\n${writeBulk("key-popularity")}*2\r\n${writeBulk("key:123")}:90\r\n`;
const AFTER_ATTRIBUTE = "Some real reply following the attribute";
const PUSH_FRAME = `>2\r\n${writeBulk("server-cpu-usage")}:42\r\n`;
const AFTER_PUSH = "Some real reply following the push reply";
const NUMBERS = [0, 1, 2];

const SAMPLES: Readonly<Record<string, Reply>> = {
  string: bulk("Hello World"),
  integer: integer(12345),
  double: double(3141 / 1000),
  bignum: resp3(`(${BIG_NUMBER}\r\n`, bulk(BIG_NUMBER)),
  null: NIL,
  array: array(NUMBERS.map(integer)),
  set: set(NUMBERS.map(integer)),
  map: map(NUMBERS.flatMap((number) => [integer(number), boolean(number === 1)])),
  attrib: resp3(POPULARITY + writeBulk(AFTER_ATTRIBUTE), bulk(AFTER_ATTRIBUTE)),
  push: resp3(PUSH_FRAME + writeBulk(AFTER_PUSH), error("ERR RESP2 is not supported by this command")),
  verbatim: verbatim("This is a verbatim\nstring"),
  true: boolean(true),
  false: boolean(false),
};

/**
 * Returns the reply of `DEBUG PROTOCOL kind`, with which clients test their parsers. Source: redis-server 7.0.
 * @throws CommandFailure  there is no such kind
 */
function sample(kind: ByteString): Reply {
  const name = kind.toLowerCase();
  if (!Object.hasOwn(SAMPLES, name))
    throw custom(
      `ERR Wrong protocol type name. Please use one of the following: ${Object.keys(SAMPLES).join("|")}`,
    );
  return SAMPLES[name] as Reply;
}
