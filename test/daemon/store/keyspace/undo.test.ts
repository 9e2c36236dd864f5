/**
 * Tests that undo restores the state byte for byte, for every command of the table, including new ones. DBSYNC_SEED
 * replays a run.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { canonicalState } from "../../../../daemon/store/canonical-state.js";
import { commands, findCommand } from "../../../../daemon/store/command-table.js";
import type { Database } from "../../../../daemon/store/database.js";
import { NO_EXPIRY } from "../../../../daemon/store/keyspace/keyspace.js";
import type { UndoRecord } from "../../../../daemon/store/keyspace/undo.js";
import { type CommandGrammar, commandGrammars } from "../../../conformance/families.js";
import { Generator } from "../../../conformance/grammar.js";
import { shown } from "../../../conformance/resp2-fold.js";
import { amount, isFull } from "../../../support/amount.js";
import { hasCode } from "../../../support/installed-families.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";
import {
  dependsOnInnerOrder,
  EPOCH,
  type RandomUnit,
  randomDatabase,
  randomUnit,
  SPREAD,
  shownUnit,
} from "../random-unit.js";

/** Number of random states, in each of which every command is called. */
const STATES = amount(2, 12);
const CALLS_PER_STATE = amount(1, 2);
/**
 * Maximum number of states in which the test tries a command that has not changed anything yet, and the number of calls
 * in each state. Commands of the same family run first, to create data for that command.
 */
const STATES_MAX = 1000;
const CALLS_UNTIL_CHANGED = 20;
const CALLS_OF_KIN = amount(50, 200);
/**
 * Calls of the commands that random calls rarely let change anything, after those that they need. Random calls alone
 * would need about eighty states.
 */
const PREPARED: readonly (readonly string[])[] = [
  ["SET prepared:string v EX 1000", "PERSIST prepared:string"],
  ["SET prepared:moved v", "MOVE prepared:moved 1"],
  ["SET prepared:old v", "RENAMENX prepared:old prepared:new"],
  ["XADD prepared:stream 1-1 f v", "XADD prepared:stream 1-2 f v", "XDEL prepared:stream 1-2"],
  [
    ...["XGROUP CREATE prepared:stream g 0", "XREADGROUP GROUP g one STREAMS prepared:stream >"],
    "XAUTOCLAIM prepared:stream g other 0 0",
  ],
  ["XACK prepared:stream g 1-1"],
];
const SEQUENCES = amount(1, 10);
const SEQUENCE_CALLS = 300;

const seed = seedOfRun();

test(`undo of every command restores the state (seed ${seed})`, () => {
  const writing = commands.filter(({ name, flags }) => flags.includes("write") && hasCode(name));
  const idle = new Set(writing.map(({ name }) => name));

  for (let number = 0; number < STATES || (idle.size > 0 && number < STATES_MAX); number++) {
    const g = new Generator({ random: new SeededRandom(seed, number), now: EPOCH });
    const database = randomDatabase(g);
    if (number === 0 && !isFull) for (const name of changedByPrepared(database)) idle.delete(name);

    const calls = number < STATES ? CALLS_PER_STATE : CALLS_UNTIL_CHANGED;
    /** The state, if no call may have changed it since. */
    let known: readonly string[] | null = null;
    for (const grammar of commandGrammars.filter(({ name }) => number < STATES || idle.has(name))) {
      if (number >= STATES) {
        callKin(g, database, grammar);
        known = null;
      }
      for (let call = 0; call < calls; call++) {
        const unit = randomUnit(g, grammar, EPOCH + g.random.below(2 * SPREAD), `${number}.${call}`);
        const before: readonly string[] = known ?? canonicalState(database);
        const { changes, isRecorded } = checkUndo(database, unit, before);
        if (changes) idle.delete(grammar.name);
        known = isRecorded ? null : before;
      }
    }
    assertCounts(database);
  }

  assert.deepEqual([...idle], [], "writing commands that never changed anything");
});

test(`undo of many commands together restores the state (seed ${seed})`, () => {
  for (let number = 0; number < SEQUENCES; number++) {
    const g = new Generator({ random: new SeededRandom(seed, STATES + number), now: EPOCH });
    const database = randomDatabase(g);
    const before: { state: readonly string[]; records: UndoRecord[] }[] = [];
    for (let call = 0; call < SEQUENCE_CALLS; call++) {
      if (call % 50 === 0) before.push({ state: canonicalState(database), records: [] });
      const unit = randomUnit(g, g.oneOf(...commandGrammars), EPOCH + g.random.below(SPREAD), `s${call}`);
      database.execute(unit.argv, unit, before.at(-1)!.records);
    }
    for (const { state, records } of before.reverse()) {
      database.undo(records);
      assert.deepEqual(canonicalState(database), state, `seed ${seed}, sequence ${number}`);
    }
    assertCounts(database);
  }
});

/** Checks the prepared calls. @returns the commands that have changed something */
function changedByPrepared(database: Database): readonly string[] {
  return PREPARED.map((lines, number) => {
    const units = lines.map((line, call) => {
      const argv = line.split(" ");
      return { name: argv[0] as string, argv, at: EPOCH + SPREAD, db: 0, id: `p${number}.${call}` };
    });
    const last = units.at(-1) as RandomUnit;
    for (const unit of units.slice(0, -1)) database.execute(unit.argv, unit);
    const { changes } = checkUndo(database, last, canonicalState(database));
    assert.ok(changes, `nothing has changed: ${shownUnit(last)}`);
    database.execute(last.argv, last);
    return last.name;
  });
}

/** Calls commands of the same family. */
function callKin(g: Generator, database: Database, { name }: CommandGrammar): void {
  const group = findCommand(name)?.group;
  const kin = commandGrammars.filter((one) => findCommand(one.name)?.group === group);
  for (let call = 0; call < CALLS_OF_KIN; call++) {
    const unit = randomUnit(g, g.oneOf(...kin), EPOCH + g.random.below(SPREAD), `k${call}`);
    database.execute(unit.argv, unit);
  }
}

/**
 * Runs a unit, undoes it, runs it again and undoes it again. A unit that records nothing leaves nothing to undo.
 * @returns whether it changes visible state, and whether it records anything
 */
function checkUndo(
  database: Database,
  unit: RandomUnit,
  before: readonly string[],
): { changes: boolean; isRecorded: boolean } {
  const where = `seed ${seed}, ${shownUnit(unit)}`;
  const records: UndoRecord[] = [];
  const reply = database.execute(unit.argv, unit, records);
  const after = canonicalState(database);

  const again: UndoRecord[] = [];
  const checkAgain = () => {
    const secondReply = database.execute(unit.argv, unit, again);
    if (!dependsOnInnerOrder(unit.name))
      assert.equal(shown(secondReply), shown(reply), `another reply: ${where}`);
  };

  if (records.length === 0) {
    assert.deepEqual(after, before, `the state changed without a record: ${where}`);
    checkAgain();
    assert.deepEqual(again, [], `the unit changed the state only when it ran again: ${where}`);
    return { changes: false, isRecorded: false };
  }

  const changes = !isDeepStrictEqual(visible(after, unit.at), visible(before, unit.at));
  if (reply.kind === "error") assert.ok(!changes, `an error changed the state: ${where}`);

  database.undo(records);
  assert.deepEqual(canonicalState(database), before, where);
  checkAgain();
  assert.deepEqual(canonicalState(database), after, `another state after running the unit again: ${where}`);
  database.undo(again);
  return { changes, isRecorded: true };
}

/** Returns the state without expired keys and entries, which even a command that fails may remove. */
function visible(state: readonly string[], at: number): string[] {
  return state.flatMap((line) => {
    const parsed = JSON.parse(line) as [number, string, string, number, string, unknown];
    const [, , type, expire, , contents] = parsed;
    if (expire !== NO_EXPIRY && at > expire) return [];
    if (type !== "document") return [line];
    const [born, next, entries, indexed] = contents as [
      string,
      number,
      [string, string, number?][],
      string[],
    ];
    const visibleEntries = entries.filter(([, , time]) => time === undefined || at <= time);
    return [JSON.stringify([...parsed.slice(0, 5), born, next, visibleEntries, indexed])];
  });
}

function assertCounts(database: Database): void {
  database.keyspaces.forEach((keyspace, db) => {
    const expiring = keyspace.entries.filter(({ expire }) => expire !== NO_EXPIRY).length;
    assert.equal(keyspace.expiring, expiring, `expiring keys of database ${db}, seed ${seed}`);
    for (const entry of keyspace.entries) assert.equal(keyspace.find(entry.key), entry);
  });
}
