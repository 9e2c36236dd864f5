/**
 * KEY, CLUSTER and their subcommands, which act on the key ring instead of on data. Their handlers receive the ring.
 * Their rows are in the table of all commands, so arity checks, COMMAND and rules (`-@admin`) apply to them as to any
 * other command. They are valid only in signed envelopes, each as a separate unit.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { array, bulk, OK, type Reply } from "../../../protocol/reply.js";
import { bytesOfHex, HASH_BYTES, hexOf } from "../../../protocol/version-2/envelope.js";
import { CommandFailure, custom, echoed, syntaxError } from "../arguments/command-errors.js";
import type { Unit } from "../keyspace/unit.js";
import type { DecidedPatterns, PatternName } from "../rights/decided-patterns.js";
import { checkedLabel, describe, describeFully, type KeyRecord, type Role } from "../rights/key-record.js";
import { type Command, type CommandDescription, family, type Row } from "../rows/command-row.js";
import { none } from "../rows/key-spec.js";

/** The arguments of KEY ADD and CLUSTER ADD. */
export interface KeyRequest {
  readonly role: Exclude<Role, "root">;
  /** The public key as PEM, or the base64 of its DER. */
  readonly text: ByteString;
  readonly label: ByteString;
  readonly notBefore: number | null;
  readonly notAfter: number | null;
  readonly rate: number;
  /** The key's rules; null means the rules of a genesis key with this role. */
  readonly rules: readonly ByteString[] | null;
}

/**
 * The key ring as its commands use it. All methods except `find` and `all` may throw CommandFailure, in which case they
 * have changed nothing.
 */
export interface Ring {
  find(id: ByteString): KeyRecord | undefined;
  all(): Iterable<KeyRecord>;
  /** Adds a key. Adding a key again is accepted if all its properties are the same. */
  add(request: KeyRequest, unit: KeyUnit): KeyRecord;
  setRules(record: KeyRecord, rules: readonly ByteString[]): void;
  revoke(record: KeyRecord, at: number): void;
  /** Returns why a key may not run a command, or null if it may. */
  dryRun(record: KeyRecord, argv: readonly ByteString[], at: number): ByteString | null;
  /** Sets the semantics of the commands that follow. @param number the current number plus one */
  setSemantics(number: number): void;
  /** The patterns of keys on whose writes the members decide. */
  patterns: DecidedPatterns;
}

export interface KeyUnit extends Unit {
  readonly signer: KeyRecord;
  /** Whether the members of a list have decided on the unit; default: false. */
  readonly isDecided?: boolean;
}

type KeyHandler = (ring: Ring, argv: readonly ByteString[], unit: KeyUnit) => Reply;

interface KeyRow extends CommandDescription, Pick<Row, "isRecorded" | "publicKeyAt"> {
  readonly run: KeyHandler;
}

/** Matches a version of the semantics. */
const VERSION = /^[1-9]\d{0,8}$/;
/** Maximum value of RATE, in envelopes per second: more than any daemon can accept. */
const RATE_MAX = 1_000_000;

const rows: Readonly<Record<string, KeyRow>> = {
  "CLUSTER|ADD": {
    arity: -3,
    complexity: "O(1)",
    summary: "Adds a daemon's own public key and returns its id: CLUSTER ADD key [LABEL text].",
    publicKeyAt: 2,
    run: addDaemon,
  },
  "CLUSTER|DECIDE": {
    arity: -3,
    complexity: "O(N), N: patterns",
    summary:
      "Lets the members decide on all writes to the keys of a pattern, once each member knows it: CLUSTER DECIDE pattern [DB n] [PAIR].",
    run: announcePattern,
  },
  "CLUSTER|DECIDED": {
    arity: -3,
    complexity: "O(N), N: patterns",
    summary:
      "Declares that each member knows a pattern, so that other writes to its keys are void; daemons send it: CLUSTER DECIDED pattern [DB n].",
    run: beginPattern,
  },
  "CLUSTER|MEMBERS": {
    arity: -2,
    complexity: "O(N), N: members",
    summary:
      "Returns the list of the cluster's members, sets a new one and returns its hash, or orders this daemon to agree on one: CLUSTER MEMBERS [list | FOUND | REMOVE id | REPLACE id id | FORCE [id ...]].",
    isRecorded: false,
    run: refuseList,
  },
  "CLUSTER|SEMANTICS": {
    arity: 3,
    complexity: "O(N), N: keys",
    summary: "Sets the semantics version of commands from this entry on: CLUSTER SEMANTICS version.",
    run: setSemantics,
  },
  "CLUSTER|UNDECIDE": {
    arity: -3,
    complexity: "O(N), N: patterns",
    summary: "Ends the decisions on writes to the keys of a pattern: CLUSTER UNDECIDE pattern [DB n].",
    run: removePattern,
  },
  "KEY|ADD": {
    arity: -3,
    complexity: "O(N), N: rules",
    summary:
      "Adds a public key and returns its id: KEY ADD key [LABEL text] [FROM ms] [UNTIL ms] [RATE n] [RULES rule ...].",
    publicKeyAt: 2,
    run: add,
  },
  "KEY|DRYRUN": {
    arity: -4,
    complexity: "O(N), N: keys of the command",
    summary: "Checks whether a key may run a command: OK, or the reason why not.",
    isRecorded: false,
    run: dryRun,
  },
  "KEY|INFO": {
    arity: 3,
    complexity: "O(1)",
    summary: "Returns the fields and values of a key.",
    isRecorded: false,
    run: (ring, argv, unit) => describeFully(keyArgument(ring, argv[2]!), unit.at),
  },
  "KEY|LIST": {
    arity: 2,
    complexity: "O(N), N: keys",
    summary: "Returns the fields and values of all keys, including revoked ones.",
    isRecorded: false,
    run: list,
  },
  "KEY|REVOKE": {
    arity: 3,
    complexity: "O(N), N: keys",
    summary: "Revokes a key permanently; it stays in the list.",
    run: revoke,
  },
  "KEY|RULES": {
    arity: -4,
    complexity: "O(N), N: rules",
    summary: "Replaces all rules of a key.",
    run: setRules,
  },
};

/** The handler of each key command, by its name in the table. */
export const keyHandlers: ReadonlyMap<string, KeyHandler> = new Map(
  Object.entries(rows).map(([name, { run }]) => [name, run]),
);

/**
 * The rows for the table of all commands. Outside an envelope, the commands return an error that states what they
 * require.
 */
export const keys: readonly Command[] = family("server", {
  KEY: {
    arity: -2,
    flags: [],
    keys: none,
    since: "",
    complexity: "Depends on the subcommand",
    summary: "Commands that read and change the key ring, for administrators.",
    run: refuse,
  },
  ...Object.fromEntries(
    Object.entries(rows).map(([name, row]): [string, Row] => [
      name,
      { ...row, flags: ["admin", "noscript"], keys: none, since: "", run: refuse },
    ]),
  ),
});

function refuse(): Reply {
  throw custom("ERR KEY commands require signed envelopes (version 2), each in a separate unit");
}

/**
 * Throws the error of CLUSTER MEMBERS. Its text must be the same on every daemon, because the fold may also return it.
 */
function refuseList(): Reply {
  throw custom(
    "ERR CLUSTER MEMBERS is answered by daemons with --data or --peer, if it is alone in an envelope without multi",
  );
}

function add(ring: Ring, argv: readonly ByteString[], unit: KeyUnit): Reply {
  const options = new Map<string, ByteString>();
  let rules: readonly ByteString[] | null = null;
  for (let i = 3; i < argv.length; i += 2) {
    const name = argv[i]!.toUpperCase();
    if (name === "RULES") {
      rules = argv.slice(i + 1);
      if (rules.length === 0) throw syntaxError();
      break;
    }
    if (!["LABEL", "FROM", "UNTIL", "RATE"].includes(name) || options.has(name)) throw syntaxError();
    options.set(name, argv[i + 1] ?? missing(name));
  }

  const label = checkedLabel(options.get("LABEL") ?? "");
  const notBefore = numberOption(options, "FROM", "milliseconds since 1970", Number.MAX_SAFE_INTEGER);
  const notAfter = numberOption(options, "UNTIL", "milliseconds since 1970", Number.MAX_SAFE_INTEGER);
  if (notBefore !== null && notAfter !== null && notAfter < notBefore)
    throw custom("ERR UNTIL is before FROM: the key would never be valid");

  const rate = numberOption(options, "RATE", "a number of envelopes a second (0: no limit)", RATE_MAX) ?? 0;
  const record = ring.add(
    { role: "application", text: argv[2]!, label, notBefore, notAfter, rate, rules },
    unit,
  );
  return bulk(hexOf(record.id));
}

function addDaemon(ring: Ring, argv: readonly ByteString[], unit: KeyUnit): Reply {
  if (argv.length !== 3 && (argv.length !== 5 || argv[3]!.toUpperCase() !== "LABEL")) throw syntaxError();
  const label = checkedLabel(argv[4] ?? "");
  const record = ring.add(
    { role: "daemon", text: argv[2]!, label, notBefore: null, notAfter: null, rate: 0, rules: null },
    unit,
  );
  return bulk(hexOf(record.id));
}

function missing(name: string): never {
  throw custom(`ERR ${name} is not followed by its value`);
}

function numberOption(
  options: ReadonlyMap<string, ByteString>,
  name: string,
  what: string,
  max: number,
): number | null {
  const text = options.get(name);
  if (text === undefined) return null;
  if (/^(0|[1-9]\d{0,15})$/.test(text) && Number(text) <= max) return Number(text);
  throw custom(`ERR ${name} is '${echoed(text)}' instead of ${what}, at most ${max}`);
}

function keyArgument(ring: Ring, text: ByteString): KeyRecord {
  const id = bytesOfHex(text, HASH_BYTES);
  if (id === undefined) {
    throw custom(`ERR '${echoed(text)}' is not a key id, which has ${2 * HASH_BYTES} hexadecimal digits`);
  }
  const record = ring.find(id);
  if (record === undefined) throw custom(`ERR there is no key ${hexOf(id)}; KEY LIST lists all keys`);
  return record;
}

function dryRun(ring: Ring, argv: readonly ByteString[], { at }: KeyUnit): Reply {
  const reason = ring.dryRun(keyArgument(ring, argv[2]!), argv.slice(3), at);
  return reason === null ? OK : bulk(reason);
}

function list(ring: Ring, _: readonly ByteString[], { at }: KeyUnit): Reply {
  return array([...ring.all()].map((record) => describe(record, at)));
}

function revoke(ring: Ring, argv: readonly ByteString[], { at }: KeyUnit): Reply {
  ring.revoke(keyArgument(ring, argv[2]!), at);
  return OK;
}

function setRules(ring: Ring, argv: readonly ByteString[]): Reply {
  ring.setRules(keyArgument(ring, argv[2]!), argv.slice(3));
  return OK;
}

function setSemantics(ring: Ring, argv: readonly ByteString[]): Reply {
  ring.setSemantics(semanticsOf(argv));
  return OK;
}

/** The maximum number of patterns: each write is compared with all of them. */
const PATTERNS_MAX = 64;
/** The maximum number of bytes of a pattern. */
const PATTERN_BYTES_MAX = 256;

/** What CLUSTER DECIDE, DECIDED and UNDECIDE name. */
export interface NamedPattern extends PatternName {
  /** Whether the word PAIR permits the pattern in a list of two. */
  readonly isForPair: boolean;
}

/**
 * Reads the pattern of CLUSTER DECIDE, DECIDED or UNDECIDE.
 * @throws CommandFailure
 */
function patternNamedBy(argv: readonly ByteString[]): NamedPattern {
  const [, , glob = "", ...options] = argv;
  if (glob === "" || glob.length > PATTERN_BYTES_MAX)
    throw custom(`ERR the pattern has ${glob.length} bytes instead of 1 to ${PATTERN_BYTES_MAX}`);

  let db: number | null = null;
  let isForPair = false;
  for (let i = 0; i < options.length; i++) {
    const word = options[i]!.toUpperCase();
    if (word === "PAIR" && !isForPair) isForPair = true;
    else if (word === "DB" && db === null && DB_NUMBER.test(options[i + 1] ?? "")) db = Number(options[++i]);
    else throw syntaxError();
  }

  return { glob, db, isForPair };
}

/** Returns what CLUSTER DECIDE, DECIDED or UNDECIDE names, or null if its arguments are not valid. */
export function namedPattern(argv: readonly ByteString[]): NamedPattern | null {
  try {
    return patternNamedBy(argv);
  } catch (failure) {
    if (failure instanceof CommandFailure) return null;
    throw failure;
  }
}

/** Matches the number of a database. */
const DB_NUMBER = /^(0|[1-9]\d{0,3})$/;

function announcePattern(ring: Ring, argv: readonly ByteString[], unit: KeyUnit): Reply {
  const { glob, db } = decidedName(argv, unit);
  if (ring.patterns.find({ glob, db }) !== undefined) return OK;
  if (ring.patterns.all.length >= PATTERNS_MAX)
    throw custom(`ERR there are ${PATTERNS_MAX} patterns already: remove one with CLUSTER UNDECIDE`);
  ring.patterns = ring.patterns.with({ glob, db, announcedAt: unit.at, isBegun: false });
  return OK;
}

function beginPattern(ring: Ring, argv: readonly ByteString[], unit: KeyUnit): Reply {
  const { glob, db } = decidedName(argv, unit);
  const known = ring.patterns.find({ glob, db });
  if (known === undefined) throw custom(`ERR '${echoed(glob)}' was not announced with CLUSTER DECIDE`);
  if (!known.isBegun) ring.patterns = ring.patterns.with({ ...known, isBegun: true });
  return OK;
}

function removePattern(ring: Ring, argv: readonly ByteString[], unit: KeyUnit): Reply {
  const { glob, db } = decidedName(argv, unit);
  if (ring.patterns.find({ glob, db }) === undefined)
    throw custom(`ERR the members do not decide on '${echoed(glob)}'`);
  ring.patterns = ring.patterns.without({ glob, db }, unit.at);
  return OK;
}

/** @throws CommandFailure  also if the members have not decided on the unit: its position could still change */
function decidedName(argv: readonly ByteString[], { isDecided = false }: KeyUnit): PatternName {
  if (!isDecided)
    throw custom("ERR the members of a list decide on CLUSTER DECIDE and UNDECIDE: request a decision");
  return patternNamedBy(argv);
}

/** Returns the version that a CLUSTER SEMANTICS would set, or null if the command is another one or is invalid. */
export function semanticsAskedBy(argv: readonly ByteString[]): number | null {
  const [name = "", subcommand = "", text = ""] = argv;
  if (argv.length !== 3 || name.toUpperCase() !== "CLUSTER" || subcommand.toUpperCase() !== "SEMANTICS")
    return null;
  return VERSION.test(text) ? Number(text) : null;
}

/** @throws CommandFailure if the argument is not a positive integer */
function semanticsOf(argv: readonly ByteString[]): number {
  const text = argv[2]!;
  if (VERSION.test(text)) return Number(text);
  throw custom(`ERR '${echoed(text)}' is not a version of the semantics, which is a positive integer`);
}
