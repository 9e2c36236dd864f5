/** Tests a terminal session of `dbsync sql`: statements over several lines, completion, connections that break. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { HistoryFile } from "../../../../tools/cli/shared/history-file.js";
import { tableOf } from "../../../../tools/cli/sql/print-answer.js";
import { SqlSession } from "../../../../tools/cli/sql/sql-client-session.js";
import { readSqlAddress } from "../../../../tools/cli/sql/sql-server-client.js";
import { Completion, converse } from "../../../../tools/cli/sql/sql-terminal.js";
import { type SqlScene, startSql } from "../../../faces/sql/scene.js";
import { double } from "../../../support/double.js";
import { Typist } from "../typist.js";
import { startRecorded } from "./recorded-server.js";

let scene: SqlScene;
before(async () => {
  scene = await startSql();
  await scene.exchange(`create database shop; use shop; create table item (id number, price number);
    create table other (idle text); create view cheap as select id cheapest from item;`);
});
after(() => scene[Symbol.asyncDispose]());

const sessionAt = (port: number) => new SqlSession(readSqlAddress(`127.0.0.1:${port}`));

test("a statement may span lines and use completion, and the history contains all lines except logins", async () => {
  using session = sessionAt(scene.port);
  await session.open();
  const typist = new Typist();
  const kept: string[] = [];
  const history = double<HistoryFile>({ lines: ["older"], add: (line: string) => void kept.push(line) });
  const talk = converse({ session, isJson: false, history }, typist);
  await typist.types("use shop;\r", "shop> ");
  await typist.types("insert into item values (1,\r", "...> ");
  await typist.types("2);\r", "shop> ");
  await typist.types("login a b;\r", "shop> ");
  await typist.types("use shop; login a secret;\r", "shop> ");
  await typist.types("login\r", "...> ");
  await typist.types("a secret;\r", "shop> ");
  await typist.types("sele\t", "select");
  await typist.types(" pri", "pri");
  await typist.types("ce from it\t", "item");
  const output = await typist.types(";\r", "(1 row)", "shop> ");
  assert.match(output, /price\r?\n-----\r?\n {4}2\r?\n/);
  await typist.types("select 'dropped\r", "...> ");
  await typist.types("\x03", "shop> ");
  await typist.types("select 3 three;\r", "(1 row)");
  typist.input.write("miala\r");
  await talk;
  assert.ok(kept.includes("use shop;") && !kept.some((line) => /login|secret/.test(line)), String(kept));
});

test("completion offers words, tables and views, and columns of the tables in the statement", async () => {
  using session = sessionAt(scene.port);
  await session.open();
  const completion = new Completion(session);
  assert.deepEqual(await completion.offer("ala", ""), [["alahatra", "alaivo"], "ala"]);
  assert.deepEqual(await completion.offer("ALAI", ""), [["ALAIVO"], "ALAI"]);
  assert.deepEqual(await completion.offer("use sho", ""), [["shop", "show"], "sho"]);
  await session.query("use shop");
  assert.deepEqual(await completion.offer("select * from che", ""), [["cheap"], "che"]);
  assert.deepEqual(await completion.offer("select pri", ""), [["primary"], "pri"]);
  assert.deepEqual(await completion.offer("where pri", "select *\nfrom item\n"), [
    ["price", "primary"],
    "pri",
  ]);
  assert.deepEqual(await completion.offer("select * from cheap where cheape", ""), [["cheapest"], "cheape"]);
  await session.query("create table fresh (k number)");
  completion.forget();
  assert.deepEqual(await completion.offer("from fre", ""), [["fresh"], "fre"]);
});

test("completion finds the columns of the original's tables by a query without rows", async () => {
  const relation = (columns: readonly string[], rows: readonly string[][]) => {
    const heads = columns.map((name) => ({ name, origin: null }));
    const page = { type: "relation", name: "r", page: 1, totalPages: 1, columns: heads, rows };
    return `RELATION_JSON_PAGE 1/1\n${JSON.stringify(page)}\nRELATION_JSON_END\nRESULT_MESSAGE\nOK\nEND\n`;
  };
  await using server = await startRecorded({
    "ampiasao toko": "RESULT_MESSAGE\nNy tahiry : toko dia miasa ankehitriny\nEND\n",
    "asehoy ny tahiry": relation(["fanasehoana"], [["toko"]]),
    "asehoy ny tabilao": relation(["fanasehoana"], [["olona"]]),
    "asehoy ny jery": relation(["fanasehoana"], []),
    "alaivo * #ao@ olona #fetra 0 0": relation(["anarana", "taona"], []),
  });
  using session = sessionAt(server.port);
  await session.query("ampiasao toko");
  const completion = new Completion(session);
  assert.deepEqual(await completion.offer("alaivo tao", ""), [[], "tao"]);
  assert.deepEqual(await completion.offer("alaivo * #ao@ olona #rehefa tao", ""), [["taona"], "tao"]);
});

test("after a lost connection the next statement reconnects, and selects the same database", async () => {
  await using server = await startRecorded({
    "ampiasao toko": "RESULT_MESSAGE\nNy tahiry : toko dia miasa ankehitriny\nEND\n",
    "alaivo 1": null,
  });
  using session = sessionAt(server.port);
  await session.query("ampiasao toko");
  await assert.rejects(session.query("alaivo 1"), /it is unknown whether the statement was executed/);
  assert.equal((await session.query("alaivo 2")).kind, "error");
  assert.deepEqual(server.received, [
    ...["pages 1000", "ampiasao toko", "alaivo 1"],
    ...["pages 1000", "ampiasao toko", "alaivo 2"],
  ]);
});

test("Ctrl-C stops waiting for an answer, and the next statement uses another connection", async () => {
  await using server = await startRecorded({ "alaivo 1": "", "alaivo 2": "RESULT_MESSAGE\nvita\nEND\n" });
  using session = sessionAt(server.port);
  await session.open();
  const typist = new Typist();
  const talk = converse(
    { session, isJson: false, history: double<HistoryFile>({ lines: [], add() {} }) },
    typist,
  );
  await typist.types("alaivo 1;\r", "alaivo 1;");
  while (!server.received.includes("alaivo 1")) await new Promise((resolve) => setImmediate(resolve));
  await typist.types("\x03", "sql> ");
  await typist.types("alaivo 2;\r", "vita", "sql> ");
  typist.input.write("\x04");
  await talk;
});

test("control characters are escaped", () => {
  const table = tableOf({ kind: "relation", columns: ["a\x1b[2J"], rows: [["\x07\u009b"], [null], [true]] });
  assert.equal(table, "a\\x1b[2J\n--------\n\\x07\\x9b\nnull\ntrue\n(3 rows)\n");
});
