/** A fold for a mirror, without a timeline. It applies units, undoes them, and applies them again after late ones. */
import "../../../test/support/all-families.js";
import { KeyChangeObservers } from "../../../daemon/engine/backends/key-change-observers.js";
import { realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import { parseSpecifications, type RedisSpecification } from "../../../daemon/options/database-list.js";
import { Database } from "../../../daemon/store/database.js";
import type { UndoRecord } from "../../../daemon/store/keyspace/undo.js";
import type { Unit } from "../../../daemon/store/keyspace/unit.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { stateDifferences, stateOf, stateOfRedis } from "../../../test/conformance/state.js";
import type { LogLine } from "../../../test/support/daemon-process.js";
import { keepLog } from "../../../test/support/log-lines.js";
import { RedisConnection } from "../../../test/support/redis-connection.js";
import { until } from "../../../test/support/until.js";
import { Mirror } from "../mirror.js";
import type { MirrorFigures } from "../mirror-figures.js";
import type { MirrorOptions } from "../mirror-options.js";

/** The numbers of all databases of the fold. */
const DBS = [...Array(16).keys()];

export const OWN = "a".repeat(64);
export const OTHER = "b".repeat(64);

interface Applied {
  readonly argv: readonly ByteString[];
  readonly unit: Unit;
  readonly records: UndoRecord[];
}

export class MirroredFold {
  readonly database = new Database();
  readonly changes = new KeyChangeObservers(this);
  readonly newest = { at: 0, seq: 0 };
  #units = 0;
  #tail: Applied[] = [];

  /** The number of applied units, which identifies the state here. */
  get folded(): string {
    return String(this.#units);
  }

  apply(argv: readonly ByteString[], db = 0): void {
    this.newest.at = Date.now();
    this.#tail.push(this.#run(argv, this.#unit(db)));
  }

  /** Undoes the last `back` units, applies a late unit, and applies the undone units again. */
  applyLate(argv: readonly ByteString[], back: number, db = 0): void {
    const redone = this.#tail.splice(Math.max(0, this.#tail.length - back));
    for (const { records } of redone.toReversed()) this.database.undo(records);
    this.#tail.push(this.#run(argv, { ...this.#unit(db), at: redone[0]?.unit.at ?? Date.now() }));
    this.database.isRedoing = true;
    for (const { argv: again, unit } of redone) this.#tail.push(this.#run(again, unit));
    this.database.isRedoing = false;
  }

  #unit(db: number): Unit {
    return { at: Date.now(), db, id: String(++this.#units).padStart(32, "u") };
  }

  #run(argv: readonly ByteString[], unit: Unit): Applied {
    const records: UndoRecord[] = [];
    this.database.execute(argv, unit, records);
    return { argv, unit, records };
  }
}

export interface RunningMirror extends AsyncDisposable {
  readonly mirror: Mirror;
  readonly figures: MirrorFigures;
  readonly log: readonly LogLine[];
}

/** Starts a mirror. @param overrides  options that differ from the defaults */
export async function startMirror(
  fold: MirroredFold,
  port: number,
  overrides: Partial<MirrorOptions> = {},
): Promise<RunningMirror> {
  const { log, lines } = keepLog("info");
  const mirror = new Mirror({
    specification: parseSpecifications(`redis:127.0.0.1:${port}`)[0] as RedisSpecification,
    fold,
    daemon: OWN,
    cluster: "c".repeat(64),
    log,
    environment: realEnvironment,
    timeout: () => 5000,
    keys: 100_000,
    compareEvery: 0,
    compareRate: 1_000_000,
    ...overrides,
  });
  await mirror.start();
  return {
    mirror,
    log: lines,
    get figures() {
      return mirror.figures;
    },
    [Symbol.asyncDispose]: () => mirror.stop(),
  };
}

/** Returns the differences between Redis and the fold. */
export async function differences({ database }: MirroredFold, port: number): Promise<readonly string[]> {
  using redis = await RedisConnection.open(port);
  const theirs = new Map(await stateOfRedis(redis, DBS));
  theirs.delete(JSON.stringify([0, "dbsync:mirror:mark"]));
  return stateDifferences(stateOf(database, Date.now()), theirs, 0);
}

export async function untilLevel({ mirror }: RunningMirror): Promise<void> {
  await until("the mirror is level", () => mirror.figures.state === "level");
}
