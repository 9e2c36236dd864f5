/** Tests which entries a reply to XREAD contains while other daemons have not closed the dates of all entries. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openPart, openPartFor } from "../../../../daemon/engine/backends/followed-streams.js";
import { array, bulk, bulks, mapInPairs, NIL_ARRAY, type Reply } from "../../../../protocol/reply.js";

const entry = (id: string): Reply => array([bulk(id), bulks(["f", "v"])]);
const reply = (streams: Readonly<Record<string, readonly string[]>>): Reply =>
  mapInPairs(Object.entries(streams).flatMap(([key, ids]) => [bulk(key), array(ids.map(entry))]));

test("entries with closed dates are sent, and later ones are held back", () => {
  const all = reply({ s: ["10-0", "20-0", "20-1", "30-0"] });
  assert.deepEqual(openPart(all, 20, 30), { reply: reply({ s: ["10-0", "20-0", "20-1"] }), awaited: 30 });
  assert.deepEqual(openPart(all, 9, 30), { reply: NIL_ARRAY, awaited: 30 });
  assert.deepEqual(openPart(all, 30, 30), { reply: all, awaited: null });
  assert.deepEqual(openPart(all, Number.POSITIVE_INFINITY, 30), { reply: all, awaited: null });
});

test("each stream is held back on its own, and the latest date is awaited", () => {
  const all = reply({ s: ["10-0", "40-0"], t: ["30-0"], u: ["5-0"] });
  assert.deepEqual(openPart(all, 10, 50), { reply: reply({ s: ["10-0"], u: ["5-0"] }), awaited: 40 });
});

test("an id that only a client can have chosen is not held back, but stays after the entries before it", () => {
  assert.deepEqual(openPart(reply({ s: ["10-0", "99-0"] }), 10, 50).awaited, null);
  assert.deepEqual(openPart(reply({ s: ["20-0", "99-0"] }), 10, 50), { reply: NIL_ARRAY, awaited: 20 });
});

test("other replies are not changed", () => {
  for (const other of [NIL_ARRAY, bulk("v"), { kind: "error", text: "ERR" } as const])
    assert.deepEqual(openPart(other, 0, 50), { reply: other, awaited: null });
});

test("a client that does not wait receives the one entry that it has just added, but nothing else earlier", () => {
  const dates = (closedTo: number) => ({ newest: 50, closedTo: () => closedTo, close: () => {} });
  const sender = { lastWrite: { orderKey: { at: 20, seq: 0, id: "" }, unapplied: 0 } };
  const of = (ids: readonly string[], closedTo: number) =>
    openPartFor(reply({ s: ids }), sender as never, dates(closedTo)).awaited;
  assert.equal(of(["10-0", "20-0"], 10), null);
  assert.equal(of(["10-0", "20-0"], 9), 20);
  assert.equal(of(["20-0", "30-0"], 10), 30);
  assert.equal(openPartFor(reply({ s: ["20-0"] }), {} as never, dates(10)).awaited, 20);
});
