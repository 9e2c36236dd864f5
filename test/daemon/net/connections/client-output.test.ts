/** Tests answers to a client that does not read them immediately. */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test } from "node:test";
import { ClientOutput, HeldBytes } from "../../../../daemon/net/connections/client-output.js";
import {
  ByteBudget,
  type ConnectionRegistry,
} from "../../../../daemon/net/connections/connection-registry.js";
import type { Dialect, LongAnswer } from "../../../../daemon/net/connections/dialect.js";
import { PushedOutput } from "../../../../daemon/net/connections/pushed-output.js";
import { double } from "../../../support/double.js";
import { keepLog } from "../../../support/log-lines.js";
import { defaultLimits } from "../../program/in-process.js";

/** Returns a socket that accepts no bytes until the test allows it. */
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

function outputTo(socket: Socket, pushes = new PushedOutput()): ClientOutput {
  const nothing = () => {};
  return new ClientOutput(
    {
      socket,
      remote: "",
      onAnswered: nothing,
      onReady: nothing,
      nextTurn: nothing,
      onClosing: () => assert.fail("closed"),
    },
    double<ConnectionRegistry>({ log: keepLog("info").log, limits: defaultLimits, pushes }),
    double<Dialect<unknown>>({ sent: nothing, readsOn: false, isInOrder: true }),
    new HeldBytes(new ByteBudget(defaultLimits)),
  );
}

test("a long answer waits until the client has read the short answers before it", () => {
  const { sent, takeAll, socket } = slowSocket();
  const output = outputTo(socket);
  const long: LongAnswer = {
    kind: "long",
    left: 0,
    write: (to) => {
      to.write("long");
      return true;
    },
  };

  output.add("short");
  assert.equal(output.addLong(long), false, "no further request is served");
  assert.ok(output.isFull);
  assert.deepEqual(sent, ["short"]);

  takeAll();
  assert.ok(output.drained());
  output.continueLong();
  assert.deepEqual(sent, ["short", "long"]);
});

test("each client receives its own pushed messages and answers in order", () => {
  const pushes = new PushedOutput();
  const [one, other] = [slowSocket(), slowSocket()];
  const [first, second] = [outputTo(one.socket, pushes), outputTo(other.socket, pushes)];
  for (const output of [first, second]) output.push("a");
  second.add("[b]");
  for (const output of [first, second]) output.push("c");
  first.push("d");
  second.flush();
  // "1234" is as long as "a[b]", which the output contained before its flush.
  second.add("1234");
  second.push("e");
  second.push("c");
  for (const output of [first, second]) output.flush();
  assert.deepEqual([one.sent, other.sent], [["acd"], ["a[b]c", "1234ec"]]);
});
