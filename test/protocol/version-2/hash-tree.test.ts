/** Tests that exactly the path of a decision leads to the root of its proposal. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { pathsOf, rootFrom, rootOf } from "../../../protocol/version-2/hash-tree.js";

const hash = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("binary");
const idsOf = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => hash(Buffer.from(`decision ${index}`)));

test("the path of each decision leads to the root, for each number of decisions", () => {
  for (let count = 1; count <= 64; count++) {
    const ids = idsOf(count);
    const root = rootOf(ids, hash);
    for (const [index, path] of pathsOf(ids, hash).entries()) {
      const id = ids[index] as string;
      assert.ok(path.length <= 6);
      assert.equal(rootFrom(id, { index, count }, path, hash), root);
    }
  }
});

test("no other id, place or path leads to the root", () => {
  for (const count of [1, 2, 3, 5, 64]) {
    const ids = idsOf(count);
    const root = rootOf(ids, hash);
    const index = count - 1;
    const [id, path] = [ids[index] as string, pathsOf(ids, hash)[index] as string[]];
    assert.notEqual(rootFrom(hash(Buffer.from("other")), { index, count }, path, hash), root);
    assert.equal(rootFrom(id, { index, count }, [...path, id], hash), null);
    if (count === 1) continue;
    assert.equal(rootFrom(id, { index, count }, path.slice(1), hash), null);
    assert.notEqual(rootFrom(id, { index: 0, count }, path, hash), root);
    assert.notEqual(rootFrom(id, { index, count }, path.toReversed().fill(id), hash), root);
    assert.notEqual(rootOf(ids.toReversed(), hash), root);
    assert.notEqual(rootOf(ids.slice(1), hash), root);
  }
});

test("an inner node is no decision", () => {
  const [a, b, c, d] = idsOf(4) as [string, string, string, string];
  const root = rootOf([a, b, c, d], hash);
  const inner = rootOf([a, b], hash);
  assert.equal(rootFrom(inner, { index: 0, count: 2 }, [rootOf([c, d], hash)], hash), root);
  // It leads to the same root with another number of decisions, which the votes sign too.
  assert.notEqual(inner, hash(Buffer.from(a + b, "latin1")));
});
