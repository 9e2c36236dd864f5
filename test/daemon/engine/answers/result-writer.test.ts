/** Tests the bytes of results, and the memory that stored results use. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  decidedResultOf,
  placedResultOf,
  ResultWriter,
} from "../../../../daemon/engine/answers/result-writer.js";
import type { UnitAnswer } from "../../../../daemon/timeline/fold/fold.js";
import { bulk, error, OK, type Reply } from "../../../../protocol/reply.js";
import { bytesInUse } from "../../../support/garbage.js";

const ROOM = 1e6;

/** Returns the answer to an envelope. */
function answer(replies: readonly Reply[]) {
  const writer = new ResultWriter(ROOM, "");
  for (const reply of replies) writer.add(reply, "");
  return writer.done("i".repeat(32));
}

test("a stored answer uses about as much memory as its length", () => {
  const replies: readonly Reply[] = Array.from({ length: 256 }, () => OK);
  answer(replies);
  const before = bytesInUse();
  const stored = Array.from({ length: 1000 }, () => answer(replies));
  const memory = (bytesInUse() - before) / stored.length;
  const { length } = (stored[0] as { replies: string }).replies;
  assert.ok(memory < 1.5 * length + 200, `${memory} bytes for ${length}`);
});

test("short and long replies are written in the same way", () => {
  const long = "x".repeat(1000);
  assert.equal(answer([OK, bulk("ab")]).replies, "+OK\r\n$0\r\n\r\n$2\r\nab\r\n$0\r\n\r\n");
  assert.equal(answer([OK, bulk(long)]).replies, `+OK\r\n$0\r\n\r\n$1000\r\n${long}\r\n$0\r\n\r\n`);
});

test("an error of a decided unit may be removed by an earlier unit, unless it depends only on the command or is decided", () => {
  const flagsOf = (reply: Reply, outcome: UnitAnswer["outcome"], write = decidedResultOf) => {
    const answers = [{ reply, outcome, late: false }];
    const { replies } = write("i".repeat(32), answers, { maxReplyBytes: ROOM, readStatus: "" });
    return replies.split("\r\n").at(-2);
  };
  const wrongType = error("WRONGTYPE Operation against a key holding the wrong kind of value");
  assert.equal(flagsOf(OK, "applied"), "decided");
  assert.equal(flagsOf(wrongType, "applied"), "decided provisional");
  assert.equal(flagsOf(error("NOPERM"), "denied"), "decided provisional");
  assert.equal(flagsOf(error("ERR syntax error"), "malformed"), "decided");
  assert.equal(flagsOf({ kind: "nil-array" }, "unmet"), "decided unmet");
  assert.equal(flagsOf(error("TOOMUCH"), "too-much"), "decided");
  assert.equal(flagsOf(error("TOOMUCH"), "too-much", placedResultOf), "placed");
});
