/** Tries a program on a database, as the gateway does before it records the program's writes. */
import { type TriedUnit, tryUnits } from "../../daemon/cluster/replica/tried-units.js";
import { type GatewayProgram, WaitingGroup } from "../../daemon/cluster/replica/waiting-group.js";
import type { Database } from "../../daemon/store/database.js";

const HEAD = {
  db: 0,
  as: null,
  isRing: false,
  conditions: null,
  needsDecision: false,
  writesDecidedKeys: false,
  isSplit: false,
};

export interface TriedProgram {
  /** The maximum number of steps; default: unlimited. */
  readonly stepsMax?: number;
  readonly at: number;
}

/** Returns the outcome; nothing is changed. */
export function tryProgram(
  database: Database,
  run: GatewayProgram["run"],
  { stepsMax = Number.POSITIVE_INFINITY, at }: TriedProgram,
): TriedUnit | undefined {
  const group = new WaitingGroup(HEAD);
  const sender = { db: 0, now: at, as: null, isStable: false, readsAll: true };
  const answering = { isStable: false, replicated: undefined, lastWrite: undefined, answered() {} };

  group.addProgram({
    ...answering,
    sender,
    conditions: [],
    readsOnly: false,
    run,
    recording() {},
    answerRead() {},
  });

  const state = { database, stepsMax, unitId: () => "i".repeat(36) };
  return tryUnits(group.units(), {
    state,
    db: 0,
    date: { at, seq: 0 },
    refusal: null,
    isOver: () => false,
    watcher: null,
  })[0];
}
