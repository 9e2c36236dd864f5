/**
 * Tests `dbsync sql` from a pipe, with a real daemon and with a server that sends recorded answers of the original.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type SqlScene, startSql } from "../../../../faces/sql/test/scene.js";
import { scenarios } from "../../../../faces/sql/test/store/commands/transcript.js";
import type { HistoryFile } from "../../../../tools/cli/shared/history-file.js";
import { Completion, converse, SqlSession, tableOf } from "../../../../tools/cli/sql/sql.js";
import { readSqlAddress } from "../../../../tools/cli/sql/sql-server-client.js";
import { runDbsync } from "../../../client/child.js";
import { makeFolder } from "../../../daemon/program/replicas.js";
import { writeCertificate } from "../../../support/certificate-files.js";
import { type DaemonProcess, startDaemon } from "../../../support/daemon-process.js";
import { double } from "../../../support/double.js";
import { freePort, refusingAddress } from "../../../support/free-port.js";
import { until } from "../../../support/until.js";
import { Typist } from "../typist.js";
import { startRecorded } from "./recorded-server.js";

let daemon: DaemonProcess;
let address: string;
before(async () => {
  const port = await freePort();
  address = `127.0.0.1:${port}`;
  daemon = await startDaemon(["--sql", address]);
});
after(() => daemon[Symbol.asyncDispose]());

const SHOP = `create database shop; use shop;
create table item (id number primary key, name text,
                   price number);`;

test("dbsync sql prints only the results of statements from a pipe, as tables", async () => {
  const input = `${SHOP}
insert into item values (1, 'lamp; or light', 12.5), (20, 'a
b', null);
select id, name, price from item; select name from item where id = 3`;
  const { code, stdout, stderr } = await runDbsync(["sql", address], { input });
  assert.deepEqual([code, stderr], [0, ""]);
  assert.equal(
    stdout,
    [
      "id | name           | price",
      "---+----------------+------",
      " 1 | lamp; or light |  12.5",
      "20 | a\\nb           |  null",
      "(2 rows)",
      "name",
      "----",
      "(0 rows)",
      "",
    ].join("\n"),
  );
});

test("a failed statement is reported, later ones are sent, and the exit code is 1", async () => {
  const input = "select 1 one; select k frm t; select 'open";
  const { code, stdout, stderr } = await runDbsync(["sql", address], { input });
  assert.equal(code, 1);
  assert.match(stdout, /^one\n---\n {2}1\n\(1 row\)\n$/);
  assert.match(
    stderr,
    /^dbsync: .*line 1, column 14: 't'.*\ndbsync: a text in this statement has no closing quote: nothing was sent\n$/,
  );
});

test("an error explains how to write a text that seems to end with a backslash", async () => {
  const input = String.raw`select 1 one; select 'C:\' path; select 2 two;`;
  const { code, stdout, stderr } = await runDbsync(["sql", address], { input });
  assert.equal(code, 1);
  assert.match(stdout, /^one\n---\n {2}1\n\(1 row\)\n$/);
  assert.equal(
    stderr,
    "dbsync: a text in this statement has no closing quote; 'C:\\' does not end there: write \\\\ for a backslash: nothing was sent\n",
  );
  const written = await runDbsync(["sql", address], { input: String.raw`select 'C:\\' path;` });
  assert.match(written.stdout, /^path\n-+\nC:\\/);
});

test("dbsync sql --json prints each answer as a line", async () => {
  const input =
    "create database j; use j; create table t (k number, x text); insert into t values (1, 'é'); select * from t; nonsense;";
  const { code, stdout, stderr } = await runDbsync(["sql", address, "--json"], { input });
  const answers = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual([code, stderr, answers.length], [1, "", 6]);
  assert.deepEqual(answers[4], { columns: ["k", "x"], rows: [[1, "é"]] });
  assert.ok("message" in answers[0]! && "error" in answers[5]!, stdout);
});

test("a result of thousands of rows is complete", async () => {
  const values = Array.from({ length: 5_000 }, (_, i) => `(${i})`).join();
  const input = `create database m; use m; create table t (k number); insert into t values ${values}; select k from t;`;
  const { stdout } = await runDbsync(["sql", address, "--json"], { input });
  const { rows } = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "") as { rows: number[][] };
  assert.deepEqual(
    rows.map(([k]) => k),
    Array.from({ length: 5_000 }, (_, i) => i),
  );
});

test("the address contains the login and the pinned TLS key", async () => {
  using folder = makeFolder();
  const files = await writeCertificate(folder.path, { names: ["localhost"] });
  const users = join(folder.path, "users.acl");
  writeFileSync(users, "user default off\nuser rakoto on >tenimiafina ~* +@all\n");
  const port = await freePort();
  const tls = ["--tls-cert", files.certificate, "--tls-key", files.key];
  await using _ = await startDaemon(["--sql", `127.0.0.1:${port}`, "--acl-file", users, ...tls]);
  const url = (login: string) => `sqls://${login}127.0.0.1:${port}#sha256:${files.fingerprint}`;
  const input = { input: "select 1 one;" };

  const accepted = await runDbsync(["sql", url("rakoto:tenimiafina@")], input);
  assert.deepEqual([accepted.code, accepted.stderr], [0, ""]);

  const wrong = await runDbsync(["sql", url("rakoto:diso@")], input);
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /^dbsync: 127\.0\.0\.1:\d+: the server rejects the login of rakoto\n$/);
  const foreign = await runDbsync(["sql", url("")], input);
  assert.equal(foreign.code, 1, foreign.stdout);
  const plain = await runDbsync(["sql", `127.0.0.1:${port}`], input);
  assert.match(plain.stderr, /the server accepts only TLS: write sqls:\/\//);
});

test("an unreachable server and a server of another protocol are reported", async () => {
  const dead = await runDbsync(["sql", await refusingAddress()], { input: "select 1;" });
  assert.equal(dead.code, 1);
  assert.match(dead.stderr, /Connection refused \(\d+\); is dbsyncd --sql running there\?/);
  const none = await runDbsync(["sql", "json://127.0.0.1"], { input: "select 1;" });
  assert.equal(none.code, 2);
  assert.match(none.stderr, /sql:\/\/host/);
});

test("dbsync sql combines the pages of the original, and sends a statement as one line", async () => {
  const recorded = scenarios
    .flatMap(({ steps }) => steps)
    .find(({ expect = "" }) => expect.includes("RELATION_JSON_PAGE 3/3"));
  assert.ok(recorded?.send !== undefined && recorded.expect !== undefined);
  const statement = recorded.send.replace(/;\s*$/, "").trim();

  await using server = await startRecorded({ [statement]: recorded.expect });
  const input = `${statement}; fafao\nao@ t rehefa x = 'a\nEND\nb'; alaivo 'a;b';`;
  const { code, stdout, stderr } = await runDbsync(["sql", `127.0.0.1:${server.port}`, "--json"], { input });

  const [first = "", , third = ""] = stdout.split("\n");
  const { rows } = JSON.parse(first) as { rows: unknown[] };
  const pages = [...recorded.expect.matchAll(/^(\{.*\})$/gm)].map(
    ([, page = ""]) => JSON.parse(page) as { rows: unknown[] },
  );
  assert.deepEqual(
    rows,
    pages.flatMap((page) => page.rows),
  );

  assert.ok(rows.length > 40);
  assert.deepEqual([code, stderr], [1, ""]);
  assert.match(third, /treats every ; as the end of a statement, even within a string: nothing was sent/);
  assert.deepEqual(server.received, ["pages 1000", statement, "fafao ao@ t rehefa x = 'a\\nEND\\nb'"]);
});

test("a lost connection leaves a statement's outcome unknown and ends the program", async () => {
  await using server = await startRecorded({ "havaozy t ova k = 1": null });
  const input = "havaozy t ova k = 1; fafao ao@ t;";
  const { code, stderr } = await runDbsync(["sql", `127.0.0.1:${server.port}`], { input });
  assert.equal(code, 1);
  assert.match(stderr, /it is unknown whether the statement was executed\n$/);
  assert.ok(!server.received.includes("fafao ao@ t"));
});

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
  await until("the server receives the statement", () => server.received.includes("alaivo 1"));
  await typist.types("\x03", "sql> ");
  await typist.types("alaivo 2;\r", "vita", "sql> ");
  typist.input.write("\x04");
  await talk;
});

test("control characters are escaped", () => {
  const table = tableOf({ kind: "relation", columns: ["a\x1b[2J"], rows: [["\x07\u009b"], [null], [true]] });
  assert.equal(table, "a\\x1b[2J\n--------\n\\x07\\x9b\nnull\ntrue\n(3 rows)\n");
});
