/**
 * Compares queries on documents with a naive model in which JavaScript parses, filters and sorts every entry: with
 * indexes, without indexes, and after undoing writes. DBSYNC_SEED replays a run.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Database } from "../../../../../daemon/store/database.js";
import type { UndoRecord } from "../../../../../daemon/store/keyspace/undo.js";
import { parseJson } from "../../../../../protocol/json/json-reader.js";
import type { JsonObject } from "../../../../../protocol/json/json-value.js";
import { writeJson } from "../../../../../protocol/json/json-writer.js";
import type { Reply } from "../../../../../protocol/reply.js";
import { amount } from "../../../../../test/support/amount.js";
import { SeededRandom, seedOfRun } from "../../../../../test/support/seeded-random.js";
import { isLooselyEqual } from "../../../store/commands/loose-equality.js";
import {
  at,
  type Entry,
  holds,
  isSame,
  NAMES,
  order,
  type Row,
  sortedBy,
  VALUES,
  type Where,
} from "./document-model.js";

const RUNS = amount(1, 6);
const STEPS = amount(40, 60);
const seed = seedOfRun();

class Scene {
  readonly random: SeededRandom;
  readonly database = new Database();
  readonly isFolded: boolean;
  at = 1_790_000_000_000;
  #units = 0;

  constructor(run: number, isFolded?: boolean) {
    this.random = new SeededRandom(seed, run);
    this.isFolded = isFolded ?? this.random.chance(0.5);
  }

  run(argv: readonly string[], records: UndoRecord[] | null = null): Reply {
    const id = String(this.#units++).padStart(36, "\0");
    const bytes = argv.map((text) => Buffer.from(text, "utf8").toString("latin1"));
    const unit = { at: this.at, db: 0, id };
    return this.database.execute(bytes, this.isFolded ? { ...unit, seq: 0 } : unit, records);
  }

  rows(...options: readonly string[]): Row[] {
    const reply = this.run(["DOC.GET", "d", ...options]);
    assert.equal(reply.kind, "map", `${options} ${JSON.stringify(reply)}`);
    const texts = (reply as Reply & { kind: "map" }).items.map((item) =>
      Buffer.from((item as Reply & { kind: "bulk" }).bytes, "latin1").toString(),
    );
    return texts.flatMap((key, at) =>
      at % 2 === 0 ? [{ key, entry: JSON.parse(texts[at + 1] as string) as Entry }] : [],
    );
  }

  count(...options: readonly string[]): number {
    const reply = this.run(["DOC.COUNT", "d", ...options]);
    return reply.kind === "integer" ? Number(reply.value) : -1;
  }

  entry(): string {
    const { random } = this;
    const d: unknown = random.oneOf([
      { x: random.oneOf(VALUES) },
      { "x.y": random.oneOf(VALUES), x: { y: 1, "": [[2]] } },
      { x: [random.below(3)] },
      [random.oneOf(VALUES)],
      random.oneOf(VALUES),
    ]);
    return JSON.stringify({ a: random.oneOf(VALUES), b: random.below(4), c: [random.below(2)], d });
  }

  where(depth = 2): Where {
    const { random } = this;
    const kind = random.below(depth > 0 ? 10 : 6);
    const name = random.oneOf(NAMES);
    const operand = random.oneOf(
      VALUES.filter((value) => typeof value === "string" || typeof value === "number"),
    );

    if (kind < 2) return { [name]: random.oneOf(VALUES) };
    if (kind < 4)
      return { [name]: { [random.oneOf(["$gt", "$gte", "$lt", "$lte", "$eq", "$ne"])]: operand } };
    if (kind < 5)
      return { [name]: { $in: Array.from({ length: random.below(12) }, () => random.oneOf(VALUES)) } };
    if (kind < 6)
      return random.oneOf<Where>([
        { [name]: { $regex: "^a" } },
        { [name]: { $nin: Array.from({ length: random.below(12) }, () => random.oneOf(VALUES)) } },
        { [name]: { $type: random.oneOf(["string", "number", "array"]), $ne: 3 } },
        { [name]: { $regex: random.oneOf(["^a", "b$", "^[0-9]+$", "a|é", ""]), $gte: "" } },
        { [name]: { $not: { $regex: "^a", $ne: "b" } } },
        { [name]: { $exists: true } },
        { a: { $gte: 0, $lt: 5 } },
        { a: { $in: [1, 2, "a", null], $ne: 1, $exists: true } },
        { a: { $not: { $gt: 1 }, $lt: 9 } },
      ]);

    if (kind < 8) return { $or: [this.where(depth - 1), this.where(depth - 1)] };
    return kind < 9 ? { $nor: [this.where(depth - 1)] } : { ...this.where(0), $and: [this.where(depth - 1)] };
  }

  write(records: UndoRecord[] | null): void {
    const { random } = this;
    const keys = this.rows().map(({ key }) => key);
    const key = keys.length === 0 ? "0" : random.oneOf(keys);
    const kind = random.below(12);
    const more = Array.from({ length: random.below(20) }, () => this.entry());

    if (kind < 4) this.run(["DOC.INSERT", "d", ...more], records);
    else if (kind < 5) this.run(["DOC.INSERT", "d", "PX", String(1 + random.below(50)), ...more], records);
    else if (kind < 6) this.run(["DOC.INSERT", "d", "KEYS", `k${random.below(9)}`, this.entry()], records);
    else if (kind < 8) this.run(["DOC.UPDATE", "d", this.entry(), "ID", key], records);
    else if (kind < 10) this.run(["DOC.DELETE", "d", key], records);
    else if (kind < 11)
      this.run(
        [
          "DOC.INDEX",
          random.oneOf(["CREATE", "DROP"]),
          "d",
          random.oneOf(["a", "b", "c", "x", "c.0", "d.x", "d.x.y"]),
        ],
        records,
      );
    else this.at += random.below(30);
  }
}

function check(scene: Scene): void {
  const { random } = scene;
  const where = scene.where();
  const json = JSON.stringify(where);
  const all = scene.rows();
  const matches = all.filter(({ entry }) => holds(entry, where));
  const label = `DBSYNC_SEED=${seed}, ${json}`;

  assert.equal(scene.count(), all.length, label);
  assert.deepEqual(scene.rows("WHERE", json), matches, label);
  assert.equal(scene.count("WHERE", json), matches.length, label);
  const [name, falling] = [random.oneOf(NAMES), random.chance(0.5)];
  const sign = falling ? -1 : 1;
  const sorted = matches.toSorted((a, b) => sign * order(sortedBy(a.entry, name), sortedBy(b.entry, name)));
  const sort = JSON.stringify({ [name]: falling ? "desc" : "asc" });
  const [offset, count] = [random.below(5), random.below(8)];
  const limit = ["LIMIT", String(offset), String(count)];

  assert.deepEqual(scene.rows("WHERE", json, "SORT", sort), sorted, label);
  assert.deepEqual(
    scene.rows("SORT", sort, "WHERE", json, ...limit),
    sorted.slice(offset, offset + count),
    label,
  );
  assert.deepEqual(scene.rows(...limit, "WHERE", json), matches.slice(offset, offset + count), label);

  const twice = matches.toSorted(
    (a, b) => -order(a.entry["b"], b.entry["b"]) || order(a.entry["a"], b.entry["a"]),
  );
  assert.deepEqual(scene.rows("WHERE", json, "SORT", '{"b":"desc","a":"asc"}'), twice, label);

  const query = Object.fromEntries(
    Array.from({ length: random.between(1, 2) }, () => [
      random.oneOf(["a", "b", "c", "x", "y", "d.x", "c.0"]),
      random.oneOf(VALUES),
    ]),
  );
  const same = all.filter(({ entry }) =>
    Object.entries(query).every(([member, value]) => isSame(entry[member], value)),
  );
  assert.deepEqual(scene.rows("QUERY", JSON.stringify(query)), same, `${label} ${JSON.stringify(query)}`);

  const parts = matches.map(({ key, entry }) => {
    const members = ["a", "d.x", "c.0"].map((one) => [one, at(entry, one)] as const);
    return { key, entry: Object.fromEntries(members.filter(([, value]) => value !== undefined)) };
  });
  assert.deepEqual(scene.rows("WHERE", json, "FIELDS", '["a","x","d.x","c.0"]'), parts, label);
}

test(`queries find what a naive model finds, with and without indexes, after any writes (seed ${seed})`, () => {
  for (let run = 0; run < RUNS; run++) {
    const scene = new Scene(run);
    scene.run(["DOC.CREATE", "d"]);
    for (let step = 0; step < STEPS; step++) {
      if (scene.random.chance(0.3)) {
        const before = scene.rows();
        const records: UndoRecord[] = [];
        const { at } = scene;
        for (let remaining = scene.random.between(1, 6); remaining > 0; remaining--) {
          scene.write(records);
          if (scene.random.chance(0.5)) check(scene);
        }
        scene.database.undo(records);
        scene.at = at;
        assert.deepEqual(scene.rows(), before, `DBSYNC_SEED=${seed}, run ${run}`);
      } else scene.write(null);
      check(scene);
    }
  }
});

test(`the original's queries find the same entries with an index (seed ${seed})`, () => {
  const scene = new Scene(RUNS);
  for (const name of ["d", "e"]) scene.run(["DOC.CREATE", name]);
  scene.run(["DOC.INDEX", "CREATE", "d", "a"]);

  const written = [
    "1",
    '"1"',
    '"01"',
    '" 1"',
    "1.0",
    "true",
    "false",
    "0",
    '"0"',
    '""',
    '"a"',
    '"1a"',
    "null",
    "[1]",
  ];
  written.push("9007199254740993", '"9007199254740992"', "1e3", '"1e3"', "1000", '".5"', "0.5", '"+1"', "-0");

  const entries = [...written, ...written, ...written].map((value) => `{"a":${value}}`);
  for (const name of ["d", "e"]) scene.run(["DOC.INSERT", name, ...entries]);

  for (const value of written) {
    const [with_, without] = ["d", "e"].map((name) =>
      scene.run(["DOC.GET", name, "QUERY", `{"a":${value}}`]),
    );
    const texts = (reply: Reply | undefined) =>
      (reply as Reply & { kind: "map" }).items.map((item) => (item as Reply & { kind: "bulk" }).bytes);
    assert.deepEqual(
      texts(with_).filter((_, at) => at % 2 === 1),
      texts(without).filter((_, at) => at % 2 === 1),
      value,
    );
  }
});

/** Names that also occur in a text as something other than a member's name, and other difficult ones. */
const ODD_NAMES = ["a", ":", ",", "}", "},{", "]", ":{", "", "é", "__proto__", "0", 'a"b', "\\\\", "a:", "1"];
const ODD_TEXTS = [":b", ":", ":,", ":}", '\\":', "a", "", "1", " 1", "01", "1e0", "true", "0", "é", '":":'];
const ODD_NUMBERS = [
  ...[
    "0",
    "-0",
    "-0.0",
    "1",
    "1.0",
    "10e-1",
    "0.5",
    "9007199254740993",
    "9007199254740992",
    "9007199254740992.0",
  ],
  ...["4611686018427387904", "4.611686018427387904e18", "9223372036854775807", "1e300", "-1"],
];

function oddValue(random: SeededRandom, depth = 0): string {
  const kind = random.below(depth > 1 ? 7 : 10);
  if (kind < 3) return JSON.stringify(random.oneOf(ODD_TEXTS));
  if (kind < 6) return random.oneOf(ODD_NUMBERS);
  if (kind < 7) return random.oneOf(["true", "false", "null"]);
  if (kind < 8) return `[${oddValue(random, depth + 1)},${oddValue(random, depth + 1)}]`;
  return oddObject(random, depth + 1);
}

function oddObject(random: SeededRandom, depth = 0): string {
  const members = Array.from(
    { length: random.below(4) },
    () => `${JSON.stringify(random.oneOf(ODD_NAMES))}:${oddValue(random, depth)}`,
  );
  return `{${members.join(",")}}`;
}

/** Parses an entry and a query. @returns whether each member of the query loosely equals the entry's member */
function matches(text: string, query: string): boolean {
  const [entry, queried] = [parseJson(text), parseJson(query)] as [JsonObject, JsonObject];
  return queried.names.every((name, at) => {
    const member = entry.get(name) ?? null;
    const value = queried.values[at] ?? null;
    return queried.names.length > 0 && member !== null && isLooselyEqual(member, value);
  });
}

const bulksOf = (reply: Reply) =>
  (reply as Reply & { kind: "map" }).items.map((item) =>
    Buffer.from((item as Reply & { kind: "bulk" }).bytes, "latin1").toString(),
  );

test(`queries and conditions on odd names and values find the same as a scan of all entries (seed ${seed})`, () => {
  let matchCount = 0;
  for (let run = 0; run < amount(10, 40); run++) {
    const scene = new Scene(RUNS + 1 + run);
    const { random } = scene;
    const names = ["without", "with"];
    for (const name of names) scene.run(["DOC.CREATE", name]);
    for (let remaining = 8; remaining > 0; remaining--)
      scene.run(["DOC.INDEX", "CREATE", "with", random.oneOf(ODD_NAMES)]);
    const entries = Array.from({ length: 40 }, () => oddObject(random)).map((text) =>
      writeJson(parseJson(text)),
    );
    const keyed = entries.flatMap((text, at) => [`k${at}`, text]);
    for (const name of names) scene.run(["DOC.INSERT", name, "NOCHECK", "KEYS", ...keyed]);
    for (let remaining = 40; remaining > 0; remaining--) {
      const query = oddObject(random);
      const label = `DBSYNC_SEED=${seed}, run ${run}: ${query}`;
      const expected = entries.flatMap((text, at) =>
        query !== "{}" && matches(text, query) ? [`k${at}`, text] : [],
      );
      for (const name of names)
        assert.deepEqual(bulksOf(scene.run(["DOC.GET", name, "QUERY", query])), expected, label);
      matchCount += expected.length;
      const [without, with_] = names.map((name) => bulksOf(scene.run(["DOC.GET", name, "WHERE", query])));
      assert.deepEqual(with_, without, label);
    }
  }
  assert.ok(matchCount > 50, `only ${matchCount} matches`);
});

test("a name that also occurs between two strings is found only as a member", () => {
  const scene = new Scene(0);
  scene.run(["DOC.CREATE", "d"]);
  scene.run(["DOC.INSERT", "d", '{"a":":b"}', '{"a":":,"}']);
  assert.equal(scene.count("QUERY", '{":":1}'), 0);
  assert.equal(scene.count("QUERY", '{":":"1"}'), 0);
});

/** A condition, and the number of entries that an index of `a` leaves to check; null if it is not used. */
const INDEXED: readonly (readonly [where: string, entries: number | null])[] = [
  ['{"a":7}', 1],
  ['{"a":{"$gte":5,"$lt":9}}', 4],
  ['{"$and":[{"a":{"$gt":90}},{"a":{"$lte":93}}],"b":0}', 3],
  ['{"a":{"$in":[1,5,null,"s7"]}}', 3],
  ['{"a":{"$regex":"^s1"}}', 11],
  ['{"a":{"$regex":"^s12?"}}', 11],
  ['{"a":{"$regex":"^s1|s2"}}', null],
  ['{"a":{"$regex":"s1"}}', null],
  ['{"a":{"$exists":false}}', 0],
  ['{"a":{"$not":{"$gte":3}},"$or":[{"a":{"$lt":2}},{"a":"s1"}]}', 3],
  ['{"a":{"$nin":[4]}}', null],
  ['{"a":{"$type":"string"}}', null],
  ['{"a.0":7}', null],
];

test("an index finds the values that conditions leave, and lists that may contain them", () => {
  for (const lists of [0, 5]) {
    const scene = new Scene(RUNS + 2);
    scene.run(["DOC.CREATE", "d"]);
    scene.run(["DOC.INDEX", "CREATE", "d", "a"]);
    const values = Array.from({ length: 100 }, (_, n) => [String(n), `"s${n}"`]).flat();
    for (const value of [...values, ...Array<string>(lists).fill("[7]")])
      scene.run(["DOC.INSERT", "d", `{"a":${value},"b":0}`]);
    for (const [where, entries] of INDEXED) {
      const plan = scene.run(["DOC.GET", "d", "WHERE", where, "EXPLAIN"]);
      assert.ok(plan.kind === "map");
      const [, reads, , , , checked] = plan.items;
      assert.equal(reads?.kind === "bulk" && reads.bytes === "index", entries !== null, where);
      if (entries !== null && !where.includes("$or"))
        assert.deepEqual(checked, { kind: "integer", value: entries + lists }, where);
      assert.equal(scene.count("WHERE", where), scene.rows("WHERE", where).length, where);
    }
  }
});

test("the written form of an integer has no effect on equality, not even within lists", () => {
  const scene = new Scene(0);
  scene.run(["DOC.CREATE", "d"]);
  scene.run([
    "DOC.INSERT",
    "d",
    '{"a":[4611686018427387904]}',
    '{"a":[4.611686018427387904e18]}',
    '{"a":[4611686018427387905]}',
  ]);
  assert.equal(scene.count("WHERE", '{"a":[4611686018427387904]}'), 2);
  assert.equal(scene.count("WHERE", '{"a":[4611686018427387904.0]}'), 2);
});

test("queries find the existing entries after many entries were removed, and after these were restored", () => {
  const scene = new Scene(RUNS + 1, true);
  scene.run(["DOC.CREATE", "d"]);
  const entries = Array.from({ length: 300 }, (_, n) => `{"a":${n % 3},"n":${n}}`);
  scene.run(["DOC.INSERT", "d", "KEYS", ...entries.flatMap((entry, n) => [`k${n}`, entry])]);
  const valuesBy = (query: string) => scene.rows("QUERY", query).map(({ entry }) => entry["n"]);
  const before = valuesBy('{"a":"1"}');
  assert.equal(before.length, 100);

  // A few removals leave holes. If most entries are removed, the holes are closed.
  for (const removedCount of [20, 200]) {
    const records: UndoRecord[] = [];
    for (let n = 0; n < removedCount; n++) scene.run(["DOC.DELETE", "d", `k${n}`], records);
    const remaining = before.filter((n) => Number(n) >= removedCount);
    assert.deepEqual(valuesBy('{"a":"1"}'), remaining);
    assert.deepEqual(valuesBy('{"n":7}'), []);
    scene.database.undo(records);
    assert.deepEqual(valuesBy('{"a":"1"}'), before);
    assert.deepEqual(valuesBy('{"n":7}'), [7]);
  }
});
