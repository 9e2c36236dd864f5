/**
 * Tests `dbsync import sql:DIR` into two real daemons, with data folders in the form of the original, and with
 * incomplete ones that a crash of the original leaves.
 */
import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { type Client, createClient } from "../../../../client/public-api.js";
import type { SendToAll } from "../../../../tools/cli/shared/requests.js";
import { importFolder } from "../../../../tools/cli/sql/import-folder.js";
import { type Cluster, startCluster } from "../cluster.js";

const ROWS = 1_234;
const NUMBER = { "@class": "sqlTsinjo.base.domains.NUMBER", canBenull: true, min: null, max: 1e21 };
const TEXT = { "@class": "sqlTsinjo.base.domains.VARCHAR", canBenull: true, clazz: null, min: 1, limit: 40 };
const COLOUR = {
  "@class": "sqlTsinjo.base.DomainEnum",
  canBenull: true,
  allowedValue: ["mena", "ma'itso", 3],
};

const ODD_ROWS: readonly (readonly unknown[])[] = [
  [-1.5, 'it\'s; \\ "END"\nEND\n é', "mena"],
  [1e-7, null, "ma'itso"],
  [1e20, "null", 3],
  [null, "12", null],
  [null, "12", null],
];

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
beforeEach(() => {
  rmSync(join(cluster.folder, "data"), { recursive: true, force: true });
  table("olona", ODD_ROWS);
});

function write(kind: string, name: string, content: unknown): string {
  const folder = join(cluster.folder, "data", "toko", kind);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${name}.json`);
  writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content, null, 2));
  return file;
}

/** Returns a table of three columns: a number, a text and a colour. */
function table(name: string, rows: readonly unknown[]): string {
  const fieldName = ["order", "x", "loko"].map((column) => ({ origin: null, name: column }));
  const domaines = [[NUMBER], [TEXT], [COLOUR]].map((supports) => ({ supports }));
  return write("tables", name, { name, fieldName, domaines, individus: rows });
}

const importing = (...more: string[]) => cluster.run(["import", "sql:data", "-k", "app.pem", ...more]);

async function queried(statement: string): Promise<unknown[]> {
  const reply = (await client.call(["SQL", "toko", statement], { policy: "all-equal" })) as unknown[];
  return reply[reply.indexOf("rows") + 1] as unknown[];
}

test("every daemon receives complete tables and domains with their rows in order, and views are reported", async () => {
  const many = Array.from({ length: ROWS }, (_, i) => [i, `x${i}`, null]);
  table("maro", many);
  table("foana", []);
  write("domains", "lokony", { supports: [COLOUR, NUMBER] });
  const view = write("views", "jery1", { name: "jery1", selectExpr: {} });

  const { code, stdout, stderr } = await importing();
  assert.equal(code, 0, stderr);
  assert.equal(stdout, `databases: 1, tables: 3, views: 0, rows: ${ROWS + ODD_ROWS.length}\n`);
  assert.match(
    stderr,
    /^dbsync: data\/toko\/views\/jery1\.json: this view was not imported: .*; create it yourself: .*\n$/,
  );
  assert.ok(view.endsWith("data/toko/views/jery1.json"));

  const texts = (rows: readonly unknown[]) =>
    JSON.stringify(rows, (_, value: unknown) => (typeof value === "number" ? String(value) : value));
  assert.equal(texts(await queried("alaivo * #ao@ olona")), texts(ODD_ROWS));
  assert.equal(texts(await queried("alaivo * #ao@ maro")), texts(many));
  assert.deepEqual(await queried("asehoy ny tabilao"), [["foana"], ["maro"], ["olona"]]);
  assert.deepEqual(await queried("asehoy ny efitra"), [["lokony"]]);
  assert.deepEqual(await queried("famaritana foana"), [
    ["order", "ISA(null,1e+21)", null],
    ["x", "LAHATSORATRA(1,40)", null],
    ["loko", "TANISA('mena','ma\\'itso',3)", null],
  ]);
});

test("an existing database is replaced only with --replace", async () => {
  const refused = await importing();
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /^dbsync: the daemons already have a database toko; --replace/);
  assert.deepEqual(await queried("asehoy ny tabilao"), [["foana"], ["maro"], ["olona"]]);
  const replaced = await importing("--replace");
  assert.equal(replaced.code, 0, replaced.stderr);
  assert.deepEqual(await queried("asehoy ny tabilao"), [["olona"]]);
});

test("an error names the file and the row, and says what to do", async () => {
  const cases: readonly (readonly [() => string, RegExp])[] = [
    [() => write("tables", "t", ""), /t\.json: it is empty; copy this file from another server's folder/],
    [() => write("tables", "t", '{"name":"t","fieldNa'), /t\.json: .*JSON.*; copy this file/],
    [() => write("tables", "t", "[1]"), /t\.json: fieldName, domaines and individus are not all lists/],
    [
      () =>
        table("t", [
          [1, "a", null],
          [1, "a"],
        ]),
      /t\.json: row 2 does not have 3 values/,
    ],
    [
      () => table("t", [[1, "a", "manga"]]),
      /t\.json: row 1: loko contains "manga", which its type TANISA\(.*\) does not accept/,
    ],
    [
      () =>
        table("t", [
          [1, "a", null],
          [1, "", null],
        ]),
      /t\.json: row 2: x contains "", which its type LAHATSORATRA\(1,40\)/,
    ],
    [
      () => table("t", [[true, "a", null]]),
      /t\.json: row 1: order contains true, which is not a number, text or null/,
    ],
    [() => table("a-b", []), /a-b\.json: "a-b" does not consist of/],
    [
      () => write("domains", "d", { supports: [{ "@class": "x" }] }),
      /d\.json: unknown type: \{"@class":"x"\}/,
    ],
    [() => write("domains", "d", {}), /d\.json: the type \(supports\) is missing/],
  ];

  for (const [make, expected] of cases) {
    const file = make();
    const { code, stdout, stderr } = await importing("--replace");
    assert.deepEqual([code, stdout], [1, ""], stderr);
    assert.match(stderr, expected);
    rmSync(file);
  }

  const none = await cluster.run(["import", "sql:nowhere", "-k", "app.pem"]);
  assert.equal(none.code, 1);
  assert.match(none.stderr, /nowhere: ENOENT.*; specify the folder that contains a folder for each database/);
});

test("without a terminal, an import prints the number of its rows every ten seconds", async ({ mock }) => {
  table("olona", Array(ROWS).fill([1, "x", "mena"]));
  mock.timers.enable({ apis: ["setInterval"] });
  const lines: string[] = [];
  const isTerminal = process.stderr.isTTY;
  process.stderr.isTTY = false;
  mock.method(process.stderr, "write", (text: string) => lines.push(text) > 0);

  const send: SendToAll = async ([, database = "", statement = ""]) => {
    if (String(statement).includes(" sanda ")) mock.timers.tick(10_000);
    return ["rows", database === "" ? [] : [[ROWS]]];
  };
  try {
    await importFolder(join(cluster.folder, "data"), send);
  } finally {
    process.stderr.isTTY = isTerminal;
    mock.restoreAll();
  }

  assert.deepEqual(
    lines.filter((line) => line.startsWith("dbsync: ")),
    [0, 500, 1000].map((rows) => `dbsync: toko: ${rows} rows in all databases\n`),
  );
});
