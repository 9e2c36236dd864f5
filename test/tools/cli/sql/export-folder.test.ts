/**
 * Tests `dbsync export sql:DIR`: real daemons export the same bytes that the earlier server writes, and import them
 * again.
 */
import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { type Client, createClient } from "../../../../client/public-api.js";
import { array, bulk, map, NIL, type Reply, status } from "../../../../protocol/reply.js";
import type { TypedRequests } from "../../../../tools/cli/shared/requests.js";
import { exportTable } from "../../../../tools/cli/sql/export-folder.js";
import { type Cluster, startCluster } from "../cluster.js";

const folder = mkdtempSync(join(tmpdir(), "dbsync-export-"));
after(() => rmSync(folder, { recursive: true }));

const relation = (rows: readonly Reply[]) => map([bulk("rows"), array(rows)]);
const rows = Array.from({ length: 40 }, (_, i) => array([status(String(i))]));

/** Returns a fake table that changes after the given number of pages in each attempt. */
function changing(pages: readonly number[]): { requests: TypedRequests; sent: string[] } {
  const sent: string[] = [];
  let [attempt, left] = [0, 0];
  return {
    sent,
    requests: {
      stateOf(key) {
        left = pages[attempt++] ?? Number.POSITIVE_INFINITY;
        return Promise.resolve({ key, writer: String(attempt) });
      },
      query(command, state) {
        const statement = String(command[2]);
        sent.push(`${state?.writer} ${statement}`);
        if (statement.startsWith("famaritana"))
          return Promise.resolve(relation([array([bulk("k"), bulk("ISA(null,null)"), NIL])]));
        const [from = 0, to = 0] = statement.match(/\d+/g)?.map(Number) ?? [];
        return Promise.resolve(left-- > 0 ? relation(rows.slice(from, to)) : NIL);
      },
    },
  };
}

const parts = { database: "d", table: "t", note: () => {} };

test("a table that is dropped while it is read leaves no file", async () => {
  const file = join(folder, "dropped.json");
  const { requests } = changing([1]);
  let reads = 0;
  const stateOf = (key: string) => (reads++ === 0 ? requests.stateOf(key) : Promise.resolve(null));
  assert.equal(await exportTable(file, { ...parts, requests: { ...requests, stateOf } }), null);
  assert.equal(reads, 2);
  assert.ok(!existsSync(file));
});

test("only the owner can read an exported table, whatever the umask", async () => {
  const file = join(folder, "private.json");
  const umask = process.umask(0);
  try {
    await exportTable(file, { ...parts, requests: changing([]).requests });
  } finally {
    process.umask(umask);
  }
  assert.equal(statSync(file).mode & 0o777, 0o600);
});

test("the export starts again, and all pages are from one state", async () => {
  const file = join(folder, "t.json");
  const { requests, sent } = changing([0, 1]);
  assert.equal(await exportTable(file, { ...parts, requests }), rows.length);
  const { individus } = JSON.parse(readFileSync(file, "utf8")) as { individus: unknown };
  assert.deepEqual(
    individus,
    rows.map((_, i) => [i]),
  );
  assert.deepEqual(
    sent.map((line) => line.slice(0, 14)),
    [
      ...["1 famaritana t", "1 alaivo * #ao"],
      ...["2 famaritana t", "2 alaivo * #ao", "2 alaivo * #ao"],
      ...["3 famaritana t", "3 alaivo * #ao", "3 alaivo * #ao"],
    ],
  );
});

test("the export gives up with an error", async () => {
  const { requests } = changing([1, 1, 1, 1, 1]);
  await assert.rejects(
    exportTable(join(folder, "u.json"), { ...parts, requests }),
    /d\.t was changed in all 5 attempts to read it/,
  );
});

const ROWS = 1_500;

let cluster: Cluster;
let client: Client;
before(async () => {
  cluster = await startCluster(2);
  client = createClient({ servers: cluster.daemons.servers, key: join(cluster.folder, "app.pem") });
});
after(async () => {
  await client.close();
  await cluster[Symbol.asyncDispose]();
});
beforeEach(async () => {
  for (const name of ["out", "again", "data"]) rmSync(at(name), { recursive: true, force: true });
  await client.call("FLUSHALL", { policy: "all" });
  await sql("", "create database toko");
});

const at = (...names: readonly string[]) => join(cluster.folder, ...names);
const sql = (database: string, statement: string | Buffer) =>
  client.call(["SQL", database, statement], { policy: "all" });
const exporting = (folder: string) => cluster.run(["export", `sql:${folder}`, "-k", "app.pem"]);
const importing = (folder: string) => cluster.run(["import", `sql:${folder}`, "-k", "app.pem", "--replace"]);

/** Returns the paths and texts of all files. */
function filesIn(folder: string): Record<string, string> {
  const files = readdirSync(at(folder), { recursive: true, withFileTypes: true });
  return Object.fromEntries(
    files
      .filter((file) => file.isFile())
      .map((file) => join(file.parentPath, file.name))
      .sort()
      .map((file) => [file.slice(at(folder).length + 1), readFileSync(file, "utf8")]),
  );
}

async function fill(): Promise<void> {
  await sql("toko", "create domain loko (enum('mena','ma\\'itso',3):date)");
  await sql("toko", "create table olona (k number(-2,1000000000000000000000), x text(1,40):number, c loko)");
  await sql("toko", "create table foana (k number(null,null), k text(null,3))");
  await sql(
    "toko",
    `insert into olona values (-1.5,'it''s \\\\ "END"\n\u001f é€',3),(0.0000001,12,'mena'),(12345678,'12','2026-11-21'),(null,null,null)`,
  );
  const rows = Array.from({ length: ROWS }, (_, i) => `(${i},'${"x".repeat(i % 400)}')`);
  await sql("toko", "create table maro (k number, x text)");
  for (let from = 0; from < ROWS; from += 500)
    await sql("toko", `insert into maro values ${rows.slice(from, from + 500).join()}`);
  // The gaps that deleted rows leave in the table must not be exported as rows.
  await sql("toko", "delete from maro where k >= 3 and k < 700");
  await sql("toko", "create view v as select * from olona");
  await sql("toko", "manamboara jery w @ alaivo * #ao@ v #tonona:natoraly@ (alaivo * #ao@ foana) f");
}

test("an exported folder equals the earlier server's, even after an import and another export", async () => {
  await fill();
  const first = await exporting("out");
  assert.equal(first.code, 0, first.stderr);
  assert.equal(first.stdout, `databases: 1, tables: 3, views: 2, rows: ${4 + ROWS - 697}\n`);
  assert.match(
    first.stderr,
    /^dbsync: toko\.olona: column c contains dates, which the earlier server cannot insert\n$/,
  );

  const files = filesIn("out");
  assert.equal(
    files["toko/tables/foana.json"],
    `{
  "name" : "foana",
  "fieldName" : [ {
    "origin" : null,
    "name" : "k"
  }, {
    "origin" : null,
    "name" : "k"
  } ],
  "domaines" : [ {
    "supports" : [ {
      "@class" : "sqlTsinjo.base.domains.NUMBER",
      "canBenull" : true,
      "min" : null,
      "max" : null
    } ]
  }, {
    "supports" : [ {
      "@class" : "sqlTsinjo.base.domains.VARCHAR",
      "canBenull" : true,
      "clazz" : null,
      "min" : null,
      "limit" : 3
    } ]
  } ],
  "individus" : [ ]
}`,
  );
  assert.match(
    files["toko/tables/olona.json"] ?? "",
    /"min" : -2\.0,\n {6}"max" : 1\.0E21\n[\s\S]*"individus" : \[ \[ -1\.5, "it's \\\\ \\"END\\"\\n\\u001F é€", 3\.0 \], \[ 1\.0E-7, 12\.0, "mena" \], \[ 1\.2345678E7, "12", "2026-11-21" \], \[ null, null, null \] \]\n\}$/,
  );
  assert.match(
    files["toko/domains/loko.json"] ?? "",
    /^\{\n {2}"supports" : \[ \{\n {4}"@class" : "sqlTsinjo\.base\.DomainEnum",\n {4}"canBenull" : true,\n {4}"allowedValue" : \[ "mena", "ma'itso", 3\.0 \]\n {2}\}, \{\n {4}"@class" : "sqlTsinjo\.base\.domains\.DATE",\n {4}"canBenull" : true\n {2}\} \]\n\}$/,
  );

  const back = await importing("out");
  assert.deepEqual([back.code, back.stderr, back.stdout], [0, "", first.stdout]);
  const second = await exporting("again");
  assert.equal(second.code, 0, second.stderr);
  assert.deepEqual(filesIn("again"), files);
});

test("a folder of the earlier server is the same after an import and an export", async () => {
  const number = { "@class": "sqlTsinjo.base.domains.NUMBER", canBenull: true, min: 0, max: null };
  const table = {
    name: "a",
    fieldName: [{ origin: null, name: "k" }],
    domaines: [{ supports: [number] }],
    individus: [[1], [2], [2]],
  };

  const origin = (name: string, alias: string | null = null) => ({
    "@class": "sqlTsinjo.query.main.select.element.classes.TableNameOrigin",
    id: "0f6f2ed0-68b9-4d2b-9a2c-6f1f0f0b1a11",
    alias,
    name,
  });
  const select = (from: object, joins: readonly object[] = [], where: object | null = null) => ({
    "@class": "sqlTsinjo.query.main.select.SelectRqst",
    id: null,
    alias: null,
    from,
    joins,
    where,
    groupBy: null,
    fields: { "@class": "sqlTsinjo.query.main.select.element.classes.AllField" },
  });

  const views: Readonly<Record<string, object>> = {
    // This view reads the view `z`, which follows it.
    b: select(origin("z", "other"), [{ op: "LEFT", tableOrigin: origin("a"), onCondition: null }]),
    u: {
      "@class": "sqlTsinjo.query.main.select.SelectBinOpExpr",
      id: null,
      alias: null,
      left: select(origin("a")),
      op: "DIFFERENCE",
      right: select(origin("z")),
    },
    z: select(origin("a")),
    unreadable: select(origin("a"), [], { "@class": "sqlTsinjo.query.base.classes.expr.BinaryExpr" }),
    lost: select(origin("nowhere")),
  };

  for (const kind of ["tables", "domains", "views"]) mkdirSync(at("data", "d", kind), { recursive: true });
  writeFileSync(at("data", "d", "tables", "a.json"), JSON.stringify(table));
  for (const [name, selectExpr] of Object.entries(views))
    writeFileSync(at("data", "d", "views", `${name}.json`), JSON.stringify({ name, selectExpr }));

  const imported = await importing("data");
  assert.equal(imported.code, 0, imported.stderr);
  assert.equal(imported.stdout, "databases: 1, tables: 1, views: 3, rows: 3\n");
  const warnings = imported.stderr.split("\n").filter((line) => line !== "");
  assert.match(
    warnings[0] ?? "",
    /^dbsync: data\/d\/views\/unreadable\.json: this view was not imported: .* names a column; create it yourself: create view unreadable as select …$/,
  );
  assert.match(warnings[1] ?? "", /lost\.json: this view was not imported: .*nowhere/);
  assert.equal(warnings.length, 2);

  await sql("", "drop database toko");
  const written = await exporting("out");
  assert.equal(written.code, 0, written.stderr);

  const files = filesIn("out");
  const content = (text: string) =>
    JSON.parse(text, (key, value) => (key === "id" ? null : value)) as unknown;
  assert.deepEqual(Object.keys(files).sort(), [
    "d/tables/a.json",
    "d/views/b.json",
    "d/views/u.json",
    "d/views/z.json",
  ]);
  assert.deepEqual(content(files["d/tables/a.json"] ?? ""), table);
  for (const name of ["b", "u", "z"]) {
    const kept = content(readFileSync(at("data", "d", "views", `${name}.json`), "utf8"));
    assert.deepEqual(content(files[`d/views/${name}.json`] ?? ""), kept, name);
  }
});

test("features that the earlier server does not have are reported", async () => {
  await sql("toko", "create table t (k number primary key, x text unique)");
  await sql("toko", "create view v as select k from t");
  await client.call(["COPY", "sql:toko:t", "sql:toko:../../escaped"], { policy: "all" });
  const { code, stdout, stderr } = await exporting("out");
  assert.equal(code, 0, stderr);
  assert.equal(stdout, "databases: 1, tables: 1, views: 0, rows: 0\n");
  assert.deepEqual(stderr.split("\n").slice(0, -1).sort(), [
    'dbsync: "../../escaped" is not exported, because its name does not consist of letters, digits and _',
    "dbsync: toko.t: column k is fototra, which the earlier server cannot store",
    "dbsync: toko.t: column x is tokana, which the earlier server cannot store",
    "dbsync: view v of toko is not exported, because the earlier server could not read it: create view v as select k from t",
  ]);
});

test("a folder that is not empty is left unchanged, and a failed export leaves no folder", async () => {
  mkdirSync(at("out"));
  writeFileSync(at("out", "mine"), "");
  const full = await exporting("out");
  assert.equal(full.code, 1);
  assert.match(full.stderr, /out is not empty; specify a folder that does not exist yet/);

  rmSync(at("out", "mine"));
  await sql("toko", "create table t (x text)");
  await sql("toko", Buffer.from("insert into t values ('a'),('\xff')", "latin1"));
  const { code, stderr } = await exporting("out");
  assert.equal(code, 1);
  assert.match(stderr, /toko\.t, row 2: it contains bytes that are not UTF-8 text/);
  assert.deepEqual(readdirSync(at("out")), []);
  assert.deepEqual(
    readdirSync(cluster.folder).filter((name) => name.includes("unfinished")),
    [],
  );

  await sql("toko", "drop table t");
  assert.equal((await exporting("out")).code, 0);
  assert.ok(existsSync(at("out", "toko", "tables")));
});
