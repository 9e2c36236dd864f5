/** Tries a program on a database, as the gateway does before it records the program's writes. */
import { type TriedUnit, tryUnits } from "../../daemon/cluster/replica/tried-units.js";
import { type Program, WaitingGroup } from "../../daemon/cluster/replica/waiting-group.js";
import { newLastWrite } from "../../daemon/engine/backends/command-path.js";
import type { Database } from "../../daemon/store/database.js";

const HEAD = {
  db: 0,
  as: null,
  isRing: false,
  conditions: null,
  isDecided: false,
  writesDecided: false,
  isApart: false,
};

export interface TriedProgram {
  /** The maximum number of steps; default: unlimited. */
  readonly stepsMax?: number;
  readonly at: number;
}

/** Returns the outcome; nothing is changed. */
export function tryProgram(
  database: Database,
  run: Program["run"],
  { stepsMax = Number.POSITIVE_INFINITY, at }: TriedProgram,
): TriedUnit | undefined {
  const group = new WaitingGroup(HEAD);
  const lastWrite = newLastWrite();
  const sender = { db: 0, now: at, as: null, isStable: false, readsAll: true, lastWrite };
  const answering = { isStable: false, replicated: undefined, lastWrite, answered() {} };
  group.addProgram({ ...answering, sender, run, recording() {}, hasRead() {} });
  const state = { database, stepsMax, unitId: () => "i".repeat(36) };
  return tryUnits(group, { state, date: { at, seq: 0 }, refusal: null, isOver: () => false })[0];
}
