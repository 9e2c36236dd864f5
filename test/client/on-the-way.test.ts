/** Since when a daemon has owed an answer. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { OnTheWay } from "../../client/on-the-way.js";
import type { Sending } from "../../client/sending.js";
import type { Wait } from "../../protocol/messages-v2.js";

const sending = (wait: Wait | null): Sending =>
  ({ writes: 0, batch: { wait, envelope: { message: Buffer.alloc(1) } } }) as unknown as Sending;

test("a daemon owes nothing for answers that wait", () => {
  const onTheWay = new OnTheWay();
  onTheWay.add(sending({ kind: "stable" }), 1);
  assert.equal(onTheWay.owingSince, Number.POSITIVE_INFINITY);
  const usual = sending(null);
  onTheWay.add(usual, 2);
  assert.equal(onTheWay.owingSince, 2);
  onTheWay.heard(3);
  assert.equal(onTheWay.owingSince, 3);
  onTheWay.remove(usual);
  onTheWay.heard(4);
  assert.equal(onTheWay.owingSince, Number.POSITIVE_INFINITY);
  assert.equal(onTheWay.isEmpty, false);
});
