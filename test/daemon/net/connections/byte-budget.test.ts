/**
 * Tests the bytes that the connections of several listeners may hold together: requests, and answers that are not read.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { REFUSALS } from "../../../../daemon/engine/answers/refusals.js";
import { NO_OBSERVER } from "../../../../daemon/engine/pipeline/pipeline-parts.js";
import { HeldBytes } from "../../../../daemon/net/connections/client-output.js";
import {
  ByteBudget,
  ConnectionRegistry,
  type OpenConnection,
} from "../../../../daemon/net/connections/connection-registry.js";
import { realEnvironment } from "../../../../daemon/net/process/clock-and-randomness.js";
import { GarbageBound } from "../../../../daemon/net/process/v8-flags.js";
import { double } from "../../../support/double.js";
import { keepLog } from "../../../support/log-lines.js";
import { defaultLimits } from "../../program/in-process.js";

const LIMITS = { ...defaultLimits, maxBufferedBytes: 1000, maxUnprovenBytes: 1000, maxRequestBytes: 1 };

/** Two listeners that share a budget. */
function scene() {
  const budget = new ByteBudget(LIMITS);
  const { log } = keepLog("debug");
  const registries = ["resp", "sql"].map(
    (name) =>
      new ConnectionRegistry(name, {
        environment: realEnvironment,
        log,
        observer: NO_OBSERVER,
        limits: LIMITS,
        refusals: REFUSALS,
        budget,
      }),
  );

  const closed: string[] = [];
  /** Opens a connection. @param unauthenticated  the address of a client that does not authenticate, or null */
  const open = (name: string, listener: number, unauthenticated: string | null = null) => {
    const registry = registries[listener] as ConnectionRegistry;
    const held = new HeldBytes(registry.budget);
    if (unauthenticated === null) held.prove();
    const connection = double<OpenConnection>({
      remote: name,
      address: unauthenticated ?? "127.0.0.1",
      activeAt: 0,
      get heldBytes() {
        return held.total;
      },
      get unreadBytes() {
        return held.answers;
      },
      destroy() {
        closed.push(name);
        held.release();
        registry.leave(connection);
      },
    });

    registry.add(connection);
    if (unauthenticated === null) registry.proved(connection);

    /** Sets the bytes of the requests and of the unread answers. */
    return (requests: number, answers: number) => {
      held.queued = requests;
      if (held.report(answers)) registry.overBudget();
    };
  };
  return { budget, registries, open, closed };
}

test("connections of all listeners share the limit, and the one with the most bytes is closed", () => {
  const { budget, registries, open, closed } = scene();
  assert.deepEqual(
    registries.map(({ rejected }) => rejected),
    [0, 0],
  );
  const [first, second, third] = [open("first", 0), open("second", 1), open("third", 0)];
  first(600, 0);
  second(300, 0);
  assert.deepEqual(closed, []);
  second(401, 0);
  assert.deepEqual(closed, ["first"]);
  assert.equal(budget.held, 401);
  third(700, 0);
  assert.deepEqual(closed, ["first", "third"]);
});

test("the garbage of long answers is bounded until all of them are read", () => {
  const bounds: boolean[] = [];
  const MIB = 1024 * 1024;
  const budget = new ByteBudget({ ...LIMITS, maxBufferedBytes: 100 * MIB }, (isBounded) =>
    bounds.push(isBounded),
  );
  const [one, other] = [new HeldBytes(budget), new HeldBytes(budget)];
  one.report(7 * MIB);
  assert.deepEqual(bounds, []);
  other.report(2 * MIB);
  one.report(0);
  assert.deepEqual(bounds, [true]);
  other.release();
  assert.deepEqual(bounds, [true, false]);

  const flags: boolean[] = [];
  let begun = 0;
  const bound = new GarbageBound(
    () => begun++,
    (isBounded) => flags.push(isBounded),
  );
  for (const isBounded of [true, false])
    for (const source of ["queries", "answers"] as const) bound.change(source, isBounded);
  assert.deepEqual(flags, [true, false]);
  assert.equal(begun, 1);
});

test("answers may use half of the limit, and the connection with the most answers is closed", () => {
  const { budget, open, closed } = scene();
  const [uploads, reads, reader] = [open("uploads", 0), open("reads", 1), open("reader", 0)];
  uploads(450, 0);
  reads(0, 300);
  reader(0, 200);
  assert.deepEqual(closed, []);
  reader(0, 201);
  assert.deepEqual(closed, ["reads"]);
  assert.equal(budget.held, 651);
  // Requests that have become answers count too, although the sum is the same.
  uploads(150, 300);
  assert.deepEqual(closed, ["reads", "uploads"]);
  reader(0, 0);
  assert.equal(budget.held, 0);
});

for (const [what, sizes, expected] of [
  ["several connections of one address that hold more than half are closed first", [261, 260, 329, 190], "b"],
  ["several connections of one address that hold half are not closed first", [260, 260, 330, 190], "d"],
  ["one connection that holds more than half is not closed first", [0, 360, 650, 0], "b"],
] as const)
  test(`of unauthenticated clients, ${what}`, () => {
    const { open, closed } = scene();
    const addresses = ["192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.3"];
    const sends = addresses.map((address, i) => open("abcd".charAt(i), 0, address));
    for (const [i, bytes] of sizes.entries()) sends[i]?.(bytes, 0);
    assert.deepEqual(closed, [expected]);
  });

test("of unauthenticated clients, those with less than half of the median are not closed, whichever came first", () => {
  for (const order of ["abcde", "edcba", "caebd", "bdace"]) {
    const { open, closed } = scene();
    const sizes: Readonly<Record<string, number>> = { a: 10, b: 20, c: 240, d: 300, e: 431 };
    const sends = [...order].map((name, i) => [name, open(name, 0, `192.0.2.${i}`)] as const);
    for (const [name, send] of sends) send(sizes[name] as number, 0);
    assert.deepEqual(closed, ["c"], order);
  }
});
