/** Tests the export of a table that changes while it is read: it restarts, and gives up after several attempts. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { array, bulk, map, NIL, type Reply, status } from "../../../../protocol/reply.js";
import type { TypedRequests } from "../../../../tools/cli/shared/export-requests.js";
import { exportTable } from "../../../../tools/cli/sql/export-table.js";

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
