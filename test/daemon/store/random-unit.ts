/** Random units of the complete command table, from the conformance grammars: keys collide, and expiry times pass. */

import { findCommand } from "../../../daemon/store/command-table.js";
import { Database } from "../../../daemon/store/database.js";
import type { Unit } from "../../../daemon/store/keyspace/unit.js";
import { type Touch, touchesOf } from "../../../daemon/store/rows/key-spec.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { randomCall } from "../../conformance/call.js";
import { type CommandGrammar, commandGrammars } from "../../conformance/families.js";
import type { Generator } from "../../conformance/grammar.js";

export interface RandomUnit extends Unit {
  /** The command's name in the table. */
  readonly name: string;
  readonly argv: readonly ByteString[];
}

/** A date in 2026. These tests do not use a clock. */
export const EPOCH = 1_767_225_600_000;
/** Milliseconds over which the units' dates are spread: longer than the life of most keys. */
export const SPREAD = 100_000_000;

/** The number of databases in use. Most units use the first one. */
const DATABASES_USED = 3;
const ELSEWHERE = 0.15;
/** Number of units that build a state. */
const STATE_CALLS = 400;

export function randomUnit(g: Generator, grammar: CommandGrammar, at: number, id: ByteString): RandomUnit {
  const db = g.chance(ELSEWHERE) ? g.random.below(DATABASES_USED) : 0;
  return { name: grammar.name, argv: randomCall(g, grammar), at, db, id };
}

/**
 * Returns the keys that a unit may touch according to its command's row. Each has its database's number, or -1 for
 * all databases.
 */
export function touchesOfUnit({ name, argv, db }: RandomUnit): Touch[] {
  const command = findCommand(name);
  if (command === undefined) throw new Error(`the grammar for ${name} belongs to no command of the table`);
  return touchesOf(command.keys, argv).map((touch) => ({ ...touch, db: touch.db ?? db }));
}

/** Returns a database after some hundred random units, half of them of commands that add data. */
export function randomDatabase(g: Generator): Database {
  const database = new Database();
  const adding = commandGrammars.filter(
    // Delivered entries add data as well.
    ({ name }) => name === "XREADGROUP" || findCommand(name)?.flags.includes("denyoom"),
  );
  const wiping = ["FLUSHALL", "FLUSHDB"];
  for (let call = 0; call < STATE_CALLS; call++) {
    const grammar = g.oneOf(...(g.chance(0.5) ? adding : commandGrammars));
    if (wiping.includes(grammar.name) && g.chance(0.8)) continue;
    const unit = randomUnit(g, grammar, EPOCH + g.random.below(SPREAD), `b${call}`);
    database.execute(unit.argv, unit);
  }
  return database;
}

export function shownUnit({ at, db, argv }: RandomUnit): string {
  return `${at - EPOCH} ms, db ${db}: ${JSON.stringify(argv)}`;
}

/**
 * Whether a command's reply depends on an order that is not part of the state and that undo does not restore: the order
 * of the keys in a database, or of the members in ZSCAN.
 */
export function dependsOnInnerOrder(name: string): boolean {
  return ["KEYS", "SCAN", "RANDOMKEY", "ZSCAN"].includes(name);
}
