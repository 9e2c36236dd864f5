/** Tests that a daemon finds the invalid indexes of its state, without a walk over all keys, and logs them. */
import "../../../support/all-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { InvalidIndexLog, invalidIndexesOf } from "../../../../daemon/cluster/history/invalid-indexes.js";
import { Database } from "../../../../daemon/store/database.js";
import { Keyspace } from "../../../../daemon/store/keyspace/keyspace.js";
import type { UndoRecord } from "../../../../daemon/store/keyspace/undo.js";
import type { TimelineLogger } from "../../../../daemon/timeline/entries/timeline-logger.js";
import { writeBson } from "../../../../faces/mongo/store/values/bson-writer.js";

const AT = 1_000_000;
const CREATED = writeBson(new Map([["_id", true]]));
const UNIQUE = '{"key":{"u":1},"name":"u_1","unique":true}';

class Scene {
  readonly database = new Database({ databases: 2 });
  #units = 0;

  run(argv: readonly string[], { choice, at = AT }: { choice?: readonly string[]; at?: number } = {}) {
    const records: UndoRecord[] = [];
    const id = `unit-${this.#units++}`;
    const reply = this.database.execute(argv, { at, db: 0, id, choice }, records);
    assert.notEqual(reply.kind, "error", argv.join(" "));
    return records;
  }

  /** Creates an invalid index, as recorded by a daemon that did not have the second document. */
  invalidate(collection: string): void {
    this.run(["MDB.INSERT", "d", collection, "1", '{"_id":1,"u":1}', '{"_id":2,"u":1}']);
    this.run(["MDB.CREATEINDEXES", "d", collection, UNIQUE], { choice: [CREATED] });
  }

  /** The invalid indexes, each as database and key. */
  found(at = AT): readonly string[] {
    return invalidIndexesOf(this.database, at).map(({ db, key, index }) => `${db} ${key} ${index}`);
  }
}

test("the invalid indexes follow their collections, also when a change is undone", () => {
  const scene = new Scene();
  scene.run(["SET", "k", "v"]);
  scene.run(["MDB.CREATEINDEXES", "d", "valid", UNIQUE]);
  assert.deepEqual(scene.found(), []);
  scene.invalidate("c");
  assert.deepEqual(scene.found(), ["0 mongo:d.c u_1"]);

  const changes: readonly [argv: readonly string[], after: readonly string[]][] = [
    [["MDB.DROPINDEXES", "d", "c", '{"index":"u_1"}'], []],
    [["MDB.DROP", "d", "c"], []],
    [["DEL", "mongo:d.c"], []],
    [["SET", "mongo:d.c", "text"], []],
    [["RENAME", "mongo:d.c", "mongo:d.other"], ["0 mongo:d.other u_1"]],
    [["RENAME", "k", "mongo:d.c"], []],
    [
      ["COPY", "mongo:d.c", "mongo:d.other"],
      ["0 mongo:d.c u_1", "0 mongo:d.other u_1"],
    ],
    [["MOVE", "mongo:d.c", "1"], ["1 mongo:d.c u_1"]],
    [["SWAPDB", "0", "1"], ["1 mongo:d.c u_1"]],
    [["FLUSHDB"], []],
  ];
  for (const [argv, after] of changes) {
    const records = scene.run(argv);
    assert.deepEqual(scene.found(), after, argv.join(" "));
    scene.database.undo(records);
    assert.deepEqual(scene.found(), ["0 mongo:d.c u_1"], `after ${argv.join(" ")} was undone`);
  }

  scene.run(["PEXPIREAT", "mongo:d.c", String(AT + 10)]);
  assert.deepEqual([scene.found(AT + 10), scene.found(AT + 11)], [["0 mongo:d.c u_1"], []]);
});

test("an index is invalid again after it was dropped, its collection renamed, and both undone", () => {
  const scene = new Scene();
  scene.invalidate("c");
  const dropped = scene.run(["MDB.DROPINDEXES", "d", "c", '{"index":"u_1"}']);
  const renamed = scene.run(["RENAME", "mongo:d.c", "mongo:d.other"]);
  assert.deepEqual(scene.found(), []);
  scene.database.undo(renamed);
  scene.database.undo(dropped);
  assert.deepEqual(scene.found(), ["0 mongo:d.c u_1"]);
});

test("collections whose indexes have always been valid are not examined", (t) => {
  const scene = new Scene();
  for (let i = 0; i < 10; i++) scene.run(["MDB.CREATEINDEXES", "d", `valid${i}`, UNIQUE]);
  scene.invalidate("c");
  const examined = t.mock.method(Keyspace.prototype, "find");
  assert.deepEqual(scene.found(), ["0 mongo:d.c u_1"]);
  assert.equal(examined.mock.callCount(), 1);
});

test("at most 100 invalid indexes are reported", () => {
  const scene = new Scene();
  for (let i = 0; i < 105; i++) scene.invalidate(`c${i}`);
  assert.equal(scene.found().length, 100);
});

test("a daemon logs invalid indexes once, and that there are none any more", () => {
  const scene = new Scene();
  const lines: string[] = [];
  const log: TimelineLogger = {
    info: (_, text) => lines.push(text),
    warn: (facts, text) => lines.push(`${text}: ${Object.values(facts).join(" ")}`),
    error: (_, text) => lines.push(text),
  };

  const invalidIndexLog = new InvalidIndexLog(log);
  const check = () => {
    invalidIndexLog.check(invalidIndexesOf(scene.database, AT));
    return lines.splice(0);
  };

  assert.deepEqual(check(), []);
  scene.invalidate("c");
  const [line = "", ...others] = check();
  assert.match(
    line,
    /^the index u_1 of key mongo:d\.c in database 0 was acknowledged, but is invalid, because another /,
  );
  assert.match(line, /: listIndexes there shows the reason .* create the index again$/);
  assert.deepEqual([others, check()], [[], []]);

  scene.invalidate("second");
  assert.match(check().join(), /does not permit \(and 1 more\): /);
  scene.run(["FLUSHALL"]);
  assert.deepEqual([check(), check()], [["all indexes are valid again"], []]);
});
