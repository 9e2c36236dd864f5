/** Tests that SQL queries over RESP yield to other connections, except in a transaction. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { writeCommand } from "../../../protocol/resp/resp-writer.js";
import { amount } from "../../../test/support/amount.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { slowEnvironment } from "../../../test/support/slow-environment.js";
import { startResp } from "./scene.js";

const ROWS = amount(30_000, 100_000);
const BATCH = 1000;

test("a long query does not block another connection; later commands on its own connection are answered after it", async () => {
  await using scene = await startResp({ environment: slowEnvironment() });
  using querying = await RawClient.open(scene.port);
  using other = await RawClient.open(scene.port);

  querying.send(writeCommand(["SQL", "", "create database d"]));
  querying.send(writeCommand(["SQL", "d", "create table t (a number)"]));
  await querying.read("+OK\r\n+OK\r\n".length);
  for (let from = 0; from < ROWS; from += BATCH) {
    const values = Array.from({ length: BATCH }, (_, i) => `(${from + i})`).join(",");
    querying.send(writeCommand(["SQL", "d", `insert into t values ${values}`]));
    await querying.read(`:${BATCH}\r\n`.length);
  }

  const order: string[] = [];
  querying.send(
    writeCommand(["SQL", "d", "select count(*) from t where a + 1 > 0"]) + writeCommand(["PING"]),
  );
  const answered = querying.readTo("+PONG\r\n").then((bytes) => {
    order.push("query");
    return bytes;
  });

  other.send(writeCommand(["ECHO", "meanwhile"]));
  await other.readTo("meanwhile\r\n");
  order.push("other");
  const answer = await answered;

  assert.deepEqual(order, ["other", "query"]);
  assert.ok(answer.includes(`${ROWS}\r\n`), answer.slice(0, 300));
  assert.ok(answer.endsWith("+PONG\r\n"));
});
