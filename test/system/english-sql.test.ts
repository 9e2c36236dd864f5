/** English SQL statements have the meaning of standard SQL. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { freePort } from "../support/free-port.js";
import { RedisConnection, textOfValue } from "../support/redis-connection.js";

describe("SQL in English", { timeout: 120_000 }, () => {
  let daemon: DaemonProcess;
  let line: RedisConnection;
  before(async () => {
    const resp = await freePort();
    daemon = await startDaemon(["--resp", String(resp)]);
    line = await RedisConnection.open(resp);
    await line.value("SQL", "", "create database shop");
    await line.value("SQL", "shop", "create table item (id number, name text(0,40), price number)");
    const rows = "(3,'c',null),(1,'a',10),(2,'b',20),(4,null,30)";
    const inserted = await line.value("SQL", "shop", `insert into item values ${rows}`);
    assert.equal(inserted, 4, textOfValue(inserted));
  });
  after(async () => {
    line?.[Symbol.dispose]();
    await daemon?.[Symbol.asyncDispose]();
  });

  /** Executes a statement. @returns the rows of its answer, as JSON */
  async function rows(statement: string): Promise<string> {
    const answer = await line.value("SQL", "shop", statement);
    assert.ok(Array.isArray(answer), `${statement}: ${textOfValue(answer)}`);
    return JSON.stringify((answer as unknown[])[(answer as unknown[]).indexOf("rows") + 1]).replaceAll(
      '"',
      "",
    );
  }

  for (const [statement, expected] of [
    ["select id from item order by id limit 1", "[[1]]"],
    ["select count(*) n from item", "[[4]]"],
    ["select id from item order by 1", "[[1],[2],[3],[4]]"],
    ["select id, price from item where id < 3 order by 2 desc", "[[2,20],[1,10]]"],
    ["select id from item where price = 1e1", "[[1]]"],
    ["select id from item where id < 2 -- the first", "[[1]]"],
    ["select id /* its number */ from item where id = 2", "[[2]]"],
    ["select price + 1 p from item where id = 3", "[[null]]"],
    ["select count(price) n from item", "[[3]]"],
  ] as const)
    test(statement, async () => assert.equal(await rows(statement), expected));
});
