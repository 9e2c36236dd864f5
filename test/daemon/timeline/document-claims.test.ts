/**
 * Tests claims of documents: commands that change or remove one document of a collection that they choose. At another
 * position than where a daemon answered them, they take the same document or none.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalState } from "../../../daemon/store/canonical-state.js";
import { BudgetExceeded } from "../../../daemon/store/keyspace/effort-budget.js";
import type { UndoRecord } from "../../../daemon/store/keyspace/undo.js";
import type { Entry } from "../../../daemon/timeline/entries/entry.js";
import { Int32 } from "../../../faces/mongo/store/values/bson.js";
import { writeBson } from "../../../faces/mongo/store/values/bson-writer.js";
import { textOf } from "../../../faces/mongo/test/store/commands/mdb-under-test.js";
import {
  type Operation,
  RandomOperations,
} from "../../../faces/mongo/test/store/commands/random-operation.js";
import { bytesOfText } from "../../../protocol/byte-string.js";
import { unitId } from "../../../protocol/version-2/unit-names.js";
import { amount } from "../../support/amount.js";
import { SeededRandom, seedOfRun } from "../../support/seeded-random.js";
import { type Argv, choicesAt, Daemon, insert, mdb, OTHER_ID } from "./support/document-daemon.js";
import { AT, entry, idOf } from "./support/fold-subject.js";

const seed = seedOfRun();

const update = (...statements: Argv) => mdb("UPDATE", "1", ...statements);
const remove = (...statements: Argv) => mdb("DELETE", "1", ...statements);
const modify = (spec: string) => mdb("FINDANDMODIFY", spec);

const shownChoice = (bytes: string) => (bytes === "" ? "" : textOf({ kind: "bulk", bytes }));

const LATER = 100;

interface Case {
  readonly name: string;
  readonly has: Argv;
  readonly claim: Argv;
  /** The command with an earlier date that arrives later. */
  readonly late: Argv;
  readonly end: string;
}

const BY_ME = '{"$set":{"by":"me"}}';
const FIRST_FREE = `{"query":{"by":null},"update":${BY_ME},"sort":{"_id":1}}`;
const TAKEN_BY_OTHER = update('{"q":{"_id":1},"u":{"$set":{"by":"other"}}}');

const CASES: readonly Case[] = [
  {
    name: "findAndModify changes no other document if its own no longer matches",
    has: ['{"_id":1}', '{"_id":2}'],
    claim: modify(FIRST_FREE),
    late: TAKEN_BY_OTHER,
    end: '{_id:1,by:"other"} {_id:2}',
  },
  {
    name: "findAndModify changes its document although another one would come first",
    has: ['{"_id":1}', '{"_id":2}'],
    claim: modify(FIRST_FREE),
    late: insert('{"_id":0}'),
    end: '{_id:0} {_id:1,by:"me"} {_id:2}',
  },
  {
    name: "findAndModify changes nothing if its document is gone",
    has: ['{"_id":1}', '{"_id":2}'],
    claim: modify(FIRST_FREE),
    late: remove('{"q":{"_id":1},"limit":1}'),
    end: "{_id:2}",
  },
  {
    name: "findAndModify that replaces takes the same document",
    has: ['{"_id":2,"a":1}'],
    claim: modify('{"query":{"a":1},"update":{"a":2},"sort":{"_id":1}}'),
    late: insert('{"_id":1,"a":1}'),
    end: "{_id:1,a:1} {_id:2,a:2}",
  },
  {
    name: "findAndModify that removes takes the same document",
    has: ['{"_id":2}', '{"_id":3}'],
    claim: modify('{"query":{},"remove":true,"sort":{"_id":1}}'),
    late: insert('{"_id":1}'),
    end: "{_id:1} {_id:3}",
  },
  {
    name: "findAndModify that found nothing takes nothing later",
    has: ['{"_id":1,"by":"other"}'],
    claim: modify(FIRST_FREE),
    late: insert('{"_id":2}'),
    end: '{_id:1,by:"other"} {_id:2}',
  },
  {
    name: "updateOne changes no other document if its own no longer matches",
    has: ['{"_id":1}', '{"_id":2}'],
    claim: update(`{"q":{"by":null},"u":${BY_ME}}`),
    late: TAKEN_BY_OTHER,
    end: '{_id:1,by:"other"} {_id:2}',
  },
  {
    name: "each statement of an update has its own choice, and a statement for all takes all",
    has: ['{"_id":1}', '{"_id":2}', '{"_id":3}'],
    claim: update(
      `{"q":{"by":null},"u":${BY_ME}}`,
      '{"q":{},"u":{"$set":{"seen":1}},"multi":true}',
      `{"q":{"by":null},"u":${BY_ME}}`,
    ),
    late: TAKEN_BY_OTHER,
    end: '{_id:1,by:"other",seen:1} {_id:2,seen:1,by:"me"} {_id:3,seen:1}',
  },
  {
    name: "deleteOne removes the same document, and deleteMany all",
    has: ['{"_id":1,"a":1}', '{"_id":2,"a":1}', '{"_id":3,"a":2}'],
    claim: remove('{"q":{"a":1},"limit":1}', '{"q":{"a":2},"limit":0}'),
    late: update('{"q":{"_id":1},"u":{"$set":{"a":2}}}'),
    end: "{_id:2,a:1}",
  },
  {
    name: "an upsert that inserted changes the document that came before it instead",
    has: [],
    claim: modify('{"query":{"k":1},"update":{"$inc":{"n":1}},"upsert":true,"upsertId":9}'),
    late: insert('{"_id":1,"k":1}'),
    end: "{_id:1,k:1,n:1}",
  },
  {
    name: "an upsert that inserted prefers the document with its own id to the first match",
    has: [],
    claim: update('{"q":{"k":1},"u":{"$inc":{"n":1}},"upsert":true,"upsertId":9}'),
    late: insert('{"_id":1,"k":1}', '{"_id":9,"k":1}'),
    end: "{_id:1,k:1} {_id:9,k:1,n:1}",
  },
  {
    name: "an upsert that inserted inserts with the same id",
    has: [],
    claim: update('{"q":{"k":1},"u":{"$inc":{"n":1}},"upsert":true,"upsertId":9}'),
    late: insert('{"_id":1,"k":2}'),
    end: "{_id:1,k:2} {_id:9,k:1,n:1}",
  },
  {
    name: "an upsert that changed a document inserts it if it is gone",
    has: ['{"_id":1,"n":1}'],
    claim: update('{"q":{"_id":1},"u":{"_id":1,"n":2},"upsert":true}'),
    late: remove('{"q":{},"limit":0}'),
    end: "{_id:1,n:2}",
  },
  {
    name: "a claim that failed changes nothing, although it would succeed",
    has: ['{"_id":1,"n":"text"}'],
    claim: update('{"q":{"_id":1},"u":{"$inc":{"n":1}}}'),
    late: update('{"q":{"_id":1},"u":{"$set":{"n":1}}}'),
    end: "{_id:1,n:1}",
  },
  {
    name: "a claim with a random filter takes the same document",
    has: ['{"_id":1}', '{"_id":3}'],
    claim: modify('{"query":{"$expr":{"$lt":[{"$rand":{}},0.5]}},"remove":true,"sort":{"_id":1}}'),
    late: insert('{"_id":0}', '{"_id":2}'),
    end: "{_id:0} {_id:2} {_id:3}",
  },
];

for (const { name, has, claim, late, end } of CASES)
  test(name, () => {
    const daemon = new Daemon(...has);
    const { reply } = daemon.answer("claim", LATER + 2, claim);
    daemon.check();
    const { subject } = daemon;
    subject.merge(entry("late", LATER + 1, [late]));
    assert.equal(daemon.documents, end, `the daemon answered ${reply}`);
    daemon.check();
  });

const RUNS = amount(3, 20);
const OPERATIONS = 100;

/** Returns the command of a random change, or null if the operation is no claim. */
function claimOf(operation: Operation, random: SeededRandom): Argv | null {
  if (operation.kind === "delete")
    return random.chance(0.5)
      ? remove(JSON.stringify({ q: operation.q, limit: operation.limit }))
      : modify(JSON.stringify({ query: operation.q, remove: true, sort: { a: 1 } }));
  if (operation.kind !== "update") return null;

  const { q, u, multi, arrayFilters } = operation;
  const upsertion = random.chance(0.3) ? { upsert: true, upsertId: 1000 + random.below(50) } : {};
  const filters = arrayFilters.length === 0 ? {} : { arrayFilters };
  const isModification = random.chance(0.5);
  if (isModification)
    return modify(
      JSON.stringify({
        query: q,
        update: u,
        new: random.chance(0.5),
        sort: { n: -1 },
        ...upsertion,
        ...filters,
      }),
    );

  const one = JSON.stringify({ q, u, ...upsertion, ...filters });
  return update(one, JSON.stringify({ q, u, multi, ...filters }), one);
}

test(`at its first position a claim with its choice is what it is without (seed ${seed})`, () => {
  const counts = { taken: 0, nothing: 0, failed: 0 };
  for (let run = 0; run < RUNS; run++) {
    const random = new SeededRandom(seed, run);
    const operations = new RandomOperations(random);
    const { database } = new Daemon();
    for (let i = 0; i < OPERATIONS; i++) {
      const operation = operations.next();
      const where = `seed ${seed}, run ${run}, operation ${i}: ${JSON.stringify(operation)}`;
      const unit = { at: AT + i, db: 0, id: unitId(idOf(`${run}.${i}`), 0) };
      if (operation.kind === "insert") {
        database.execute(
          insert(...operation.documents.map((one) => JSON.stringify(one))).map(bytesOfText),
          unit,
        );
        continue;
      }
      const claim = claimOf(operation, random)?.map(bytesOfText);
      if (claim === undefined) continue;
      const { choices } = choicesAt(database, [claim], unit.at);
      const records: UndoRecord[] = [];
      const expected = database.execute(claim, unit, records);
      const after = canonicalState(database);
      database.undo(records);
      assert.deepEqual(database.execute(claim, { ...unit, choice: choices?.get(0) }), expected, where);
      assert.deepEqual(canonicalState(database), after, where);
      const [outcome = ""] = choices?.get(0) ?? [];
      counts[outcome.includes("_id") ? "taken" : outcome.includes("errmsg") ? "failed" : "nothing"]++;
    }
  }
  assert.ok(Math.min(...Object.values(counts)) > 0, JSON.stringify(counts));
});

const JOBS = 20;
const MOMENTS = 40;

test(`daemons that receive claims late agree, and lose none (seed ${seed})`, () => {
  for (let run = 0; run < RUNS; run++) {
    const random = new SeededRandom(seed, run);
    const jobs = Array.from({ length: JOBS }, (_, i) => `{"_id":${i},"rank":${random.below(10)}}`);
    const daemons = [new Daemon(...jobs), new Daemon(...jobs), new Daemon(...jobs)];
    const sent: Entry[][] = [[], [], []];
    const clients = new Map<number, Set<string>>();
    for (let moment = 0; moment < MOMENTS; moment++) {
      const at = random.below(daemons.length);
      const by = `${run}.${moment}`;
      const spec = {
        query: { by: null },
        update: { $set: { by } },
        sort: random.chance(0.5) ? { rank: 1 } : {},
      };
      const { signed, reply } = (daemons[at] as Daemon).answer(
        by,
        LATER + moment,
        modify(JSON.stringify(spec)),
      );
      const [, id] = /value:\{_id:(\d+)/.exec(reply) ?? [];
      if (id !== undefined) clients.set(Number(id), (clients.get(Number(id)) ?? new Set<string>()).add(by));
      for (const [other, entries] of sent.entries()) if (other !== at) entries.push(signed);
      const receiver = random.below(daemons.length);
      // They arrive in any order.
      if (random.chance(0.3))
        (daemons[receiver] as Daemon).subject.merge(
          ...random.shuffled((sent[receiver] as Entry[]).splice(0)),
        );
    }
    for (const [i, entries] of sent.entries())
      (daemons[i] as Daemon).subject.merge(...random.shuffled(entries));
    const where = `seed ${seed}, run ${run}`;
    const [first, second, third] = daemons.map(({ documents }) => documents);
    assert.deepEqual([second, third], [first, first], where);
    for (const [, id, , by] of (first ?? "").matchAll(/\{_id:(\d+),rank:(\d+)(?:,by:"([^"]*)")?\}/g)) {
      const received = clients.get(Number(id));
      if (by === undefined) assert.equal(received, undefined, `job ${id} was given to a client: ${where}`);
      else assert.ok(received?.has(by), `job ${id} was taken for ${by}, which did not receive it: ${where}`);
    }
    daemons[0]?.check();
  }
});

test("a claim with a choice costs no more than finding one document by its id", () => {
  const { database } = new Daemon(...Array.from({ length: 5000 }, (_, i) => `{"_id":${i},"x":0}`));
  const argv = modify('{"query":{"x":0},"sort":{"y":1},"update":{"$set":{"x":1}}}').map(bytesOfText);
  const run = (choice: readonly string[] | undefined) =>
    database.tryOut(1000, (records) =>
      textOf(database.execute(argv, { at: AT + LATER, db: 0, id: OTHER_ID, choice }, records)),
    );
  assert.throws(() => run(undefined), BudgetExceeded);
  assert.match(run([writeBson(new Map([["_id", new Int32(4999)]]))]), /value:\{_id:4999,x:0\}/);
});

test("a choice that no daemon records is none", () => {
  const { database } = new Daemon('{"_id":1}');
  for (const choice of [[], ["text"], [writeBson(new Map([["errmsg", "no number"]]))], ["\x05\0\0\0\0"]])
    assert.match(
      textOf(
        database.execute(modify(FIRST_FREE).map(bytesOfText), {
          at: AT + LATER,
          db: 0,
          id: OTHER_ID,
          choice,
        }),
      ),
      /value:null/,
    );
});

test("a command that changes or removes all matching documents is no claim", () => {
  const { database } = new Daemon('{"_id":1}', '{"_id":2}');
  const many = '{"q":{},"u":{"$set":{"x":1}},"multi":true}';
  const one = '{"q":{"_id":2},"u":{"$set":{"x":1}}}';
  const chosen = (argv: Argv) =>
    choicesAt(database, [argv], AT + LATER)
      .choices?.get(0)
      ?.map(shownChoice);
  assert.equal(chosen(update(many, many)), undefined);
  assert.equal(chosen(remove('{"q":{},"limit":0}')), undefined);
  assert.deepEqual(chosen(update(many, one, many)), ["", "{_id:2}"]);
  assert.deepEqual(chosen(remove('{"q":{},"limit":0}', '{"q":{},"limit":1}')), ["", ""]);
  const free = `{"q":{"by":null},"u":${BY_ME}}`;
  assert.deepEqual(chosen(update(free, free, free)), ["{_id:1}", "{_id:2}", ""]);
  assert.deepEqual(chosen(modify(FIRST_FREE)), ["{_id:1}"]);
});
