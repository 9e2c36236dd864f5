/**
 * What calls of commands show about their rows. Random calls, and those of RARE_CALLS, run on random states, without a
 * look at the properties that they give evidence of. The seed is fixed, so that each run finds the same.
 */
import { CommandFailure } from "../../../daemon/store/arguments/command-errors.js";
import { commandTable } from "../../../daemon/store/command-table.js";
import { Database } from "../../../daemon/store/database.js";
import { isExpired, NO_EXPIRY } from "../../../daemon/store/keyspace/keyspace.js";
import type { UndoRecord } from "../../../daemon/store/keyspace/undo.js";
import type { Unit } from "../../../daemon/store/keyspace/unit.js";
import type { Command } from "../../../daemon/store/rows/command-row.js";
import { type Touch, touchesOf } from "../../../daemon/store/rows/key-spec.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { finishReply } from "../../../protocol/lazy-replies.js";
import type { Reply } from "../../../protocol/reply.js";
import { commandGrammars } from "../../conformance/families.js";
import { Generator } from "../../conformance/grammar.js";
import { hasCode } from "../../support/installed-families.js";
import { SeededRandom } from "../../support/seeded-random.js";
import { EPOCH, randomDatabase, randomUnit } from "./random-unit.js";

/** The names of commands of which a call has shown something. */
export interface Evidence {
  /** It named what it took. */
  readonly takes: ReadonlySet<string>;
  /** It created a key that its arguments name without an expiry, and kept the expiry of this key when it was there. */
  readonly keepsExpiry: ReadonlySet<string>;
  /** Repeated, it left its key as it was, and changed nothing. */
  readonly setsAgain: ReadonlySet<string>;
  /** It took nothing, and its effect followed from the unit's id. */
  readonly choosesId: ReadonlySet<string>;
  /** It wrote a key of another database. */
  readonly writesElsewhere: ReadonlySet<string>;
  /** Its reply has a type that RESP2 does not have. */
  readonly isTyped: ReadonlySet<string>;
}

const SEED = 1;
const STATES = 4;
const CALLS = 8;
/** Later than all expiries of the state. */
const AT = EPOCH + 1_000_000_000;
const EXPIRY = AT + 777_777;
/** Two ids of units, which no value contains by chance. */
const IDS = ["u", "q"].map((letter) => `${letter}: the id of a unit in this test`) as [
  ByteString,
  ByteString,
];
const STEPS = Number.MAX_SAFE_INTEGER;

/**
 * Calls that random ones do not suffice for, or only with some seeds: a new command changes the random calls of all
 * commands. The last command of each line runs on the state after the others.
 */
const RARE_CALLS: readonly string[] = [
  "XGROUP CREATE x g $ MKSTREAM",
  "XADD x 1-0 f v && XGROUP CREATE x g 0 && XREADGROUP GROUP g a STREAMS x >",
  ...["GEORADIUS", "GEORADIUS_RO"].map((read) => `GEOADD g 13 38 a && ${read} g 13 38 1 km WITHCOORD`),
  ...["GEORADIUSBYMEMBER", "GEORADIUSBYMEMBER_RO"].map(
    (read) => `GEOADD g 13 38 a && ${read} g a 1 km WITHCOORD`,
  ),
  "GEOADD g 13 38 a && GEOPOS g a",
  'DOC.CREATE d && DOC.COUNT d WHERE {"n":1} EXPLAIN',
  'DOC.CREATE d && DOC.INSERT d {"n":1} && DOC.UPDATE d {"n":2} WHERE {"n":1} LIMIT 0 1',
  'DOC.CREATE d && DOC.UPDATE d {"n":2} WHERE {"n":1} UPSERT',
  "SADD s a b && SMOVE s other a",
  `SET s v && EXPIREAT s ${Math.floor(EXPIRY / 1000)}`,
  `SET s v && PEXPIREAT s ${EXPIRY}`,
  "XADD x 1-0 f v && XGROUP CREATE x g 0 && XREADGROUP GROUP g a STREAMS x > && XCLAIM x g b 0 1-0",
  "XADD x 1-0 f v && XGROUP CREATE x g 0 && XREADGROUP GROUP g a STREAMS x > && XINFO CONSUMERS x g",
  ...[
    "ZRANGE z 0 -1",
    "ZREVRANGE z 0 -1",
    "ZRANDMEMBER z 1",
    "ZRANGEBYSCORE z 1 1",
    "ZREVRANGEBYSCORE z 1 1",
  ].map((read) => `ZADD z 1 a && ${read} WITHSCORES`),
  "ZADD z INCR 1 a",
  "ZADD z 1 a && ZSCORE z a",
  "ZADD z 1 a && ZMSCORE z a",
  "GEOADD g 13 38 a && GEOSEARCH g FROMMEMBER a BYRADIUS 1 km WITHCOORD",
  'DOC.CREATE d && DOC.INSERT d {"n":1} && DOC.DELETE d WHERE {"n":1} LIMIT 0 1',
  "SQL q ‹create database q› && SQL q ‹create table t (k number primary key)› && SQL q ‹select * from t›",
];

/** The kinds of replies that RESP2 sends as others. Texts for people are only in replies of listeners. */
const RESP3_KINDS: readonly string[] = ["double", "set", "map", "pairs", "resp3"];

/** Runs the calls, and collects what they show. */
export function collectEvidence(): Evidence {
  const evidence = {
    takes: new Set<string>(),
    keepsExpiry: new Set<string>(),
    setsAgain: new Set<string>(),
    choosesId: new Set<string>(),
    writesElsewhere: new Set<string>(),
    isTyped: new Set<string>(),
  };

  const see = (database: Database, argv: readonly ByteString[], db: number) => {
    const command = commandTable.resolve(argv);
    if (command instanceof CommandFailure) return;
    const { name, writes } = command;
    const call = new ObservedCall(database, command, argv, db);
    const note = (names: Set<string>, isShown: () => boolean) => {
      if (!names.has(name) && isShown()) names.add(name);
    };
    note(evidence.isTyped, () => call.isTyped());
    if (!writes) return;
    note(evidence.takes, () => call.takes());
    note(evidence.choosesId, () => !call.takes() && call.choosesId());
    note(evidence.writesElsewhere, () => call.writesElsewhere());
    note(evidence.keepsExpiry, () => call.keepsExpiry());
    note(evidence.setsAgain, () => call.setsAgain());
  };

  for (let number = 0; number < STATES; number++) {
    const g = new Generator({ random: new SeededRandom(SEED, number), now: EPOCH });
    const database = randomDatabase(g);
    for (const grammar of commandGrammars)
      for (let count = 0; count < CALLS; count++) {
        const { argv, db } = randomUnit(g, grammar, AT, "");
        see(database, argv, db);
      }
  }

  for (const line of RARE_CALLS) {
    const calls = line.split(" && ").map(argvOf);
    if (!calls.every(([name]) => hasCode(name as string))) continue;
    const database = new Database();
    for (const argv of calls.slice(0, -1)) database.execute(argv, { at: AT, db: 0, id: "", seq: 0 });
    see(database, calls.at(-1) as ByteString[], 0);
  }

  return evidence;
}

const argvOf = (text: string): ByteString[] =>
  [...text.matchAll(/‹([^›]*)›|\S+/g)].map(([word, quoted]) => quoted ?? word);

/** A call on a state, which each observation leaves as it is. */
class ObservedCall {
  readonly #database: Database;
  readonly #command: Command;
  readonly #argv: readonly ByteString[];
  readonly #db: number;
  /** The keys that it may write. */
  readonly #written: readonly Touch[];
  /** Those of its database that its arguments name. */
  readonly #keys: ReadonlySet<ByteString>;

  constructor(database: Database, command: Command, argv: readonly ByteString[], db: number) {
    this.#database = database;
    this.#command = command;
    this.#argv = argv;
    this.#db = db;
    this.#written = touchesOf(command.keys, argv).filter(({ access }) => access === "write");
    this.#keys = new Set(
      this.#written.flatMap(({ key, db: other }) =>
        key !== null && (other ?? db) === db && argv.includes(key, 1) ? [key] : [],
      ),
    );
  }

  isTyped(): boolean {
    return this.#tryOut((records) => hasType(this.#run(records)));
  }

  takes(): boolean {
    const taken: ByteString[] = [];
    this.#tryOut((records) => this.#run(records, { taken }));
    return taken.length > 0;
  }

  choosesId(): boolean {
    const [one, other] = IDS.map((id, seq) =>
      this.#tryOut((records) => {
        this.#run(records, { id, seq });
        return this.#stateOfKeys().replaceAll(id, "");
      }),
    );
    return one !== other;
  }

  writesElsewhere(): boolean {
    return this.#written.some(({ key, db }) => key !== null && (db ?? this.#db) !== this.#db);
  }

  keepsExpiry(): boolean {
    return [...this.#keys].some((key) => this.#creates(key) && this.#keepsExpiryOf(key));
  }

  #creates(key: ByteString): boolean {
    return this.#tryOut((records) => {
      this.#execute(["DEL", key], records);
      return this.#run(records).kind !== "error" && this.#find(key)?.expire === NO_EXPIRY;
    });
  }

  #keepsExpiryOf(key: ByteString): boolean {
    return this.#tryOut((records) => {
      if (this.#find(key) === undefined) this.#run(records);
      if (this.#find(key) === undefined) return false;
      this.#execute(["PEXPIREAT", key, String(EXPIRY)], records);
      return this.#run(records).kind !== "error" && this.#find(key)?.expire === EXPIRY;
    });
  }

  setsAgain(): boolean {
    return this.#tryOut((records) => {
      if (this.#run(records).kind === "error" || records.length === 0) return false;
      if (![...this.#keys].some((key) => this.#find(key) !== undefined)) return false;
      const before = records.length;
      return this.#run(records).kind !== "error" && records.length === before;
    });
  }

  /** Returns the contents of the keys that the call's arguments name. */
  #stateOfKeys(): string {
    const values = [...this.#keys].map((key) => this.#find(key)?.value ?? "");
    return JSON.stringify(values.map((value) => (typeof value === "string" ? value : value.canonical())));
  }

  #find(key: ByteString) {
    const entry = this.#database.keyspaces[this.#db]?.find(key);
    return entry === undefined || isExpired(entry, AT) ? undefined : entry;
  }

  #tryOut<Result>(observe: (records: UndoRecord[]) => Result): Result {
    return this.#database.tryOut(STEPS, observe);
  }

  #run(records: UndoRecord[], unit: Partial<Unit> = {}): Reply {
    const complete = { ...this.#unit, ...unit };
    return finishReply(this.#database.run(this.#command, this.#argv, complete, records));
  }

  #execute(argv: readonly ByteString[], records: UndoRecord[]): void {
    this.#database.execute(argv, this.#unit, records);
  }

  get #unit(): Unit {
    return { at: AT, seq: 0, db: this.#db, id: IDS[0] };
  }
}

/** Whether a reply or one of its items has a type that RESP2 does not have. */
function hasType(reply: Reply): boolean {
  return RESP3_KINDS.includes(reply.kind) || ("items" in reply && reply.items.some(hasType));
}
