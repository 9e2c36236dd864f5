/**
 * Tests updates and deletions by condition, operators and new entries: a table of cases, and runs that are compared
 * with entries in JavaScript. DBSYNC_SEED replays a run.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalState } from "../../../../../daemon/store/canonical-state.js";
import { Database } from "../../../../../daemon/store/database.js";
import type { UndoRecord } from "../../../../../daemon/store/keyspace/undo.js";
import type { Reply } from "../../../../../protocol/reply.js";
import { StoreUnderTest } from "../../../../../test/daemon/store/commands/store-under-test.js";
import { amount } from "../../../../../test/support/amount.js";
import { SeededRandom, seedOfRun } from "../../../../../test/support/seeded-random.js";
import { holds, type Row, type Where } from "./document-model.js";

const seed = seedOfRun();
const RUNS = amount(12, 40);
const STEPS = 25;

/** An entry, the data of an update, and the resulting entry, or a pattern of the error. */
const OPERATIONS: readonly (readonly [entry: string, data: string, after: string | RegExp])[] = [
  ['{"n":1}', '{"$inc":{"n":2}}', '{"n":3}'],
  ['{"n":1}', '{"$inc":{"n":-2.5}}', '{"n":-1.5}'],
  ['{"n":9223372036854775806}', '{"$inc":{"n":1}}', '{"n":9223372036854775807}'],
  [
    '{"n":9223372036854775807}',
    '{"$inc":{"n":1}}',
    /current value of 'n': the result is not a 64-bit integer/,
  ],
  [
    '{"n":-9223372036854775808}',
    '{"$inc":{"n":-1}}',
    /current value of 'n': the result is not a 64-bit integer/,
  ],
  ['{"n":9223372036854775808}', '{"$inc":{"n":1}}', '{"n":9223372036854776000}'],
  [
    '{"n":1.7e308}',
    '{"$inc":{"n":1.7e308}}',
    /the result would be a number that is not finite, which JSON does not have/,
  ],
  ['{"n":0.1}', '{"$inc":{"n":0.2}}', '{"n":0.30000000000000004}'],
  [
    '{"n":"1"}',
    '{"$inc":{"n":1}}',
    /Cannot apply \$inc to a value of non-numeric type: the field 'n' is of type string/,
  ],
  ['{"n":1}', '{"$inc":{"n":"1"}}', /Cannot increment with non-numeric argument: \{n: string\}/],
  ['{"n":null}', '{"$inc":{"n":1}}', /the field 'n' is of type null/],
  ['{"n":1}', '{"$inc":{"m":1}}', /The required keys for this document are: n, received: m\./],
  ['{"n":1}', '{"$set":{"m.x":1}}', /The required keys for this document are: n, received: m\./],
  ['{"n":{}}', '{"$inc":{"n.a.b":1}}', '{"n":{"a":{"b":1}}}'],
  ['{"n":[1,2]}', '{"$inc":{"n.1":1}}', '{"n":[1,3]}'],
  ['{"n":[1,2]}', '{"$set":{"n.2":{"a":0}}}', '{"n":[1,2,{"a":0}]}'],
  ['{"n":[1,2]}', '{"$set":{"n.3":0}}', '{"n":[1,2,null,0]}'],
  ['{"n":[1,2]}', '{"$set":{"n.x":0}}', /Cannot create field 'x' in an element of type array/],
  ['{"n":[]}', '{"$set":{"n.x":0}}', '{"n":{"x":0}}'],
  ['{"n":{"a":{"b":[]}}}', '{"$set":{"n.a.b.c.d":0}}', '{"n":{"a":{"b":{"c":{"d":0}}}}}'],
  ['{"a":[],"n":1}', '{"$set":{"a.$[].x":1}}', '{"a":[],"n":1}'],
  ['{"a":[]}', '{"$setOnInsert":{"a.x":1}}', '{"a":[]}'],
  ['{"n":-0}', '{"$set":{"n":0}}', '{"n":0}'],
  ['{"n":5}', '{"$set":{"n.x":0}}', /Cannot create field 'x' in an element of type int/],
  ['{"a.b":1,"a":{"b":2}}', '{"$inc":{"a.b":1}}', '{"a.b":1,"a":{"b":3}}'],
  ['{"a":{"b.c":1}}', '{"$inc":{"a.b.c":1}}', '{"a":{"b.c":1,"b":{"c":1}}}'],
  ['{"t":[1]}', '{"$push":{"t":[2]}}', '{"t":[1,[2]]}'],
  ['{"t":{}}', '{"$push":{"t":2}}', '{"t":[2]}'],
  ['{"t":{"u":{}}}', '{"$push":{"t.v":2}}', '{"t":{"u":{},"v":[2]}}'],
  ['{"t":{"u":1}}', '{"$push":{"t":2}}', /The field 't' must be an array but is of type object \(\$push\)/],
  ['{"t":"x"}', '{"$push":{"t":2}}', /must be an array but is of type string/],
  ['{"a":{"b":1,"c":2}}', '{"$unset":{"a.b":""}}', '{"a":{"c":2}}'],
  ['{"a":{"b":{"c":1}}}', '{"$unset":{"a.b.c":1}}', '{"a":{"b":{}}}'],
  ['{"a":{"b.c":1,"b":{"c":2}}}', '{"$unset":{"a.b.c":1}}', '{"a":{"b.c":1,"b":{}}}'],
  ['{"a":{"b":1}}', '{"$unset":{"a.x.y":1}}', '{"a":{"b":1}}'],
  ['{"a":5}', '{"$unset":{"a.b":1}}', '{"a":5}'],
  [
    '{"a":1}',
    '{"$unset":{"a":1}}',
    /'a' cannot be removed from one entry, because all entries have the members .*DOC\.MEMBER DROP/,
  ],
  ['{"a.b":1}', '{"$unset":{"a.b":1}}', '{"a.b":1}'],
  ['{"a":{}}', '{"$unset":{"z.b":1}}', '{"a":{}}'],
  ['{"a":[1,2]}', '{"$unset":{"a.0":1}}', '{"a":[null,2]}'],
  ['{"t":[1,"1",1.0,true,null]}', '{"$pull":{"t":1}}', '{"t":["1",true,null]}'],
  ['{"t":[[1],{"a":1,"b":2},3]}', '{"$pull":{"t":{"b":2}}}', '{"t":[[1],3]}'],
  ['{"t":[1,5,"x",9]}', '{"$pull":{"t":{"$gte":5,"$lt":9}}}', '{"t":[1,"x",9]}'],
  ['{"t":["ab","b"]}', '{"$pull":{"t":{"$regex":"^a"}}}', '{"t":["b"]}'],
  ['{"t":{"u":[1]}}', '{"$pull":{"t.u":1,"t.v":1}}', '{"t":{"u":[]}}'],
  ['{"t":{}}', '{"$pull":{"t":2}}', '{"t":[]}'],
  ['{"t":1}', '{"$pull":{"t":2}}', /The field 't' must be an array but is of type int \(\$pull\)/],
  ['{"t":[]}', '{"$pull":{"t":{"$foo":2}}}', /UPDATE: unknown operator: \$foo/],
  [
    '{"a":1,"b":2}',
    '{"$set":{"b":{"a":1}},"$inc":{"a":1,"b.a":5}}',
    /Updating the path 'b\.a' would create a conflict at 'b'/,
  ],
  ['{"a":1}', '{"$set":{"a":1}}', '{"a":1}'],
  ['{"a":1}', '{"$set":{"a":1.0}}', '{"a":1.0}'],
  ['{"a":1}', '{"$set":5}', /Modifiers operate on fields but we found type int instead/],
  ['{"a":1}', '{"$inc":{"a":1},"b":2}', /Unknown modifier: b is not an operator/],
  ['{"__proto__":1}', '{"$inc":{"__proto__":1}}', '{"__proto__":2}'],
  ['{"a":{}}', `{"$set":{"a${".b".repeat(200)}":1}}`, /the path to a field has at most 200 names/],
  ['{"a":{}}', `{"$set":{"a.b":${"[".repeat(508)}${"]".repeat(508)}}}`, /more than 509 levels deep/],
];

for (const [entry, data, after] of OPERATIONS) {
  test(`${data.slice(0, 80)} turns ${entry} into ${after}`, () => {
    const database = new Database();
    const run = (argv: readonly string[], records: UndoRecord[] | null = null) =>
      database.execute(argv, { at: 1, db: 0, id: "\0".repeat(36) }, records);
    run(["DOC.CREATE", "d"]);
    run(["DOC.INSERT", "d", "KEYS", "k", entry]);
    const records: UndoRecord[] = [];
    const before = canonicalState(database);
    const reply = run(["DOC.UPDATE", "d", data, "ID", "k"], records);
    if (typeof after !== "string") {
      assert.match(reply.kind === "error" ? reply.text : "", after);
      assert.equal(records.length, 0);
    } else assert.equal(textsOf(run(["DOC.GET", "d"]))[1], after);
    database.undo(records);
    assert.deepEqual(canonicalState(database), before);
  });
}

test("an update that cannot change one of its entries changes no entry", () => {
  const store = new StoreUnderTest();
  store.run("DOC.CREATE d");
  store.run('DOC.INSERT d {"n":1} {"n":"x"} {"n":3}');
  assert.equal(store.changes('DOC.UPDATE d {"$inc":{"n":1}} WHERE {}'), 0);
  assert.match(store.run('DOC.UPDATE d {"$inc":{"n":1}} WHERE {}'), /of type string/);
  assert.equal(
    store.run('DOC.UPDATE d {"$inc":{"n":1}} WHERE {"n":{"$gt":0}} SORT {"n":"desc"} LIMIT 0 1'),
    '["keys" ["n"] "changed" ["2" "{\\"n\\":4}"]]',
  );
});

test("UPSERT creates a missing entry with the document's members", () => {
  const store = new StoreUnderTest();
  const same = (line: string, reply: string) => assert.equal(store.run(line), reply, line);
  store.run("DOC.CREATE d");
  same(
    'DOC.UPDATE d {"$inc":{"n":1}} ID /home UPSERT',
    '["keys" [] "changed" ["/home" "{\\"n\\":1}"] "added" "/home"]',
  );
  same('DOC.UPDATE d {"$inc":{"n":1}} ID /home UPSERT', '["keys" ["n"] "changed" ["/home" "{\\"n\\":2}"]]');
  same(
    'DOC.UPDATE d {"n":5} WHERE {"n":7} UPSERT',
    '["keys" ["n"] "changed" ["0" "{\\"n\\":5}"] "added" "0"]',
  );
  same('DOC.UPDATE d {"n":6} ID 1e1 UPSERT', '["keys" ["n"] "changed" ["10" "{\\"n\\":6}"] "added" "10"]');
  same('DOC.UPDATE d {"n":8} ID 10.0 UPSERT', '["keys" ["n"] "changed" ["10" "{\\"n\\":8}"]]');

  same('DOC.UPDATE d {"m":5} ID x UPSERT', '-"ERR The required keys for this document are: n, received: m."');
  same("DOC.UPDATE d {} ID x UPSERT", '-"ERR The required keys for this document are: n, received: ."');
  same('DOC.UPDATE d {"n":5} UPSERT', '-"ERR UPSERT requires ID, QUERY or WHERE"');
  same('DOC.UPDATE d {"n":5} ID x UPSERT REVISION 0', '-"ERR Key:id provided does not exist in document."');
  same("DOC.COUNT d", ":3");
});

test("operators of an upsert begin with the values that its condition requires", () => {
  const store = new StoreUnderTest();
  store.run("DOC.CREATE d");
  const upsert =
    'DOC.UPDATE d {"$inc":{"n":1},"$setOnInsert":{"at":"now"}} WHERE {"url":"/","n":{"$lt":9}} UPSERT';
  store.run(upsert);
  store.run(upsert);
  assert.equal(store.run("DOC.GET d"), '["0" "{\\"url\\":\\"/\\",\\"at\\":\\"now\\",\\"n\\":2}"]');
});

test("$setOnInsert of an upsert replaces an empty list on its path", () => {
  const store = new StoreUnderTest();
  store.run("DOC.CREATE d");
  store.run('DOC.UPDATE d {"$setOnInsert":{"a.x":1}} WHERE {"a":[]} UPSERT');
  assert.equal(store.run("DOC.GET d"), '["0" "{\\"a\\":{\\"x\\":1}}"]');
});

test("-0 is a double as a member and inside one", () => {
  const store = new StoreUnderTest();
  store.run("DOC.CREATE d");
  store.run('DOC.INSERT d {"n":-0,"m":{"n":-0}}');
  for (const name of ["n", "m.n"]) {
    assert.equal(store.run(`DOC.COUNT d WHERE {"${name}":{"$type":"double"}}`), ":1", name);
    assert.equal(store.run(`DOC.COUNT d WHERE {"${name}":{"$type":"int"}}`), ":0", name);
  }
});

test("long paths of operators count work for each entry", () => {
  const inner = (n: number) => `a${".a".repeat(180)}.x${n}`;
  const names = Array.from({ length: 2000 }, (_, n) => `"${inner(n)}":1`);
  const run = (argv: readonly string[]) =>
    database.execute(argv, { at: 1, db: 0, id: "\0".repeat(36) }, null);
  const database = new Database();
  database.unitStepsMax = 1_000_000;
  const entry = `{"a":${'{"a":'.repeat(180)}{}${"}".repeat(180)}}`;
  run(["DOC.CREATE", "d"]);
  run(["DOC.INSERT", "d", ...Array.from({ length: 20 }, () => entry)]);
  const reply = run(["DOC.UPDATE", "d", `{"$set":{${names.join()}}}`, "WHERE", "{}"]);
  assert.match(reply.kind === "error" ? reply.text : "", /^TOOMUCH /);
});

test("a path with $ changes the value that the condition matched", () => {
  const store = new StoreUnderTest();
  store.run("DOC.CREATE d");
  store.run('DOC.INSERT d {"t":[1,2,3]}');
  store.run('DOC.UPDATE d {"$set":{"t.$":9}} WHERE {"t":2}');
  assert.equal(store.run("DOC.GET d"), '["0" "{\\"t\\":[1,9,3]}"]');
});

test("wrong operators are an error even if the condition matches no entry", () => {
  const store = new StoreUnderTest();
  store.run("DOC.CREATE d");
  assert.match(store.run('DOC.UPDATE d {"$nothing":{"a":1}} WHERE {"a":1}'), /Unknown modifier: \$nothing/);
});

test("an id may be one of the words that begin conditions", () => {
  const store = new StoreUnderTest();
  store.run("DOC.CREATE d");
  store.run('DOC.INSERT d KEYS where {"n":1} query {"n":2} WHERE {"n":3}');
  assert.equal(store.run("DOC.DELETE d where"), '+"OK"');
  assert.match(store.run("DOC.DELETE d query REVISION 0"), /has revision/);
  assert.equal(store.run('DOC.DELETE d where {"n":9}'), ":0");
  assert.equal(store.run("DOC.DELETE d QUERY {}"), ":0");
  assert.equal(store.run("DOC.COUNT d"), ":2");
});

const textsOf = (reply: Reply): string[] =>
  (reply as Reply & { kind: "map" }).items.map((item) => (item as Reply & { kind: "bulk" }).bytes);

test(`updates and deletions by condition match a naive model (seed ${seed})`, () => {
  for (let run = 0; run < RUNS; run++) {
    const random = new SeededRandom(seed, run);
    const database = new Database();
    const isFolded = random.chance(0.5);
    let units = 0;
    const execute = (argv: readonly string[], records: UndoRecord[] | null = null): Reply => {
      const unit = { at: 1_790_000_000_000, db: 0, id: String(units++).padStart(36, "\0") };
      return database.execute(argv, isFolded ? { ...unit, seq: 0 } : unit, records);
    };
    const rows = (): Row[] => {
      const texts = textsOf(execute(["DOC.GET", "d"]));
      return texts.flatMap((key, at) =>
        at % 2 === 0 ? [{ key, entry: JSON.parse(texts[at + 1] as string) as Row["entry"] }] : [],
      );
    };
    execute(["DOC.CREATE", "d"]);
    for (const field of ["n", "t.0"]) if (random.chance(0.5)) execute(["DOC.INDEX", "CREATE", "d", field]);
    for (let step = 0; step < STEPS; step++) {
      const more = Array.from({ length: random.below(4) }, () =>
        JSON.stringify({ n: random.below(5), t: random.chance(0.5) ? [] : [random.below(3)] }),
      );
      execute(["DOC.INSERT", "d", ...more]);
      const where = random.oneOf<Where>([
        { n: random.below(5) },
        { n: { $gte: random.below(5) }, "t.0": { $exists: true } },
        { "t.0": random.below(3) },
        { $or: [{ n: 1 }, { "t.1": { $gt: 0 } }] },
      ]);
      const before = rows();
      const state = canonicalState(database);
      const records: UndoRecord[] = [];
      const chosen = before.filter(({ entry }) => holds(entry, where));
      const kind = random.below(3);
      const json = JSON.stringify(where);
      const data = kind === 0 ? '{"$inc":{"n":1},"$push":{"t":2}}' : '{"n":2}';
      const reply = execute(
        kind === 2 ? ["DOC.DELETE", "d", "WHERE", json] : ["DOC.UPDATE", "d", data, "WHERE", json],
        records,
      );
      if (kind === 2) assert.equal(reply.kind === "integer" && reply.value, chosen.length);
      const remaining = before.filter((row) => kind !== 2 || !chosen.includes(row));
      const expected = remaining.map(({ key, entry }, index) => {
        const { n, t } = entry as { n: number; t: number[] };
        const changed = kind === 0 ? { n: n + 1, t: [...t, 2] } : { n: 2, t };
        const moved = kind === 2 && !isFolded && chosen.length > 0 ? String(index) : key;
        return { key: moved, entry: chosen.some((row) => row.key === key) ? changed : entry };
      });
      assert.deepEqual(rows(), expected, `DBSYNC_SEED=${seed}, run ${run}, ${json}`);
      if (random.chance(0.5)) continue;
      database.undo(records);
      assert.deepEqual(canonicalState(database), state, `DBSYNC_SEED=${seed}, run ${run}, undone`);
    }
  }
});

test("with permanent ids most entries are removed, and restored, in one step", () => {
  const database = new Database();
  let seq = 0;
  const execute = (line: readonly string[], records: UndoRecord[] | null = null): Reply => {
    seq++;
    return database.execute(line, { at: 1000, seq, db: 0, id: String(seq).padStart(36, "0") }, records);
  };

  execute(["DOC.CREATE", "d"]);
  for (let n = 0; n < 300; n++)
    execute(["DOC.INSERT", "d", ...(n % 7 === 0 ? ["EX", "9"] : []), "COUNT", `{"n":${n}}`]);
  execute(["DOC.INDEX", "CREATE", "d", "n"]);
  execute(["DOC.DELETE", "d", "5"]);

  const state = canonicalState(database);
  const records: UndoRecord[] = [];
  const where = '{"$or":[{"n":{"$lt":280}},{"n":299}]}';
  assert.deepEqual(execute(["DOC.DELETE", "d", "WHERE", where], records), { kind: "integer", value: 280 });
  assert.ok(records.length < 5, `${records.length} records`);

  const details = execute(["DOC.GET", "d", "DETAILS"]);
  assert.ok(details.kind === "map");
  assert.deepEqual(
    details.items.flatMap((item) => (item.kind === "bulk" ? [item.bytes] : [])),
    Array.from({ length: 19 }, (_, n) => String(280 + n)),
  );
  const expiries = details.items.flatMap((item) => (item.kind === "array" ? [item.items[2]] : []));
  assert.deepEqual(expiries[0], { kind: "integer", value: 10_000 });
  assert.equal(expiries[1]?.kind, "nil");

  // No new entry receives the number of an earlier one.
  const added: UndoRecord[] = [];
  assert.deepEqual(execute(["DOC.INSERT", "d", "COUNT", '{"n":1}'], added), {
    kind: "array",
    items: [{ kind: "bulk", bytes: "300" }],
  });

  database.undo(added);
  database.undo(records);
  assert.deepEqual(canonicalState(database), state);
});

test("a write that would nest an entry too deeply to be read is refused", () => {
  const deep = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
  const store = new StoreUnderTest();
  store.run("DOC.CREATE d");
  store.run('DOC.INSERT d {"a":[]}');
  for (const levels of [511, 510, 509])
    for (const line of [`DOC.MEMBER ADD d x ${deep(levels)}`, `DOC.UPDATE d {"$push":{"a":${deep(levels)}}}`])
      assert.match(JSON.stringify(store.run(line)), /levels deep|nested too deeply/);
  store.run(`DOC.MEMBER ADD d x ${deep(508)}`);
  store.run(`DOC.UPDATE d {"$push":{"a":${deep(507)}}}`);
  assert.match(JSON.stringify(store.run('DOC.GET d WHERE {"a.0.0":{"$exists":true}}')), /\[\[/);
});

test("an upsert that would nest its entry too deeply to be read is refused", () => {
  const deep = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
  const store = new StoreUnderTest();
  store.run("DOC.CREATE d");
  for (const line of [
    `DOC.UPDATE d {"$set":{"a.b.c.d.e.f.g.h.i.j":${deep(500)}}} ID k UPSERT`,
    `DOC.UPDATE d {"$set":{"a":1}} WHERE {"b${".b".repeat(199)}":${deep(500)}} UPSERT`,
  ]) {
    assert.equal(store.changes(line), 0);
    assert.match(store.run(line), /levels deep/);
  }
  store.run(`DOC.UPDATE d {"$set":{"a.b.c.d.e.f.g.h.i.j":${deep(499)}}} ID k UPSERT`);
  assert.match(store.run("DOC.GET d"), /\[\[/);
});
