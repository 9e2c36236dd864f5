/**
 * The oracle: folds a set of envelopes in the simplest way. It sorts all entries and runs each unit in order on an
 * empty store. It is independent of daemon/timeline/, from which it imports only the type of an entry. Source:
 * docs/architecture.md "How daemons agree".
 */

import "../support/installed-families.js";
import { CommandFailure } from "../../daemon/store/arguments/command-errors.js";
import { Database } from "../../daemon/store/database.js";
import { isKeyCommand, type KeyRing } from "../../daemon/store/key-ring.js";
import type { SeveralCommands } from "../../daemon/store/keyspace/unit.js";
import { touchesOf } from "../../daemon/store/rows/key-spec.js";
import { connectionMistake } from "../../daemon/store/unit-permission.js";
import type { Entry } from "../../daemon/timeline/entries/entry.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { implicitCondition } from "../../protocol/implicit-condition.js";
import type { Reply } from "../../protocol/reply.js";
import type { Envelope } from "../../protocol/version-2/envelope.js";
import { unitId } from "../../protocol/version-2/unit-names.js";

export interface NaiveUnit {
  readonly id: ByteString;
  readonly reply: Reply;
  /** Whether the unit must have changed nothing, because it was not permitted or a condition did not hold. */
  readonly isVoid: boolean;
  /** Whether it writes decided keys, but the members have not decided on it. */
  readonly isUndecided: boolean;
  /** Whether it has only keys on all of whose writes the members decide at its position. */
  readonly isOnDecidedKeys: boolean;
}

export interface NaiveState {
  readonly database: Database;
  readonly ring: KeyRing;
  /** Units by unit id: envelope id and index, 36 bytes. */
  readonly units: ReadonlyMap<ByteString, NaiveUnit>;
}

type Argv = readonly ByteString[];

/** Returns what is recorded for a unit's commands, by their indexes in the unit. @param first  its first command */
const ofUnit = <Value>(recorded: ReadonlyMap<number, Value> | null, first: number): Map<number, Value> =>
  new Map([...(recorded ?? [])].map(([at, value]) => [at - first, value]));

/** Folds entries. @param ring  a new key ring with the keys that the daemons start with, which the function changes */
export function naiveFold(entries: Iterable<Entry>, ring: KeyRing, databases: number): NaiveState {
  const database = new Database({ databases });
  const units = new Map<ByteString, NaiveUnit>();
  for (const { id, envelope } of [...entries].sort(inOrder)) {
    const { multi, units: lengths, if: conditions, commands, decided } = envelope;
    // A decision that only closes earlier member lists has no unit.
    if (decided?.signed === null) continue;
    const isOne = multi || conditions !== null;
    let index = 0;
    for (const length of isOne ? [commands.length] : (lengths ?? commands.map(() => 1))) {
      const { at, seq, db } = envelope;
      const group = commands.slice(index, index + length);
      const [choices, expiries] = [ofUnit(envelope.choices, index), ofUnit(envelope.expiries, index)];
      const [choice, expiry] = [choices.get(0), expiries.get(0)];
      const unit = { id: unitId(id, index), at, seq, db, choices, expiries, choice, expiry };
      units.set(unit.id, runUnit({ database, ring, envelope, index, unit, group }));
      index += length;
    }
  }
  return { database, ring, units };
}

/** Compares two entries by date, then `seq`, then the bytes of the id. */
function inOrder(a: Entry, b: Entry): number {
  if (a.envelope.at !== b.envelope.at) return a.envelope.at - b.envelope.at;
  if (a.envelope.seq !== b.envelope.seq) return a.envelope.seq - b.envelope.seq;
  return Buffer.compare(Buffer.from(a.id, "latin1"), Buffer.from(b.id, "latin1"));
}

interface Running {
  readonly database: Database;
  readonly ring: KeyRing;
  readonly envelope: Envelope;
  /** The index of the unit's first command. */
  readonly index: number;
  readonly unit: SeveralCommands;
  readonly group: readonly Argv[];
}

/** Whether each key of a unit's commands matches a pattern that has begun and ends with a star. */
function areDecided(group: readonly Argv[], db: number, { patterns, table }: KeyRing): boolean {
  if (patterns.begun.isEmpty || table === null) return false;
  const touches = group.flatMap((argv) => {
    const command = table.resolve(argv);
    return command instanceof CommandFailure ? [] : touchesOf(command.keys, argv);
  });
  const isDecided = (key: ByteString) =>
    patterns.begun.all.some(({ glob, ...one }) => one.db === null && key.startsWith(glob.slice(0, -1)));
  return (
    touches.length > 0 &&
    touches.every(({ key, ...touch }) => key !== null && (touch.db ?? db) === db && isDecided(key))
  );
}

const NOPERM: Reply = { kind: "error", text: "NOPERM" };
/** The answer of a unit that is permitted, but writes decided keys, and the members have not decided on it. */
export const UNDECIDED: Reply = { kind: "error", text: "NOPERM this write is void" };
const UNMET: Reply = { kind: "nil-array" };

function runUnit({ database, ring, envelope, index, unit, group }: Running): NaiveUnit {
  const { key, multi, decided } = envelope;
  const conditions = envelope.if ?? envelope.ifs?.get(index) ?? null;
  // A decided envelope has either one unit, or units of one command each. One without `decide` is only placed.
  const outcome = envelope.decide ? (decided?.outcomes[index] ?? null) : null;
  database.table = ring.table ?? database.table;

  const { begun } = ring.patterns;
  const isUndecided = decided === null && begun.findIn({ commands: group, db: unit.db }, ring) !== null;
  const about = { isUndecided, isOnDecidedKeys: areDecided(group, unit.db, ring) };
  const refused = (reply: Reply): NaiveUnit => ({ id: unit.id, reply, isVoid: true, ...about });

  // A daemon may add its own key only if no other key could add it.
  const newcomer = ring.introduction(group, key, unit.at);
  const signer = ring.find(key) ?? newcomer;
  if (signer === null || ring.validity(signer, unit.at) !== "valid") return refused(NOPERM);
  if (group.some((argv) => connectionMistake(argv) !== null)) return refused(NOPERM);
  const denial = ring.judge(signer, group, { conditions });
  if (denial !== null && (newcomer === null || !denial.text.startsWith("NOPERM"))) return refused(denial);

  if (isUndecided) return refused(UNDECIDED);

  const done = (reply: Reply): NaiveUnit => ({ id: unit.id, reply, isVoid: false, ...about });
  if (isKeyCommand(group[0] as Argv)) {
    const replies = group.map((argv) => ring.execute(argv, { ...unit, isDecided: decided !== null }, signer));
    return done(multi || group.length > 1 ? { kind: "array", items: replies } : (replies[0] as Reply));
  }

  const implicit = outcome === null || multi ? null : implicitCondition(group[0] as Argv);
  if (implicit !== null && outcome === "applied") {
    const reply = database.execute(implicit.unconditional, unit);
    return done(reply.kind === "error" ? reply : (implicit.applied ?? reply));
  }
  if (implicit !== null && conditions === null) return done(implicit.unmet);
  if (outcome === null ? conditions !== null && !database.holds(conditions, unit.at) : outcome === "unmet")
    return refused(UNMET);

  return done(
    multi || group.length > 1 ? database.executeMulti(group, unit) : database.execute(group[0] as Argv, unit),
  );
}
