/**
 * Tests indexes that a daemon has acknowledged, and that writes with earlier dates, which arrive later, do not permit:
 * they stay, and are invalid.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { UndoRecord } from "../../../daemon/store/keyspace/undo.js";
import type { Entry } from "../../../daemon/timeline/entries/entry.js";
import { Collection } from "../../../faces/mongo/store/values/collection.js";
import { CollectionIndex } from "../../../faces/mongo/store/values/collection-index.js";
import { textOf } from "../../../faces/mongo/test/store/commands/mdb-under-test.js";
import { bytesOfText } from "../../../protocol/byte-string.js";
import { amount } from "../../support/amount.js";
import { SeededRandom, seedOfRun } from "../../support/seeded-random.js";
import { type Argv, choicesAt, Daemon, insert, mdb } from "./support/document-daemon.js";
import { AT, entry } from "./support/fold-subject.js";

const LATER = 100;
const UNIQUE = '{"key":{"u":1},"name":"u_1","unique":true}';
const PLAIN = '{"key":{"u":1},"name":"u_1"}';
const create = (...specs: Argv) => mdb("CREATEINDEXES", ...specs);
const dropped = (name: string) => mdb("DROPINDEXES", `{"index":"${name}"}`);
const removed = (id: number) => mdb("DELETE", "1", `{"q":{"_id":${id}},"limit":1}`);

/** Returns the reason of each index that is invalid, by its name. */
function invalidIn(daemon: Daemon): Record<string, string> {
  const listed = daemon.read(mdb("LISTINDEXES", "{}"));
  const found = listed.matchAll(/name:"([^"]+)"(?:(?!,name:| \{v:).)*?invalid:"((?:[^"\\]|\\.)*)"/g);
  return Object.fromEntries([...found].map(([, name, reason]) => [name, reason]));
}

interface Case {
  readonly name: string;
  readonly has: Argv;
  readonly created: Argv;
  /** The command with an earlier date that arrives later. */
  readonly late: Argv;
  readonly invalid: Record<string, string>;
}

const CASES: readonly Case[] = [
  {
    name: "documents with equal values make an index invalid",
    has: ['{"_id":1,"u":1}'],
    created: create(UNIQUE),
    late: insert('{"_id":2,"u":1}'),
    invalid: { u_1: "documents had equal values when it was created: { u: 1 }" },
  },
  {
    name: "only the index that documents do not permit is invalid",
    has: ['{"_id":1,"u":1,"w":1}'],
    created: create('{"key":{"w":1},"name":"w_1","unique":true}', UNIQUE),
    late: insert('{"_id":2,"u":1,"w":2}'),
    invalid: { u_1: "documents had equal values when it was created: { u: 1 }" },
  },
  {
    name: "documents with other values do not make it invalid",
    has: ['{"_id":1,"u":1}'],
    created: create(UNIQUE),
    late: insert('{"_id":2,"u":2}'),
    invalid: {},
  },
  {
    name: "a document with parallel arrays makes an index invalid",
    has: ['{"_id":1,"a":[1]}'],
    created: create('{"key":{"a":1,"b":1},"name":"ab"}'),
    late: insert('{"_id":2,"a":[1,2],"b":[1,2]}'),
    invalid: {
      ab: "a document could not be indexed when it was created: cannot index parallel arrays: index ab",
    },
  },
  {
    name: "an index with another definition is invalid",
    has: ['{"_id":1,"u":1}'],
    created: create(UNIQUE),
    late: create(PLAIN),
    invalid: { u_1: "another daemon created it unique, on u" },
  },
  {
    name: "an index with the same definition and another name is valid",
    has: ['{"_id":1,"u":1}'],
    created: create(UNIQUE),
    late: create(UNIQUE.replace("u_1", "other")),
    invalid: {},
  },
  {
    name: "an index of other fields with the same name is invalid",
    has: ['{"_id":1,"u":1}'],
    created: create(UNIQUE),
    late: create('{"key":{"w":1},"name":"u_1"}'),
    invalid: { u_1: "another daemon created it unique, on u" },
  },
  {
    name: "an index that the daemon refused is not created, although it could be",
    has: ['{"_id":1,"u":1}', '{"_id":2,"u":1}'],
    created: create(UNIQUE),
    late: removed(2),
    invalid: {},
  },
];

for (const { name, has, created, late, invalid } of CASES)
  test(name, () => {
    const daemon = new Daemon(...has);
    daemon.answer("created", LATER + 2, created);
    assert.deepEqual(invalidIn(daemon), {});
    daemon.check();
    daemon.subject.merge(entry("late", LATER + 1, [late]));
    assert.deepEqual(invalidIn(daemon), invalid);
    daemon.check();
  });

test("an index that the daemon refused stays refused", () => {
  const daemon = new Daemon('{"_id":1,"u":1}', '{"_id":2,"u":1}');
  const { reply } = daemon.answer("created", LATER + 2, create(UNIQUE));
  assert.match(
    reply,
    /^MONGO 11000 DuplicateKey E11000 duplicate key error collection: db\.c index: u_1 dup key: \{ u: 1 \}$/,
  );
  daemon.subject.merge(entry("late", LATER + 1, [removed(2)]));
  assert.doesNotMatch(daemon.read(mdb("LISTINDEXES", "{}")), /u_1/);
});

test("an index of a client that signs its own commands is refused at its position", () => {
  const daemon = new Daemon('{"_id":1,"u":1}');
  daemon.subject.merge(entry("created", LATER + 2, [create(UNIQUE)]));
  assert.match(daemon.read(mdb("LISTINDEXES", "{}")), /u_1/);
  daemon.subject.merge(entry("late", LATER + 1, [insert('{"_id":2,"u":1}')]));
  assert.doesNotMatch(daemon.read(mdb("LISTINDEXES", "{}")), /u_1/);
  daemon.check();
});

/** Returns a daemon with an invalid index on u, whose documents 1 and 2 have the same value. */
function withInvalidIndex(): Daemon {
  const daemon = new Daemon('{"_id":1,"u":1}', '{"_id":3,"u":3}');
  daemon.answer("created", LATER + 2, create(UNIQUE));
  daemon.subject.merge(entry("late", LATER + 1, [insert('{"_id":2,"u":1}')]));
  return daemon;
}

test("an invalid index finds all documents, and refuses only new duplicates", () => {
  const daemon = withInvalidIndex();
  const answer = (argv: Argv) => daemon.answer(argv.join(), LATER + 3, argv).reply;
  const update = (q: string, u: string, multi = false) =>
    answer(mdb("UPDATE", "1", `{"q":${q},"u":${u},"multi":${multi}}`));
  assert.equal(daemon.read(mdb("FIND", '{"filter":{"u":1},"sort":{"_id":1}}')), "{_id:1,u:1} {_id:2,u:1}");
  assert.match(daemon.read(mdb("EXPLAIN", '{"filter":{"u":1}}')), /IXSCAN/);

  const warning =
    /warnings:\["index u_1 is invalid \(documents had equal values .*\): remove the cause, and create/;
  assert.match(answer(insert('{"_id":4,"u":4}')), warning);
  assert.match(answer(insert('{"_id":5,"u":1}')), /n:0,.*code:11000.*; index u_1 is invalid \(documents had/);
  assert.match(answer(insert('{"_id":5,"u":3}')), /n:0,.*code:11000/);
  assert.match(update('{"_id":1}', '{"$set":{"x":1}}'), /n:1,nModified:1,warnings/);
  assert.match(update('{"u":1}', '{"$set":{"x":2}}', true), /n:2,nModified:2,warnings/);
  assert.match(update('{"_id":3}', '{"$set":{"u":1}}'), /code:11000/);
  assert.match(update('{"u":1}', '{"$set":{"u":9}}', true), /code:11000/);
  assert.match(update('{"_id":2}', '{"$set":{"u":2}}'), /n:1,nModified:1/);
  daemon.check();
});

test("documents that an invalid index cannot contain are found without it, and can be changed", () => {
  const daemon = new Daemon('{"_id":1,"a":1,"b":1}');
  daemon.answer("created", LATER + 2, create('{"key":{"a":1,"b":1},"name":"ab","unique":true}'));
  daemon.subject.merge(entry("late", LATER + 1, [insert('{"_id":2,"a":[1,2],"b":[1,2]}')]));
  const query = '{"filter":{"a":1,"b":1}}';
  assert.equal(daemon.read(mdb("FIND", query)), "{_id:1,a:1,b:1} {_id:2,a:[1,2],b:[1,2]}");
  assert.match(
    daemon.read(mdb("FIND", '{"sort":{"a":1,"b":1}}')),
    /cannot sort with keys that are parallel arrays/,
  );
  assert.match(daemon.read(mdb("FIND", '{"filter":{"a":1},"hint":"ab"}')), /^{_id:1.*} {_id:2.*}$/);
  assert.match(daemon.read(mdb("EXPLAIN", query)), /COLLSCAN/);
  const change = mdb("UPDATE", "1", '{"q":{"_id":2},"u":{"$set":{"x":1}}}');
  assert.match(daemon.answer("change", LATER + 3, change).reply, /nModified:1/);
  assert.match(daemon.answer("new", LATER + 4, insert('{"_id":3,"a":[1],"b":[2]}')).reply, /code:171/);

  assert.match(
    daemon.answer("unset", LATER + 5, mdb("UPDATE", "1", '{"q":{"_id":2},"u":{"$set":{"b":7}}}')).reply,
    /nModified:1/,
  );
  assert.match(daemon.read(mdb("EXPLAIN", query)), /IXSCAN/);
  daemon.check();
});

test("an index is valid again if it is created without its cause, also after it was dropped", () => {
  for (const drops of [false, true]) {
    const daemon = withInvalidIndex();
    const answer = (name: string, at: number, argv: Argv) => daemon.answer(name, LATER + at, argv).reply;
    assert.match(answer("again", 3, create(UNIQUE)), /^MONGO 11000 /);
    assert.deepEqual(Object.keys(invalidIn(daemon)), ["u_1"]);
    answer("removed", 4, removed(2));
    if (drops) answer("dropped", 5, dropped("u_1"));
    const reply = answer("created again", 6, create(UNIQUE));
    assert.equal(
      reply,
      `{numIndexesBefore:${drops ? 1 : 2},numIndexesAfter:2,createdCollectionAutomatically:false}`,
    );
    assert.deepEqual(invalidIn(daemon), {});
    assert.doesNotMatch(answer("new", 7, insert('{"_id":6,"u":6}')), /warnings/);
    daemon.check();

    // Another document arrives that was inserted before.
    daemon.subject.merge(entry("later", LATER + 5, [insert('{"_id":7,"u":7}', '{"_id":8,"u":8}')]));
    assert.deepEqual(invalidIn(daemon), {});
    daemon.check();
  }
});

test("an index that was created in place of another definition is the one that was created last", () => {
  const daemon = new Daemon('{"_id":1,"u":1}');
  daemon.answer("created", LATER + 2, create(UNIQUE));
  daemon.subject.merge(entry("late", LATER + 1, [create(PLAIN)]));
  assert.deepEqual(Object.keys(invalidIn(daemon)), ["u_1"]);
  assert.match(daemon.answer("unique", LATER + 3, create(UNIQUE)).reply, /^MONGO 85 /);
  daemon.answer("plain", LATER + 4, create(PLAIN));
  assert.deepEqual(invalidIn(daemon), {});
  daemon.check();
});

test("an index is built once: when the command is tried before it is recorded", (t) => {
  const daemon = new Daemon('{"_id":1,"u":1}', '{"_id":2,"u":2}');
  const added = t.mock.method(CollectionIndex.prototype, "addKeys");
  daemon.answer("created", LATER, create(UNIQUE));
  assert.equal(daemon.read(mdb("FIND", '{"filter":{"u":2}}')), "{_id:2,u:2}");
  const ofIndex = added.mock.calls.filter(
    ({ this: index }) => (index as CollectionIndex).spec.name === "u_1",
  );
  assert.equal(ofIndex.length, 2);
});

test("a refused command keeps none of the indexes that it has built", (t) => {
  const daemon = new Daemon('{"_id":1,"u":1,"v":1}', '{"_id":2,"u":2,"v":1}');
  const other = '{"key":{"v":1},"name":"v_1","unique":true}';
  const refused = daemon.answer("refused", LATER, mdb("CREATEINDEXES", UNIQUE, other));
  assert.match(refused.reply, /^MONGO 11000/);
  const prepared = t.mock.method(Collection.prototype, "hasPrepared");
  daemon.answer("created", LATER + 1, create(UNIQUE));
  // The first call is the trial of the second command.
  assert.equal(prepared.mock.calls[0]?.result, false);
});

const SET_EQUAL = mdb("UPDATE", "1", '{"q":{"_id":2},"u":{"$set":{"u":1}}}');

for (const [name, change] of [
  ["inserted", insert('{"_id":3,"u":1}')],
  ["changed", SET_EQUAL],
  ["removed", removed(2)],
] as const)
  test(`an index that was built for a trial is not used after a document was ${name}`, () => {
    const daemon = new Daemon('{"_id":1,"u":1}', '{"_id":2,"u":2}');
    choicesAt(daemon.database, [create(UNIQUE)], AT + LATER);
    daemon.answer("change", LATER + 1, change);
    const { reply } = daemon.answer("created", LATER + 2, create(UNIQUE));
    assert.equal(reply.startsWith("MONGO 11000"), name !== "removed", reply);
    assert.equal(daemon.read(mdb("FIND", '{"filter":{"u":2}}')), name === "inserted" ? "{_id:2,u:2}" : "");
  });

test("an index that was built for a trial is not used after a change was undone", () => {
  const { database } = new Daemon('{"_id":1,"u":1}', '{"_id":2,"u":2}');
  const unit = (at: number) => ({ at: AT + at, db: 0, id: `unit ${at}` });
  const run = (argv: Argv, at: number) => {
    const records: UndoRecord[] = [];
    const reply = textOf(database.execute(argv.map(bytesOfText), unit(at), records));
    return { reply, undo: () => database.undo(records) };
  };
  for (const [i, argv] of [insert('{"_id":3,"u":1}'), SET_EQUAL, removed(1)].entries()) {
    const change = run(argv, LATER + i);
    // The index that is built now contains the change.
    choicesAt(database, [create(UNIQUE)], AT + LATER + i);
    change.undo();
    const created = run(create(UNIQUE), LATER + 10);
    assert.match(created.reply, /numIndexesAfter:2/);
    const found = run(mdb("FIND", '{"filter":{"u":{"$in":[1,2]}}}'), LATER + 11).reply;
    assert.equal(found, "{_id:1,u:1} {_id:2,u:2}", argv.join(" "));
    created.undo();
  }
});

const RUNS = amount(40, 400);
const ENTRIES = 14;
const seed = seedOfRun();

test(`daemons agree which indexes are valid, in whatever order they receive the entries (seed ${seed})`, () => {
  let invalid = 0;
  for (let run = 0; run < RUNS; run++) {
    const random = new SeededRandom(seed, run);
    const daemons = [new Daemon(), new Daemon()];
    const sent: Entry[][] = [[], []];
    for (let i = 0; i < ENTRIES; i++) {
      const at = random.below(2);
      const argv = random.oneOf([
        () => insert(`{"_id":${i},"u":${random.below(4)}}`),
        () => insert(`{"_id":${i},"u":[${random.below(5)}],"a":[1]}`),
        () => removed(random.below(ENTRIES)),
        () =>
          mdb("UPDATE", "1", `{"q":{"_id":${random.below(ENTRIES)}},"u":{"$set":{"u":${random.below(5)}}}}`),
        () => create(random.oneOf([UNIQUE, PLAIN, '{"key":{"u":1,"a":1},"name":"ua","unique":true}'])),
        () => (random.chance(0.2) ? dropped("u_1") : create(UNIQUE)),
      ])();
      const { signed } = (daemons[at] as Daemon).answer(`${run}.${i}`, LATER + i, argv);
      sent[1 - at]?.push(signed);
      // The other daemon receives some of the entries, in another order.
      if (random.chance(0.1)) {
        const other = random.below(2);
        (daemons[other] as Daemon).subject.merge(...random.shuffled((sent[other] as Entry[]).splice(0)));
      }
    }
    for (const [i, entries] of sent.entries())
      (daemons[i] as Daemon).subject.merge(...random.shuffled(entries));
    const where = `seed ${seed}, run ${run}`;
    const [first, second] = daemons as [Daemon, Daemon];
    assert.deepEqual(second.subject.states[0], first.subject.states[0], where);
    first.check();
    second.check();
    if (first.database.keyspaces.some((keyspace) => [...keyspace.invalidIndexes(AT)].length > 0)) invalid++;
  }
  assert.ok(invalid > RUNS / 20, `${invalid} runs ended with an invalid index`);
});
