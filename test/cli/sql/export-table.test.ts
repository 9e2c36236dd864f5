/** Tests a table that changes while it is read: the export restarts, and gives up if that repeats. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { TypedAsking } from "../../../cli/shared/typed-asking.js";
import { exportTable } from "../../../cli/sql/export-table.js";
import { array, bulk, map, NIL, type Reply, status } from "../../../protocol/reply.js";

const folder = mkdtempSync(join(tmpdir(), "dbsync-export-"));
after(() => rmSync(folder, { recursive: true }));

const relation = (rows: readonly Reply[]) => map([bulk("rows"), array(rows)]);
const rows = Array.from({ length: 40 }, (_, i) => array([status(String(i))]));

/** Returns a table that changes after the given number of pages, per attempt. */
function changing(pages: readonly number[]): { asking: TypedAsking; asked: string[] } {
  const asked: string[] = [];
  let [attempt, left] = [0, 0];
  return {
    asked,
    asking: {
      stateOf(key) {
        left = pages[attempt++] ?? Number.POSITIVE_INFINITY;
        return Promise.resolve({ key, writer: String(attempt) });
      },
      ask(command, state) {
        const statement = String(command[2]);
        asked.push(`${state?.writer} ${statement}`);
        if (statement.startsWith("famaritana"))
          return Promise.resolve(relation([array([bulk("k"), bulk("ISA(null,null)"), NIL])]));
        const [from = 0, to = 0] = statement.match(/\d+/g)?.map(Number) ?? [];
        return Promise.resolve(left-- > 0 ? relation(rows.slice(from, to)) : NIL);
      },
    },
  };
}

const parts = { database: "d", table: "t", tell: () => {} };

test("of one that is dropped while it is read nothing is left", async () => {
  const file = join(folder, "dropped.json");
  const { asking } = changing([1]);
  let asked = 0;
  const stateOf = (key: string) => (asked++ === 0 ? asking.stateOf(key) : Promise.resolve(null));
  assert.equal(await exportTable(file, { ...parts, asking: { ...asking, stateOf } }), null);
  assert.equal(asked, 2);
  assert.ok(!existsSync(file));
});

test("it is begun anew, all pages of one state", async () => {
  const file = join(folder, "t.json");
  const { asking, asked } = changing([0, 1]);
  assert.equal(await exportTable(file, { ...parts, asking }), rows.length);
  const { individus } = JSON.parse(readFileSync(file, "utf8")) as { individus: unknown };
  assert.deepEqual(
    individus,
    rows.map((_, i) => [i]),
  );
  assert.deepEqual(
    asked.map((line) => line.slice(0, 14)),
    [
      ...["1 famaritana t", "1 alaivo * #ao"],
      ...["2 famaritana t", "2 alaivo * #ao", "2 alaivo * #ao"],
      ...["3 famaritana t", "3 alaivo * #ao", "3 alaivo * #ao"],
    ],
  );
});

test("it is given up, and told", async () => {
  const { asking } = changing([1, 1, 1, 1, 1]);
  await assert.rejects(
    exportTable(join(folder, "u.json"), { ...parts, asking }),
    /d\.t has been changed 5 times while it was read/,
  );
});
