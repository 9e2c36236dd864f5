/** Tests that reads of many documents yield to other connections. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import { TURN_MS } from "../../../protocol/steps.js";
import { amount } from "../../../test/support/amount.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { slowEnvironment } from "../../../test/support/slow-environment.js";
import { until } from "../../../test/support/until.js";
import { documentBytes, elements, embedded, int32, text } from "../bytes/bson-documents.js";
import { command } from "./bytes/messages.js";
import { clientOf, startMongo } from "./scene.js";

const DOCUMENTS = amount(15_000, 50_000);
/** Number of turns after which a read has certainly begun; it takes more than a hundred. */
const TURNS_BEGUN = 10;

test("a read of many documents does not block another client, and returns the documents that existed when it began", async () => {
  await using scene = await startMongo({}, slowEnvironment());
  await using reading = clientOf(scene.port);
  await using other = clientOf(scene.port);
  const items = reading.db("shop").collection("items");
  await items.insertMany(Array.from({ length: DOCUMENTS }, (_, n) => ({ n })));
  const otherItems = other.db("shop").collection("items");

  const reads = {
    find: () => items.find({ n: { $gte: 0 } }, { projection: { n: 1 } }).toArray(),
    count: () => items.countDocuments({ n: { $gte: 0 } }),
    distinct: () => items.distinct("n"),
    aggregate: () => items.aggregate([{ $group: { _id: "$n" } }, { $count: "n" }]).toArray(),
  };

  for (const [name, read] of Object.entries(reads)) {
    const order: string[] = [];
    // Both clients must be connected before the read begins.
    await Promise.all([items.findOne({ n: 0 }), otherItems.findOne({ n: 0 })]);
    const found = read().then((answer) => {
      order.push(name);
      return answer;
    });
    await otherItems.insertOne({ n: -1 });
    order.push("other");
    const answer = await found;

    assert.deepEqual(order, ["other", name]);
    if (typeof answer === "number") assert.equal(answer, DOCUMENTS);
    if (name === "find") assert.equal((answer as unknown[]).length, DOCUMENTS);
  }
});

test("a read ends when its client has disconnected", async () => {
  let turns = 0;
  let atTurn: (() => void) | null = null;
  const uptime = () => {
    turns++;
    atTurn?.();
    return turns * TURN_MS;
  };

  await using scene = await startMongo({}, { ...realEnvironment, uptime });
  await using client = clientOf(scene.port);
  const items = client.db("shop").collection("items");
  await items.insertMany(Array.from({ length: DOCUMENTS }, (_, n) => ({ n })));

  const query = { count: text("items"), query: embedded(documentBytes(elements({ n: int32(-1) }))) };
  const count = command(documentBytes(elements({ ...query, $db: text("shop") })));
  const turnsOf = async (reader: RawClient, end: () => Promise<unknown>) => {
    const before = turns;
    reader.send(count);
    await end();
    return turns - before;
  };

  using reader = await RawClient.open(scene.port);
  const all = await turnsOf(reader, () => reader.read(1));

  using leaving = await RawClient.open(scene.port);
  const some = await turnsOf(leaving, async () => {
    const before = turns;
    // The client disconnects in a turn of the read: on a fast machine, a timer would find the read at its end.
    await new Promise<void>((resolve) => {
      atTurn = () => {
        if (turns < before + TURNS_BEGUN) return;
        atTurn = null;
        leaving.socket.resetAndDestroy();
        resolve();
      };
    });

    let seen = 0;
    await until("no turn follows", () => {
      const isOver = turns === seen;
      seen = turns;
      return isOver;
    });
  });

  assert.ok(some < all / 2, `${some} of ${all} turns`);
});
