/** Tests the search for a document's members in valid and in arbitrary bytes. DBSYNC_SEED replays a run. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Document, BSON as Package } from "mongodb";
import { seed } from "../../../../test/support/seed.js";
import { SeededRandom } from "../../../../test/support/seeded-random.js";
import * as writer from "../../bytes/bson-documents.js";
import {
  documentBytes,
  element,
  elements,
  int32,
  int32Bytes,
  list,
  MalformedBson,
  membersOf,
  textOf,
} from "../../bytes/bson-documents.js";

const { Binary, Code, Decimal128, Double, Int32, Long, MaxKey, MinKey, ObjectId, Timestamp } = Package;
const DOCUMENTS = 3000;

/** A document with a value of each type. */
const ALL: Document = {
  double: new Double(1.5),
  text: "a text é",
  document: { deep: { deeper: 1 } },
  array: [1, "two", null],
  binary: new Binary(Buffer.from("bytes"), 4),
  id: new ObjectId("0123456789abcdef01234567"),
  yes: true,
  date: new Date(1e12),
  nil: null,
  pattern: /ab+c/i,
  code: new Code("return 1"),
  scoped: new Code("return a", { a: 1 }),
  int32: new Int32(-7),
  timestamp: new Timestamp({ t: 1, i: 2 }),
  int64: Long.fromString("-9007199254740993"),
  decimal: Decimal128.fromString("1.10"),
  least: new MinKey(),
  most: new MaxKey(),
};

test("members of all types are found in documents of the package bson", () => {
  const bytes = Buffer.from(Package.serialize(ALL));
  const members = [...membersOf(bytes)];
  assert.deepEqual(
    members.map(({ name }) => name),
    Object.keys(ALL),
  );
  for (const { name, start, end } of members) {
    const alone = documentBytes(bytes.toString("latin1", start, end));
    const { [name]: value } = Package.deserialize(Buffer.from(alone, "latin1"), { promoteValues: false });
    assert.deepEqual(value, Package.deserialize(bytes, { promoteValues: false })[name]);
  }
});

test("the package bson parses the written documents", () => {
  const written = elements({
    int32: int32(-2),
    int64: writer.int64(-3n),
    double: writer.double(0.1),
    yes: writer.boolean(true),
    no: writer.boolean(false),
    date: writer.date(1e12),
    words: textOf("é"),
    id: writer.objectId("0123456789ab"),
    bytes: writer.binary(4, "\x00\xff"),
    list: list([int32(1), textOf("b")]),
    inner: writer.document({ a: int32(1) }),
  });

  const read = Package.deserialize(Buffer.from(documentBytes(written), "latin1"));
  assert.deepEqual(
    [read["int32"], read["int64"], read["double"], read["yes"], read["no"], read["date"]],
    [-2, -3, 0.1, true, false, new Date(1e12)],
  );
  assert.deepEqual([read["words"], read["list"], read["inner"]], ["é", [1, "b"], { a: 1 }]);
  assert.equal(read["id"].toString(), Buffer.from("0123456789ab").toString("hex"));
  assert.deepEqual([read["bytes"].sub_type, [...read["bytes"].buffer]], [4, [0, 255]]);
});

test("the time for a document within a hundred thousand others is proportional to its length", () => {
  let bomb = documentBytes("");
  for (let depth = 0; depth < 100; depth++) bomb = documentBytes(element("a", writer.embedded(bomb)));
  const nested = `${`${int32Bytes(0x7fffffff)}\x03a\0`.repeat(100_000)}`;
  const within = documentBytes(`\x03a\0${int32Bytes(nested.length + 5)}${nested}\0`);
  for (const document of [bomb, within])
    assert.equal([...membersOf(Buffer.from(document, "latin1"))].length, 1);
});

test("arbitrary bytes are parsed as members within the document, or are malformed", () => {
  const random = new SeededRandom(seed());
  const whole = Buffer.from(Package.serialize(ALL));
  for (let count = 0; count < DOCUMENTS; count++) {
    const bytes = Buffer.from(whole);
    for (let change = random.below(4); change >= 0; change--)
      bytes[random.below(bytes.length)] = random.below(256);
    try {
      let last = 4;
      for (const { start, from, end } of membersOf(bytes)) {
        assert.ok(start === last && from > start && end >= from && end < bytes.length);
        last = end;
      }
      assert.equal(last, bytes.length - 1);
    } catch (problem) {
      assert.ok(problem instanceof MalformedBson, String(problem));
    }
  }
});
