/** Tests the envelopes in flight to a daemon: their limits, and how long the daemon has been silent. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { InFlightEnvelopes, type Sending } from "../../../client/calls/sending.js";
import type { Wait } from "../../../protocol/version-2/messages-v2.js";

const sending = (wait: Wait | null): Sending =>
  ({ writes: 0, envelope: { message: Buffer.alloc(1) }, batch: { wait } }) as unknown as Sending;

test("a daemon that delays answers on request is not considered silent", () => {
  const onTheWay = new InFlightEnvelopes();
  onTheWay.add(sending({ kind: "stable" }), 1);
  assert.equal(onTheWay.silentSince, Number.POSITIVE_INFINITY);
  const usual = sending(null);
  onTheWay.add(usual, 2);
  assert.equal(onTheWay.silentSince, 2);
  onTheWay.received(3);
  assert.equal(onTheWay.silentSince, 3);
  onTheWay.remove(usual);
  onTheWay.received(4);
  assert.equal(onTheWay.silentSince, Number.POSITIVE_INFINITY);
  assert.equal(onTheWay.isEmpty, false);
});

test("delayed answers have separate limits, and do not count towards the limit of other answers", () => {
  const onTheWay = new InFlightEnvelopes();
  for (let i = 0; i < 1023; i++) onTheWay.add(sending({ kind: "stable" }), 1);
  const last = sending({ kind: "stable" });
  assert.ok(onTheWay.takes(last));
  onTheWay.add(last, 1);
  assert.ok(!onTheWay.takes(sending({ kind: "stable" })));
  for (let i = 0; i < 256; i++) {
    assert.ok(onTheWay.hasRoom && onTheWay.takes(sending(null)));
    onTheWay.add(sending(null), 1);
  }
  assert.ok(!onTheWay.hasRoom);
  onTheWay.remove(last);
  assert.ok(onTheWay.takes(last) && !onTheWay.hasRoom);
  assert.equal(onTheWay.takeAll().length, 1023 + 256);
  assert.ok(onTheWay.hasRoom && onTheWay.isEmpty);
});
