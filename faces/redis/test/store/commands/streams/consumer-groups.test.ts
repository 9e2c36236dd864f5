/** Tests edge cases of consumer groups. test/conformance compares their replies with Redis's. */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { canonicalState } from "../../../../../../daemon/store/canonical-state.js";
import { Database } from "../../../../../../daemon/store/database.js";
import type { ByteString } from "../../../../../../protocol/byte-string.js";
import type { Reply } from "../../../../../../protocol/reply.js";
import { StoreUnderTest } from "../../../../../../test/daemon/store/commands/store-under-test.js";
import { MergingFold, naiveFold } from "../../../../../../test/daemon/store/simple-fold.js";
import { Stream } from "../../../../store/values/streams/stream.js";

let store: StoreUnderTest;
beforeEach(() => {
  store = new StoreUnderTest();
});

/** Returns commands that create a stream of entries 1-0, 2-0, …, and deliver some of them to two consumers. */
const filling = (entries: number): readonly string[] => [
  ...Array.from({ length: entries }, (_, i) => `XADD s ${i + 1}-0 a ${i}`),
  "XGROUP CREATE s g 0",
  "XREADGROUP GROUP g c COUNT 3 STREAMS s >",
  "XREADGROUP GROUP g d COUNT 2 STREAMS s >",
];

function fill(entries: number): void {
  for (const line of filling(entries)) store.run(line);
}

/** Returns a separate database, whose values the test can read. */
function filled(entries: number): { database: Database; run: (argv: readonly ByteString[]) => Reply } {
  const database = new Database();
  const run = (argv: readonly ByteString[]) => database.execute(argv, { at: 1_000_000, db: 0, id: "unit" });
  for (const line of filling(entries)) run(line.split(" "));
  return { database, run };
}

test("undo reverts every write of groups", () => {
  fill(8);
  for (const line of [
    ...["XGROUP CREATE s h $", "XGROUP CREATE new g 0 MKSTREAM", "XGROUP DESTROY s g", "XGROUP SETID s g 2"],
    ...["XGROUP CREATECONSUMER s g e", "XGROUP DELCONSUMER s g c", "XGROUP SETID s g 5 ENTRIESREAD 1"],
    ...["XREADGROUP GROUP g e STREAMS s >", "XREADGROUP GROUP g c STREAMS s 0", "XACK s g 1 4-0 9"],
    ...["XREADGROUP GROUP g c NOACK STREAMS s >", "XCLAIM s g e 0 1 2 9 JUSTID", "XCLAIM s g c 0 8 8 FORCE"],
    ...["XCLAIM s g c 0 4 LASTID 9-9 RETRYCOUNT 7", "XAUTOCLAIM s g e 0 0 COUNT 2", "COPY s new", "DEL s"],
    ...["RENAME s new", "XDEL s 1-0"],
  ])
    assert.ok(store.isUndone(line), line);
  assert.ok(
    store.isUndone(
      "XDEL s 1-0 2-0",
      "XAUTOCLAIM s g e 0 0",
      "XGROUP DELCONSUMER s g d",
      "XGROUP DESTROY s g",
    ),
  );
});

test("commands without an effect leave no record, and groups do not change the stream's last writer", () => {
  fill(5);
  for (const line of [
    ...["XREADGROUP GROUP g c STREAMS s >", "XREADGROUP GROUP g nobody BLOCK 9 STREAMS s >", "XACK s g 9"],
    ...["XREADGROUP GROUP none c STREAMS s >", "XGROUP CREATE s g $", "XGROUP CREATECONSUMER s g c"],
    ...["XGROUP DELCONSUMER s g nobody", "XGROUP DESTROY s none", "XCLAIM s g nobody 0 7", "XACK none g 1"],
    ...["XAUTOCLAIM s g nobody 100000 0", "XCLAIM s g nobody 100000 1", "XPENDING s g", "XINFO GROUPS s"],
  ])
    assert.equal(store.changes(line), 0, line);
  const writers = store.run("WRITERS s");
  for (const line of ["XACK s g 1", "XREADGROUP GROUP g c STREAMS s 0", "XGROUP DESTROY s g"])
    store.run(line);
  assert.deepEqual(store.run("WRITERS s"), writers);
});

test("the read of a group with the earlier date receives the first entry, in any order of arrival", () => {
  const units = [
    ...["XADD s 1-1 f v", "XADD s 2-1 f v", "XGROUP CREATE s g 0"],
    ...["XREADGROUP GROUP g c COUNT 1 STREAMS s >", "XREADGROUP GROUP g STREAMS COUNT 1 STREAMS s >"],
  ].map((line, at) => {
    const name = line.startsWith("XGROUP") ? "XGROUP|CREATE" : (line.split(" ")[0] as string);
    return { name, argv: line.split(" "), at, db: 0, id: `unit ${at}` };
  });
  const late = units.toSpliced(3, 2, ...units.slice(3).reverse());
  const fold = new MergingFold();
  for (const unit of late) fold.add(unit);
  assert.deepEqual(canonicalState(fold.database), canonicalState(naiveFold(units).database));
});

test("a copy shares nothing with its source stream", () => {
  fill(5);
  store.run("COPY s copy");
  const before = store.run("XINFO STREAM copy FULL");
  for (const line of ["XACK s g 1 2", "XGROUP DELCONSUMER s g d", "XCLAIM s g e 0 3"]) store.run(line);
  assert.equal(store.run("XINFO STREAM copy FULL"), before);
});

test("RESTORE of a group returns what was dumped", () => {
  const { database, run } = filled(5);
  run(["XGROUP", "SETID", "s", "g", "2", "ENTRIESREAD", "2"]);
  const dumped = run(["DUMP", "s"]);
  assert.ok(dumped.kind === "bulk");
  run(["RESTORE", "copy", "0", dumped.bytes]);
  const [copy, original] = canonicalState(database).map((line) => JSON.parse(line) as unknown[]);
  assert.deepEqual(copy?.at(-1), original?.at(-1));
});

test("the pending entries of a group are exactly those of its consumers", () => {
  const { database, run } = filled(8);
  for (const line of [
    ...["XREADGROUP GROUP g c STREAMS s >", "XGROUP SETID s g 0", "XREADGROUP GROUP g e COUNT 4 STREAMS s >"],
    ...[
      "XACK s g 1",
      "XCLAIM s g c 0 2 3 FORCE",
      "XGROUP DELCONSUMER s g d",
      "XDEL s 3",
      "XAUTOCLAIM s g e 0 0",
    ],
  ]) {
    run(line.split(" "));
    const value = database.keyspaces[0]?.find("s")?.value;
    assert.ok(value instanceof Stream);
    const group = value.group("g");
    assert.ok(group !== undefined);
    const pendingOfConsumers = group.consumers.flatMap(({ pending }) => [...pending]);
    assert.deepEqual(
      [...group.pending],
      pendingOfConsumers.sort(([a], [b]) => (a < b ? -1 : 1)),
      line,
    );
    for (const consumer of group.consumers)
      for (const [, pending] of consumer.pending) assert.equal(pending.consumer, consumer, line);
  }
});
