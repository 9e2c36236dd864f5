/**
 * An entry's units as the fold processes them, and their nodes in the lists of the keys that they touch. A unit's
 * possible effects follow from its bytes alone: units that fail or are denied still touch the same keys. Source:
 * docs/architecture.md "The life of a signed write".
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import {
  commandsIn,
  conditionsOf,
  type Envelope,
  type UnitRange,
  unitsIn,
} from "../../../protocol/version-2/envelope.js";
import { unitId } from "../../../protocol/version-2/unit-names.js";
import { CommandFailure } from "../../store/arguments/command-errors.js";
import { isKeyCommand, type KeyRing } from "../../store/key-ring.js";
import type { UndoRecord } from "../../store/keyspace/undo.js";
import type { CommandIndex } from "../../store/rows/command-index.js";
import type { Command } from "../../store/rows/command-row.js";
import { type Touch, touchesOf } from "../../store/rows/key-spec.js";
import { SEMANTICS, type Semantics } from "../../store/semantics.js";
import type { Entry, OrderKey } from "../entries/entry.js";
import { mayChange } from "../entries/recorded-envelopes.js";

export interface UnitAnswer {
  readonly reply: Reply;
  readonly outcome: "applied" | "denied" | "unmet" | "malformed" | "too-much";
  /**
   * Whether a unit that follows this unit in the order was applied before it and conflicts with it. Two units conflict
   * if one of them may write a key that the other touches.
   */
  readonly late: boolean;
}

/**
 * Returns the commands of an envelope if each is an ordinary unit; otherwise null. Usually each is, and unit
 * objects are created only if an entry arrives that belongs before them.
 */
export function ordinaryCommands(
  envelope: Envelope,
  databases: number,
  { table, known, patterns }: Pick<KeyRing, "table" | "known" | "patterns">,
): Command[] | null {
  const { multi, units, if: conditions, commands, decided } = envelope;
  if (table === null || multi || units !== null || conditions !== null || decided !== null) return null;
  if (envelope.db >= databases) return null;
  const found = new Array<Command>(commands.length);
  for (let i = 0; i < commands.length; i++) {
    const argv = commands[i] as (typeof commands)[number];
    const command = table.resolve(argv);
    if (command instanceof CommandFailure || !known.ordinary.has(command)) return null;
    if (!patterns.isEmpty && patterns.begun.covers({ command, argv, db: envelope.db })) return null;
    found[i] = command;
  }
  return found;
}

/**
 * The kind of a unit, by the newest table: it is the same in each table that has the unit's commands. `data`: the unit
 * may write. `nothing`: an unknown command, a wrong number of arguments, SELECT, a mixture with KEY, or a database that
 * does not exist.
 */
export type UnitKind = "data" | "read" | "ring" | "nothing";

/**
 * A unit's node in the list of one key. If a unit of a single command names a key twice, the list contains two nodes of
 * the unit, next to each other. The commands of a longer unit share one node of each key.
 */
export class TouchNode {
  readonly unit: FoldUnit;
  db = 0;
  /** The key, or null if the node is in no list. */
  key: ByteString | null = null;
  writes = false;
  older: TouchNode | null = null;
  newer: TouchNode | null = null;
  /** The number of the last search that looked for the next writer after this reader. */
  passed = 0;

  constructor(unit: FoldUnit | null) {
    this.unit = unit ?? (this as unknown as FoldUnit);
  }
}

/** A complete database that a unit touches. */
export interface DatabaseTouch {
  readonly db: number;
  readonly writes: boolean;
}

/** A unit. The object is also the node of the unit's first key, because most units have only one key. */
export class FoldUnit extends TouchNode {
  readonly envelope: Envelope;
  /** The id of its entry. */
  readonly entryId: ByteString;
  /** The index of its first command in its entry. */
  readonly index: number;
  /** The number of its commands. */
  readonly length: number;
  readonly kind: UnitKind;
  /** The command table with which the unit was last applied. */
  table: CommandIndex;
  /**
   * The unit's command according to `table`, or null if the unit has several commands, or no command that can be run.
   */
  command: Command | null;
  /** Whether the unit can be run, according to `table`. */
  isRunnable: boolean;
  /** The nodes of its other keys. */
  more: TouchNode[] | null = null;
  databaseTouches: DatabaseTouch[] | null = null;
  /** The undo record, or several. */
  records: UndoRecord | UndoRecord[] | null = null;
  /** The approximate bytes that the unit keeps in memory. */
  bytes = 0;
  /** Whether its signer was not permitted to run the unit. */
  isDenied = false;
  /** Whether the unit is part of the state. */
  isApplied = false;
  /**
   * Whether a later unit in the order was applied before this unit and touches its keys: see `UnitAnswer.late`.
   */
  isLate = false;
  /** The commands, once they were needed. */
  #commands: readonly (readonly ByteString[])[] | null = null;
  /** The number of the last search that found this unit affected. */
  found = 0;
  /** The answer, until the caller has taken it. */
  answer: UnitAnswer | null = null;

  constructor(entry: Entry, { index, length }: UnitRange, databases: number, known: Semantics) {
    super(null);
    this.envelope = entry.envelope;
    this.entryId = entry.id;
    this.index = index;
    this.length = length;

    const { envelope } = entry;
    const single = length > 1 ? null : this.argv;
    const table = known.newest;
    const command = single === null ? null : table.resolve(single);

    this.table = table;
    this.command = command instanceof CommandFailure || envelope.multi ? null : command;
    this.kind =
      single === null
        ? kindOfSeveral(this.commands, envelope, databases, known)
        : kindOf(command, single, envelope, databases, known);
    this.isRunnable = this.kind !== "nothing";
  }

  /** Sets the command table that is valid at the unit's position, and looks up the unit's commands in that table. */
  setTable(table: CommandIndex): void {
    if (this.table === table) return;
    this.table = table;
    // Most commands have the same row in both tables.
    if (this.command !== null && table.has(this.command)) return;
    const rows = this.commands.map((argv) => table.resolve(argv));
    const [first] = rows;
    const isSingle = !this.envelope.multi && rows.length === 1;
    this.command = isSingle && !(first instanceof CommandFailure) ? (first ?? null) : null;
    this.isRunnable = this.kind !== "nothing" && !rows.some((row) => row instanceof CommandFailure);
  }

  /**
   * Whether the unit has the same effect with both tables. Null means an unknown table, with which it has no effect.
   */
  hasSameMeaning(one: CommandIndex | null, other: CommandIndex | null): boolean {
    if (one === other) return true;
    if (one === null || other === null) return false;
    return this.commands.every((argv) => {
      const [row, otherRow] = [one.resolve(argv), other.resolve(argv)];
      if (row instanceof CommandFailure || otherRow instanceof CommandFailure)
        return row instanceof CommandFailure && otherRow instanceof CommandFailure;
      return row === otherRow;
    });
  }

  /** The name and arguments of a unit of one command. */
  get argv(): readonly ByteString[] {
    return this.envelope.commands[this.index] as readonly ByteString[];
  }

  /** The unit's commands. */
  get commands(): readonly (readonly ByteString[])[] {
    this.#commands ??= commandsIn(this.envelope, this);
    return this.#commands;
  }

  get at(): number {
    return this.envelope.at;
  }

  /** The order key of its entry. */
  get orderKey(): OrderKey {
    const { at, seq } = this.envelope;
    return { at, seq, id: this.entryId };
  }

  get id(): ByteString {
    return unitId(this.entryId, this.index);
  }

  /** Whether the unit may change the ring. */
  get changesRing(): boolean {
    return this.kind === "ring" && mayChange(this);
  }
}

function kindOf(
  command: Command | CommandFailure | null,
  argv: readonly ByteString[],
  { db, if: conditions }: Envelope,
  databases: number,
  { ordinary }: Semantics,
): UnitKind {
  if (command === null || command instanceof CommandFailure) return "nothing";
  if (!ordinary.has(command)) {
    if (command.inEnvelope !== undefined) return "nothing";
    if (isKeyCommand(argv)) return conditions === null ? "ring" : "nothing";
  }
  if (db >= databases) return "nothing";
  return command.writes ? "data" : "read";
}

function kindOfSeveral(
  commands: Envelope["commands"],
  envelope: Envelope,
  databases: number,
  known: Semantics,
): UnitKind {
  let all: UnitKind | null = null;
  for (const argv of commands) {
    const kind = kindOf(known.newest.resolve(argv), argv, envelope, databases, known);
    if (kind === "nothing") return kind;
    if (all !== null && (all === "ring") !== (kind === "ring")) return "nothing";
    if (all === null || kind === "data") all = kind;
  }
  return all ?? "nothing";
}

/** Returns an entry's units in order. */
export function unitsOf(entry: Entry, databases: number, known: Semantics = SEMANTICS): FoldUnit[] {
  return unitsIn(entry.envelope).map((range) => new FoldUnit(entry, range, databases, known));
}

/** Compares two units: negative if `a` comes first, 0 if both are the same unit. */
export function compareUnits(a: FoldUnit, b: FoldUnit): number {
  if (a.envelope === b.envelope) return a.index - b.index;
  return (
    a.envelope.at - b.envelope.at ||
    a.envelope.seq - b.envelope.seq ||
    (a.entryId < b.entryId ? -1 : a.entryId > b.entryId ? 1 : a.index - b.index)
  );
}

/**
 * Sets the keys that a unit may touch, by the newest table: creates its nodes, which are in no list yet, and
 * records the complete databases that it touches. Databases that do not exist are ignored.
 */
export function findTouches(unit: FoldUnit, databases: number, known: Semantics): void {
  const { envelope, command } = unit;
  const nodes: NodesByKey | null = command === null ? [] : null;
  if (command !== null) findOf(unit, command.keys, unit.argv, databases, nodes);
  else
    for (const argv of unit.commands)
      findOf(unit, (known.newest.resolve(argv) as Command).keys, argv, databases, nodes);
  for (const { db, key } of conditionsOf(envelope, unit.index) ?? [])
    if (db < databases) addNode(unit, db, key, false, nodes);
}

/** The nodes of a unit of several commands, by database and key. */
type NodesByKey = (Map<ByteString, TouchNode> | undefined)[];

function findOf(
  unit: FoldUnit,
  keys: Command["keys"],
  argv: readonly ByteString[],
  databases: number,
  nodes: NodesByKey | null,
): void {
  const { db } = unit.envelope;
  if (typeof keys === "function") {
    for (const touch of touchesOf(keys, argv)) addTouch(unit, touch, databases, nodes);
    return;
  }
  for (const { access, first, last, step } of keys) {
    const end = last < 0 ? argv.length + last : Math.min(last, argv.length - 1);
    for (let i = first; i <= end; i += step)
      addNode(unit, db, argv[i] as ByteString, access === "write", nodes);
  }
}

function addTouch(
  unit: FoldUnit,
  { db, key, access }: Touch,
  databases: number,
  nodes: NodesByKey | null,
): void {
  const writes = access === "write";
  const number = db ?? unit.envelope.db;
  if (number >= databases) return;
  if (key !== null) {
    addNode(unit, number, key, writes, nodes);
    return;
  }
  if (number >= 0) addDatabaseTouch(unit, number, writes);
  else for (let each = 0; each < databases; each++) addDatabaseTouch(unit, each, writes);
}

/** Adds a touch, once for each database: a unit of 100,000 FLUSHALL touches 16 databases, not 1,600,000. */
function addDatabaseTouch(unit: FoldUnit, db: number, writes: boolean): void {
  unit.databaseTouches ??= [];
  const index = unit.databaseTouches.findIndex((touch) => touch.db === db);
  if (index === -1) unit.databaseTouches.push({ db, writes });
  else if (writes) unit.databaseTouches[index] = { db, writes };
}

function addNode(
  unit: FoldUnit,
  db: number,
  key: ByteString,
  writes: boolean,
  nodes: NodesByKey | null,
): void {
  const same = nodes?.[db]?.get(key);
  if (same !== undefined) {
    same.writes ||= writes;
    return;
  }

  let node: TouchNode = unit;
  if (unit.key !== null) {
    node = new TouchNode(unit);
    unit.more ??= [];
    unit.more.push(node);
  }

  node.db = db;
  node.key = key;
  node.writes = writes;
  if (nodes !== null) (nodes[db] ??= new Map()).set(key, node);
}
