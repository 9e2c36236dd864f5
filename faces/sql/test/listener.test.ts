/** Compares the SQL line protocol with the recorded answers of the original, and tests dbsyncd's own rules. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOfText } from "../../../protocol/byte-string.js";
import { makeFolder, startReplica } from "../../../test/daemon/program/replicas.js";
import { amount } from "../../../test/support/amount.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { RedisConnection } from "../../../test/support/redis-connection.js";
import { slowEnvironment } from "../../../test/support/slow-environment.js";
import { FULL } from "../../../test/support/unbounded-memory.js";
import { STATEMENT_BYTES_MAX } from "../store/grammar/parse.js";
import { replay } from "./replay.js";
import { type SqlScene, startSql } from "./scene.js";
import { scenarios } from "./store/commands/transcript.js";

const frames = (answer: string) => (answer.match(/^END$/gm) ?? []).length;

test("frames equal the original's, byte for byte", async () => {
  let scene: SqlScene = await startSql();
  try {
    const compared = await replay({
      port: () => scene.port,
      async empty() {
        await scene[Symbol.asyncDispose]();
        scene = await startSql();
      },
    });
    assert.ok(compared > 400, String(compared));
  } finally {
    await scene[Symbol.asyncDispose]();
  }
});

const page = (value: string) =>
  `RELATION_JSON_PAGE 1/1\n{"type":"relation","name":"dual_projection","page":1,"totalPages":1,"columns":[{"name":"x","origin":null}],"rows":[[${value}]]}\nRELATION_JSON_END\nRESULT_MESSAGE\nOK\nEND\n`;

test("a ; in a string does not end a statement; a packet may contain several statements, and a statement may span packets", async () => {
  await using scene = await startSql();
  assert.equal(await scene.exchange("alaivo 'a;b' x; ;alaivo\n 2 x;"), page('"a;b"') + page("2.0"));
  assert.equal(
    await scene.exchange(`select 'it''s; \\'; "' x;select "';" x`),
    page(`"it's; '; \\""`) + page(`"';"`),
  );
  using client = await RawClient.open(scene.port);
  for (const byte of "alaivo 'é;' x;") client.send(bytesOfText(byte));
  const expected = bytesOfText(page('"é;"'));
  assert.equal(await client.read(expected.length), expected);
});

test("each answer is counted, and whether it is an error", async () => {
  const counts: (readonly [units: number, errors: number])[] = [];
  await using scene = await startSql({
    observer: { served: (_, units, errors) => void counts.push([units, errors]) },
  });
  await scene.exchange("select 1 x; select y; select 2 x;");
  assert.deepEqual(counts, [
    [1, 0],
    [1, 1],
    [1, 0],
  ]);
});

test("a last statement without ; is executed once the client ends its stream", async () => {
  await using scene = await startSql();
  assert.equal(await scene.exchange("alaivo 3 x"), page("3.0"));
  assert.equal(await scene.exchange("alaivo 3 x;\n \n"), page("3.0"));
  assert.match(await scene.exchange("alaivo 'tsy;"), /^RESULT_MESSAGE\nHadisoana : .*toerana 8.*\nEND\n$/);
});

test("dbsyncd handles several statements in a packet, spaces and line breaks as the original does", async () => {
  await using scene = await startSql();
  const steps = scenarios.find(({ name }) => name === "framing")?.steps ?? [];
  // The remaining steps contain a `;` in a string, or an invalid statement, whose error states the position.
  for (const number of [0, 1, 2, 7])
    assert.equal(await scene.exchange(steps[number]?.send ?? ""), steps[number]?.expect);
  for (const number of [4, 5, 6])
    assert.match(
      await scene.exchange(steps[number]?.send ?? ""),
      /^RESULT_MESSAGE\nHadisoana : .*(?:andalana \d, toerana|line \d, column) \d.*\nEND\n$/,
    );
});

test("a client can request larger pages for its connection", async () => {
  await using scene = await startSql();
  const rows = Array.from({ length: 45 }, (_, n) => `(${n})`).join(",");
  const make = `create database d;use d;create table t (n number);insert into t values ${rows};`;
  assert.equal((await scene.exchange(`${make}select * from t;`)).match(/^RELATION_JSON_PAGE/gm)?.length, 3);
  const answer = await scene.exchange("use d;pages 100;select * from t;");
  assert.deepEqual(answer.match(/^RELATION_JSON_PAGE.*/gm), ["RELATION_JSON_PAGE 1/1"]);
  assert.match(await scene.exchange("use d;pages 0;"), /Hadisoana/);
});

test("a line that consists of END, in a statement or in data, cannot break a frame", async () => {
  await using scene = await startSql();
  assert.equal(frames(await scene.exchange("alaivo 1 #rehefa 1=1 x\nEND\ny;")), 1);
  assert.equal(frames(await scene.exchange("select 'a\nEND\nb' x;select `\nEND\n;")), 2);
  const answer = await scene.exchange(
    "manamboara tahiry d;ampiasao d;manamboara efitra e (TANISA('\nEND\n'));manamboara tabilao t (k e);manampia ao@ t (k) sanda ('\nEND\nx');",
  );
  assert.equal(frames(answer), 5);
});

test("a refused USE changes nothing, and each connection has its own database", async () => {
  await using scene = await startSql();
  const answer = await scene.exchange("create database d;use d;use e;create table t (k number);show tables;");
  assert.match(answer, /Hadisoana : there is no database e\n/);
  assert.match(answer, /"rows":\[\["t"\]\]/);
  assert.match(
    await scene.exchange("show tables;"),
    /no database is chosen: write use x \(after create database x\), or name it in the command: SQL x\n/,
  );
});

const framesOf = (texts: readonly string[]) => texts.map((text) => `RESULT_MESSAGE\n${text}\nEND\n`).join("");
const ENGLISH =
  "create database d;use d;create table t (k number);insert into t values (1),(2);delete from t where k = 1;drop table t;";
const ENGLISH_ANSWERS = [
  "database d is made",
  "database d is chosen",
  "table t is made",
  "2 rows",
  "1 row",
  "",
];
const MALAGASY =
  "manamboara tahiry e;ampiasao e;manamboara tabilao t (k ISA(0,9));manampia ao@ t (k) sanda (1);";
const MALAGASY_ANSWERS = [
  "Ny tahiry : e dia voaforona soamantsara",
  "Ny tahiry : e dia miasa ankehitriny",
  "Ny tabilao : t dia voaforona soamantsara",
  "Tafinditra ny fiovana ny tabilao",
];

test("a confirmation is in the language of its statement", async () => {
  await using scene = await startSql();
  assert.equal(
    await scene.exchange(`${ENGLISH}${MALAGASY}pages 30;pejy 30;`),
    framesOf([
      ...ENGLISH_ANSWERS,
      ...MALAGASY_ANSWERS,
      "the number of rows per page was changed",
      "Voaova ny haben'ny pejy",
    ]),
  );
  assert.match(
    await scene.exchange("show databases;"),
    /"name":"name".*"columns":\[\{"name":"name","origin":"name"\}\]/,
  );
  assert.match(
    await scene.exchange("asehoy ny tahiry;"),
    /"columns":\[\{"name":"fanasehoana","origin":"fanasehoana"\}\]/,
  );
});

test("--sql-language selects the language of all confirmations", async () => {
  await using english = await startSql({ language: "en" });
  assert.match(
    await english.exchange(MALAGASY),
    /database e is made[\s\S]*database e is chosen[\s\S]*1 row\n/,
  );
  await using malagasy = await startSql({ language: "mg" });
  assert.match(
    await malagasy.exchange(ENGLISH),
    /d dia voaforona[\s\S]*d dia miasa[\s\S]*Tafinditra ny fiovana/,
  );
});

test("a client that must log in first sends its name and password, and then has the rights of that user", async () => {
  const users = [
    "user default off",
    "user shop on >secret ~sql:shop ~sql:shop:* +@sql",
    "user voila on >voil\xc3\xa0 +@sql",
  ];
  await using scene = await startSql({ users });

  assert.match(await scene.exchange("alaivo 1;"), /Hadisoana : Midira aloha/);
  assert.match(
    await scene.exchange("login shop wrong;alaivo 1;"),
    /wrong name or password\n[\s\S]*Midira aloha/,
  );
  assert.match(await scene.exchange("select 1;"), /Hadisoana : log in first/);

  const answer = await scene.exchange(
    "login shop secret;create database shop;use shop;create table t (k number);select * from t;create database other;show databases;",
  );
  const replies = [...answer.matchAll(/^RESULT_MESSAGE\n(.*)$/gm)].map(([, text]) => text);
  assert.deepEqual(
    replies.slice(0, 5).map((text) => text?.startsWith("Hadisoana")),
    [false, false, false, false, false],
  );
  assert.ok(
    replies.slice(5).every((text) => text?.startsWith("Hadisoana : this user has no permission")),
    answer,
  );
  assert.match(await scene.exchange("login voila voil\xc3\xa0;"), /logged in/);

  const long = `select '${"x".repeat(5000)}' x;`;
  assert.match(await scene.exchange(long), /the statement is longer than this server accepts/);
  assert.match(await scene.exchange(`alaivo ${long};`), /Lava loatra ny fanontaniana/);
  assert.match(await scene.exchange(`login shop secret;${long}`), /logged in[\s\S]*"rows":\[\["x{5000}"\]\]/);
  assert.match(await scene.exchange(`login shop wrong;${long}`), /wrong name[\s\S]*longer than/);
});

test("a relation that exceeds the maximum string length is refused, whatever the page size", async () => {
  await using scene = await startSql();
  // Each page repeats the column's name.
  const name = "n".repeat(2_000_000);
  const rows = Array.from({ length: 400 }, (_, i) => `(${i})`).join();
  const answer = await scene.exchange(
    `create database d;use d;create table t (k number);insert into t values ${rows};pages 1;select k as ${name} from t;select 1;`,
  );
  assert.match(answer, /the answer would be too long: use limit\n[\s\S]*\[\[1\.0\]\]/);
});

test("while memory is full, rows can be read but not added", async () => {
  await using scene = await startSql({ memory: FULL });
  assert.match(
    await scene.exchange("create database d;alaivo 1;"),
    /Hadisoana : memory is full\n[\s\S]*"rows":\[\[1\.0\]\]/,
  );
});

test("the size of statements and answers is limited, and a browser's request ends the connection", async () => {
  await using scene = await startSql({ limits: { maxOutputBytes: 4096 } });
  assert.match(
    await scene.exchange(`select '${"x".repeat(4096)}';select 1;`),
    /the answer would be too long: use limit\n[\s\S]*\[\[1\.0\]\]/,
  );
  assert.match(
    await scene.exchange(`select 1;select '${"x".repeat(STATEMENT_BYTES_MAX)}';select 1;`),
    /\[\[1\.0\]\][\s\S]*the statement is longer than this server accepts\nEND\n$/,
  );
  const refusal = await scene.exchange("POST / HTTP/1.1\r\nHost: here\r\n\r\n;create database d;");
  assert.match(refusal, /^HTTP\/1\.1 400 [\s\S]*\r\n\r\nthis port serves SQL \(--sql\).*\n$/);
  assert.match(await scene.exchange("show databases;"), /"rows":\[\]/);
});

test("recorded data is available to Redis clients and after a restart", async () => {
  using folder = makeFolder();
  const args = ["--data", folder.path, "--sql", "0", "--resp", "0"];
  {
    await using replica = await startReplica({ args });
    using client = await RawClient.open(replica.daemon.addressOf("sql")?.port ?? 0);
    client.send(
      "create database d;use d;create table t (k number primary key);insert into t values (1),(2);delete from t where k = 1;",
    );
    client.socket.end();
    assert.equal(frames(await client.rest()), 5);
  }
  await using replica = await startReplica({ args });
  using redis = await RedisConnection.open(replica.daemon.addressOf("resp")?.port ?? 0);
  const reply = await redis.call("SQL", "d", "select count(*) from t");
  assert.match(JSON.stringify(reply), /"bytes":"1"/);
});

test("a long query does not block other connections, and returns the rows that existed when it began", async () => {
  await using scene = await startSql({ language: "en" }, slowEnvironment());
  const count = amount(400, 1300);
  const rows = Array.from({ length: count }, (_, i) => `(${i})`).join();
  await scene.exchange(`create database d;use d;create table t (k number);insert into t values ${rows};`);

  using long = await RawClient.open(scene.port);
  using short = await RawClient.open(scene.port);
  const change = "use d;delete from t where k > 9;insert into t values (-1);select count(*) n from t;";

  long.send("use d;");
  await long.readTo("END\n");
  long.send("select count(*) n, min(a.k) k from t a join t b on a.k < b.k;");

  short.send(change);
  for (let i = 0; i < 3; i++) await short.readTo("END\n");
  assert.match(await short.readTo("END\n"), /"rows":\[\[11\.0\]\]/);
  assert.equal(long.received, "", "the long query was answered too early");
  assert.match(
    await long.readTo("END\n"),
    new RegExp(`"rows":\\[\\[${(count * (count - 1)) / 2}\\.0,0\\.0\\]\\]`),
  );

  await long.readTo("END\n");
  long.send("select a.k / 0 x, 1e308 * 10 y from t a;");
  assert.match(await long.readTo("END\n"), /Hadisoana : a number becomes too large/);
});
