/** Answers on their way to a client who does not take them at once. */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test } from "node:test";
import { ByteBudget } from "../../../serving/connections/byte-budget.js";
import { ClientOutput } from "../../../serving/connections/client-output.js";
import type { LongAnswer } from "../../../serving/connections/dialect.js";
import { HeldBytes } from "../../../serving/connections/held-bytes.js";
import { defaultLimits } from "../../daemon/in-process.js";
import { keepLog } from "../../support/log-lines.js";

/** A socket whose system takes nothing until it is told to. */
function slowSocket() {
  const sent: string[] = [];
  let lying = 0;
  return {
    sent,
    takeAll: () => (lying = 0),
    socket: {
      get writableLength() {
        return lying;
      },
      get writableNeedDrain() {
        return lying > 0;
      },
      write(text: string) {
        sent.push(text);
        lying += text.length;
        return false;
      },
      setTimeout() {},
    } as unknown as Socket,
  };
}

test("a long answer waits for the short ones before it, which the client has to take first", () => {
  const { sent, takeAll, socket } = slowSocket();
  const output = new ClientOutput({
    ...{ socket, remote: "", host: { log: keepLog("info").log, limits: defaultLimits } },
    held: new HeldBytes(new ByteBudget(1e9, 1e9)),
    dialect: { sent: () => {}, readsOn: false, isInOrder: true },
    ...{ settled: () => {}, ready: () => {}, nextTurn: () => {}, close: () => assert.fail("closed") },
  });
  const long: LongAnswer = {
    ...{ kind: "long", left: 0 },
    write: (to) => {
      to.write("long");
      return true;
    },
  };
  output.add("short");
  assert.equal(output.addLong(long), false, "nothing more is served");
  assert.ok(output.isFull);
  assert.deepEqual(sent, ["short"]);
  takeAll();
  assert.ok(output.drained());
  output.writeOn();
  assert.deepEqual(sent, ["short", "long"]);
});
