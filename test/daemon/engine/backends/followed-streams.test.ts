/** Tests which entries a reply to XREAD contains while other daemons have not closed the dates of all entries. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { answerWhenClosed, openPart } from "../../../../daemon/engine/backends/followed-streams.js";
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

/** Dates that are closed when the test calls `closed`. */
function datesClosedTo(closedTo: number) {
  const dates = {
    newest: 50,
    to: closedTo,
    requested: [] as number[],
    waiting: [] as (() => void)[],
    closedTo: () => dates.to,
    close: (at: number, done: () => void) => {
      dates.requested.push(at);
      dates.waiting.push(done);
    },
  };
  return dates;
}

test("a client that does not wait for data receives what is closed, or waits until something is", async () => {
  const dates = datesClosedTo(10);
  let all = reply({ s: ["10-0", "20-0"] });
  assert.deepEqual(
    answerWhenClosed(dates, all, () => all),
    reply({ s: ["10-0"] }),
  );
  assert.deepEqual(dates.requested, [20], "so that the next read finds it closed");
  all = reply({ s: ["20-0"] });
  const waiting = answerWhenClosed(dates, all, () => all);
  assert.ok(waiting instanceof Promise);
  // An earlier and a later entry arrive in the meantime, and one member does not answer in time.
  all = reply({ s: ["15-0", "20-0", "30-0"] });
  dates.waiting[1]?.();
  assert.deepEqual(await waiting, reply({ s: ["15-0", "20-0"] }));
});

test("the one entry that the client itself has just added is not held back, but any other entry is", () => {
  const lastWrite = { orderKey: { at: 20, seq: 0, id: "" }, unapplied: 0, deciding: null, following: 0 };
  const isHeldBack = (ids: readonly string[], closedTo: number) =>
    answerWhenClosed(
      datesClosedTo(closedTo),
      reply({ s: ids }),
      () => reply({ s: ids }),
      lastWrite,
    ) instanceof Promise;

  assert.equal(isHeldBack(["20-0"], 10), false);
  assert.deepEqual(
    answerWhenClosed(
      datesClosedTo(10),
      reply({ s: ["10-0", "20-0"] }),
      () => reply({ s: ["10-0", "20-0"] }),
      lastWrite,
    ),
    reply({ s: ["10-0", "20-0"] }),
  );
  assert.ok(isHeldBack(["15-0", "20-0"], 10));
  assert.ok(isHeldBack(["20-0", "30-0"], 10));
  assert.ok(
    answerWhenClosed(datesClosedTo(10), reply({ s: ["20-0"] }), () => reply({ s: ["20-0"] })) instanceof
      Promise,
  );
});
