/**
 * Runs programs that touch decided keys on this daemon's state, and undoes them, so that the members can decide on what
 * they have written. It is one unit, with a condition for each decided key that the programs have touched: it takes
 * effect only if no other unit has changed one of these keys in the meantime. Source:
 * docs/decisions/0082-programs-on-decided-keys.md.
 */
import { error, type Reply } from "../../../protocol/reply.js";
import {
  type Choice,
  type Condition,
  type Envelope,
  IF_KEYS_MAX,
  UNIT_COMMANDS_MAX,
  UNIT_ID_BYTES,
} from "../../../protocol/version-2/envelope.js";
import type { EnvelopeDate } from "../../../protocol/version-2/messages-v2.js";
import { UnitRefused } from "../../engine/answers/unit-limits.js";
import type { Database } from "../../store/database.js";
import { mapKeyOf, type NamedKey } from "../../store/keyspace/named-key.js";
import {
  type DatabaseCall,
  type DecidedPatterns,
  TAKES_ELSEWHERE,
} from "../../store/rights/decided-patterns.js";
import { isClaim } from "../../store/rows/command-row.js";
import { touchesOf } from "../../store/rows/key-spec.js";
import type { TrialState } from "./recorded-choices.js";
import { type ProgramWatcher, type TriedUnit, tryUnits, type WritingUnit } from "./tried-units.js";
import { type GatewayAnswer, type GatewayProgram, GROUP_BYTES } from "./waiting-group.js";

/** What programs have written, on which the members decide as one unit. */
export interface ProgramUnit {
  readonly db: number;
  readonly commands: Envelope["commands"];
  readonly choices: ReadonlyMap<number, Choice>;
  readonly expiries: ReadonlyMap<number, number>;
  /** The versions of the decided keys that they have touched, and of the keys that their clients watch. */
  readonly conditions: readonly Condition[];
  /** In the order in which they ran. */
  readonly programs: readonly GatewayProgram[];
  /** The replies of the programs that have written nothing. */
  readonly read: ReadonlyMap<GatewayProgram, Reply>;
  /** Tells the programs that have written that their commands are going to be recorded. */
  readonly recording: () => void;
}

export interface TriedPrograms {
  readonly units: readonly ProgramUnit[];
  readonly refused: readonly { readonly program: GatewayProgram; readonly answer: GatewayAnswer }[];
  /** The number of programs that have run; the others have to wait. */
  readonly ran: number;
}

export interface ProgramTrial {
  readonly state: TrialState;
  /** The date of the trial, later than everything in the state. */
  readonly date: EnvelopeDate;
  readonly patterns: DecidedPatterns;
  /** Whether the remaining programs have to wait for a later turn. */
  readonly isOver: () => boolean;
  /**
   * Whether programs that share no keys are separate units. One unit for all is decided faster, but has no effect as
   * soon as another daemon has changed a key of one of them.
   */
  readonly areApart: boolean;
}

/**
 * Runs the first of some programs, each on the state that the ones before it have left.
 * @param programs  at least one
 */
export function tryPrograms(programs: readonly GatewayProgram[], trial: ProgramTrial): TriedPrograms {
  const { state, date, patterns, isOver, areApart } = trial;
  const touches = new BatchTouches(state.database, date.at, patterns);
  const tried = tryUnits(programs, { state, date, db: 0, refusal: null, isOver, watcher: touches });

  const batch = new Batch();
  const refused: TriedPrograms["refused"][number][] = [];
  let ran = 0;
  for (const unit of tried) {
    const program = programs[ran] as GatewayProgram;
    if (unit.kind === "refused") refused.push({ program, answer: unit.answer });
    else if (unit.kind === "decided" || !batch.add(unit, program, touches.of(program), state.stepsMax)) break;
    ran++;
  }
  return { units: batch.units(areApart), refused, ran };
}

/** Finds the programs that touch decided keys among those that run with units without a decision. */
export const withoutDecidedKeys = (patterns: DecidedPatterns): ProgramWatcher | null => {
  if (patterns.isEmpty) return null;
  let readsOnly = false;
  let mustDecide = false;
  return {
    begins(program) {
      readsOnly = program.readsOnly;
      mustDecide = false;
    },
    runs(call) {
      mustDecide ||= !readsOnly && patterns.touchedBy(call);
    },
    get mustDecide() {
      return mustDecide;
    },
  };
};

/** The answer to a program that does not run again any more. */
export const CONTESTED = error(
  "NOTAPPLIED nothing was done in time, because other clients were changing the keys of the script: try again",
);
const MIXED = error(`ERR nothing was done, because ${TAKES_ELSEWHERE}`);
const AFTER_ALL = error(
  "ERR nothing was done, because a script or transaction cannot touch decided keys after all keys of a database: send two",
);
const TOO_MANY_KEYS = error(
  `TOOMUCH nothing was done, because a script or transaction may touch at most ${IF_KEYS_MAX} decided keys: split it`,
);

/** What a program has touched. */
interface Touched {
  /** The conditions under which it would do the same again, by the names of their keys. */
  readonly conditions: Map<string, Condition>;
  /** The names of all keys that it has named. */
  readonly names: Set<string>;
  /** Whether it has named a complete database, and whether to write it. */
  isWide: boolean;
  writesAll: boolean;
  writesDecided: boolean;
  takesElsewhere: boolean;
}

/** What the programs of a batch touch, and the versions of decided keys before the batch. */
class BatchTouches implements ProgramWatcher {
  /** The members decide on all of them anyway. */
  readonly mustDecide = false;
  readonly #database: Database;
  readonly #at: number;
  readonly #patterns: DecidedPatterns;
  readonly #before = new Map<string, Condition>();
  readonly #touched = new Map<GatewayProgram, Touched>();
  #current: Touched = nothingTouched();

  constructor(database: Database, at: number, patterns: DecidedPatterns) {
    this.#database = database;
    this.#at = at;
    this.#patterns = patterns;
  }

  of(program: GatewayProgram): Touched {
    return this.#touched.get(program) ?? nothingTouched();
  }

  begins(program: GatewayProgram): void {
    this.#current = nothingTouched();
    this.#touched.set(program, this.#current);
    for (const condition of program.conditions) this.#addKey(condition, true);
  }

  runs(call: DatabaseCall): void {
    const current = this.#current;
    const patterns = this.#patterns;
    let writesAll = false;

    for (const { key, access, db: touched } of touchesOf(call.command.keys, call.argv)) {
      const db = touched ?? call.db;
      if (key === null) {
        current.isWide = true;
        writesAll ||= access === "write";
      } else this.#addKey({ db, key }, patterns.hasKey(db, key));
    }

    current.writesDecided ||= patterns.covers(call);
    current.takesElsewhere ||= isClaim(call.command, call.argv) && patterns.takesElsewhere(call);
    if (current.writesDecided && current.takesElsewhere) throw new UnitRefused(MIXED);
    current.writesAll ||= writesAll;
  }

  #addKey({ db, key }: NamedKey, hasVersion: boolean): void {
    const name = mapKeyOf({ db, key });
    const { names, conditions } = this.#current;
    if (names.has(name)) return;
    names.add(name);
    // A database that does not exist has no keys.
    if (!hasVersion || this.#database.keyspaces[db] === undefined) return;

    let before = this.#before.get(name);
    if (before === undefined) {
      // The version would be one of this run, and the unit would never take effect.
      if (this.#current.writesAll) throw new UnitRefused(AFTER_ALL);
      before = { db, key, writer: this.#database.versionOf(db, key, this.#at) };
      this.#before.set(name, before);
    }

    conditions.set(name, before);
    if (conditions.size > IF_KEYS_MAX) throw new UnitRefused(TOO_MANY_KEYS);
  }
}

const nothingTouched = (): Touched => ({
  conditions: new Map(),
  names: new Set(),
  isWide: false,
  writesAll: false,
  writesDecided: false,
  takesElsewhere: false,
});

/** A program that has run, and what it has written or answered. */
interface Ran {
  readonly program: GatewayProgram;
  readonly touched: Touched;
  readonly unit: WritingUnit | (TriedUnit & { readonly kind: "read" });
}

/** About the bytes of a condition in an envelope, without those of its key. */
const CONDITION_BYTES = 2 * UNIT_ID_BYTES;

/** Programs whose effects fit in one unit. */
class Batch {
  readonly #ran: Ran[] = [];
  readonly #keys = new Set<string>();
  /** The only database to which they write; null: they have written nothing. */
  #db: number | null = null;
  #commands = 0;
  #bytes = 0;
  #steps = 0;
  /** Whether its last program has written all keys of a database, so that the versions before it are not known. */
  #isClosed = false;

  /** @returns whether it fits; the first one always does */
  add(unit: Ran["unit"], program: GatewayProgram, touched: Touched, stepsMax: number): boolean {
    const { db, commands, bytes, steps } = unit.kind === "writes" ? unit : NOTHING_WRITTEN;
    const isOther = db !== null && this.#db !== null && db !== this.#db;
    const added = [...touched.conditions.keys()].filter((name) => !this.#keys.has(name));
    const total = added.reduce((sum, name) => sum + name.length + CONDITION_BYTES, this.#bytes + bytes);

    const fits =
      !this.#isClosed &&
      !isOther &&
      this.#commands + commands.length <= UNIT_COMMANDS_MAX &&
      total <= GROUP_BYTES &&
      this.#steps + steps <= stepsMax &&
      this.#keys.size + added.length <= IF_KEYS_MAX;
    // The first program is alone in its batch, however large it is: there is no smaller batch for it.
    if (!fits && this.#ran.length > 0) return false;

    this.#ran.push({ program, touched, unit });
    for (const name of added) this.#keys.add(name);
    this.#isClosed = touched.writesAll;
    this.#db ??= db;
    this.#commands += commands.length;
    this.#bytes = total;
    this.#steps += steps;
    return true;
  }

  units(areApart: boolean): readonly ProgramUnit[] {
    if (this.#ran.length === 0) return [];
    const groups = areApart ? separateGroups(this.#ran) : [this.#ran];
    return groups.map((group) => unitOf(group, this.#db));
  }
}

const NOTHING_WRITTEN = { db: null, commands: [], bytes: 0, steps: 0 } as const;

/** Divides programs into groups that share no keys and no connections. */
const separateGroups = (ran: readonly Ran[]): readonly (readonly Ran[])[] =>
  ran.some(({ touched }) => touched.isWide)
    ? [ran]
    : groupsOf(ran, ({ program: { lastWrite }, touched: { names } }) =>
        lastWrite === undefined ? names : [...names, lastWrite],
      );

/**
 * Divides items into groups that share no mark, such as a key.
 * @returns the groups in the order of their first items, each in the order of the items
 */
export function groupsOf<Item>(
  items: readonly Item[],
  marksOf: (item: Item) => Iterable<unknown>,
): readonly (readonly Item[])[] {
  // Each item refers to an earlier one of its group, or, if it is the first one, to itself.
  const earlier = items.map((_, index) => index);
  const firstOf = (index: number): number => {
    let first = index;
    while (earlier[first] !== first) first = earlier[first] as number;
    return first;
  };
  const withMark = new Map<unknown, number>();
  for (const [index, item] of items.entries())
    for (const mark of marksOf(item)) {
      const one = firstOf(index);
      const other = firstOf(withMark.get(mark) ?? index);
      withMark.set(mark, index);
      earlier[Math.max(one, other)] = Math.min(one, other);
    }

  const groups = new Map<number, Item[]>();
  for (const [index, item] of items.entries()) {
    const group = groups.get(firstOf(index));
    if (group === undefined) groups.set(index, [item]);
    else group.push(item);
  }
  return [...groups.values()];
}

function unitOf(ran: readonly Ran[], writtenDb: number | null): ProgramUnit {
  const commands: Envelope["commands"][number][] = [];
  const choices = new Map<number, Choice>();
  const expiries = new Map<number, number>();
  const conditions = new Map<string, Condition>();
  const read = new Map<GatewayProgram, Reply>();

  for (const { program, touched, unit } of ran) {
    for (const [name, condition] of touched.conditions) conditions.set(name, condition);
    if (unit.kind === "read") {
      read.set(program, unit.reply);
      continue;
    }

    const first = commands.length;
    for (const argv of unit.commands) commands.push(argv);
    for (const [step, choice] of unit.chosen.choices ?? []) choices.set(first + step, choice);
    for (const [step, expiry] of unit.chosen.expiries ?? []) expiries.set(first + step, expiry);
  }

  const db = writtenDb ?? (ran[0] as Ran).program.sender.db;
  const recording = () => {
    for (const { unit } of ran)
      if (unit.kind === "writes") unit.ran?.program.recording(unit.ran.calls, unit.db, unit.ran.reply, true);
  };
  const programs = ran.map(({ program }) => program);
  return { db, commands, choices, expiries, conditions: [...conditions.values()], programs, read, recording };
}
