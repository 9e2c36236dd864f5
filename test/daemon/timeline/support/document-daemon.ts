/** A daemon in a test that signs the commands of MongoDB clients, and records what they take. */
import assert from "node:assert/strict";
import { choicesOf } from "../../../../daemon/cluster/replica/recorded-choices.js";
import type { Database } from "../../../../daemon/store/database.js";
import type { Entry } from "../../../../daemon/timeline/entries/entry.js";
import { textOf } from "../../../../faces/mongo/test/store/commands/mdb-under-test.js";
import type { Choices } from "../../../../protocol/version-2/envelope.js";
import { unitId } from "../../../../protocol/version-2/unit-names.js";
import { AT, entry, idOf, key, pem, ROOT, Subject } from "./fold-subject.js";

const DAEMON = 3;
const STEPS = 10_000_000;

/** The unit id of a trial run, which the unit's own id differs from. */
export const OTHER_ID = unitId(idOf("trial"), 0);

export type Argv = readonly string[];

/** Returns a command on the collection db.c. */
export const mdb = (name: string, ...rest: Argv): Argv => [`MDB.${name}`, "db", "c", ...rest];
export const insert = (...documents: Argv): Argv => mdb("INSERT", "0", ...documents);

export function choicesAt(database: Database, commands: readonly Argv[], at: number): Choices {
  const unsigned = {
    db: 0,
    multi: false,
    conditions: null,
    commands,
  };
  return choicesOf(unsigned, { at, seq: 0 }, { database, stepsMax: STEPS, unitId: () => OTHER_ID });
}

/** A daemon, which signs what its clients send. */
export class Daemon {
  readonly subject = new Subject();

  constructor(...documents: Argv) {
    this.subject.merge(entry("daemon", 1, [["CLUSTER", "ADD", pem(DAEMON)]], { key: key(ROOT) }));
    if (documents.length > 0) this.subject.merge(entry("begun", 2, [insert(...documents)]));
  }

  get database(): Database {
    return this.subject.fold.database;
  }

  /** Signs a command and applies it. @returns the entry and the reply, as text */
  answer(name: string, at: number, argv: Argv): { readonly signed: Entry; readonly reply: string } {
    const choices = choicesAt(this.database, [argv], AT + at);
    const signed = entry(name, at, [argv], { key: key(DAEMON), ...choices });
    const [answer] = this.subject.merge(signed);
    assert.equal(answer?.outcome, "applied");
    return { signed, reply: textOf(answer.reply) };
  }

  /** Runs a command that only reads. */
  read(argv: Argv): string {
    return textOf(this.database.execute(argv, { at: AT + 1_000_000, db: 0, id: "read", takesSteps: false }));
  }

  get documents(): string {
    return this.read(mdb("FIND", '{"sort":{"_id":1}}'));
  }

  check(): void {
    assert.deepEqual(...this.subject.states);
  }
}
