/** Tests that reads of many documents yield to other connections. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { realEnvironment } from "../../../net/process/clock-and-randomness.js";
import { TURN_MS } from "../../../protocol/steps.js";
import { clientOf, startMongo } from "./scene.js";

const DOCUMENTS = 50_000;

test("a read of many documents does not block another client, and returns the documents that existed when it began", async () => {
  let now = 0;
  // The clock advances by one turn at each reading, so each step of a read takes a turn.
  const uptime = () => {
    now += TURN_MS;
    return now;
  };
  await using scene = await startMongo({}, { ...realEnvironment, uptime });
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
