/** Tests tables in snapshots: any rows, and bytes that no table has written. */
import "../../../../../test/support/all-families.js";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import {
  DamagedSnapshot,
  SnapshotReader,
  SnapshotWriter,
} from "../../../../../daemon/timeline/snapshots/snapshot-stream.js";
import { bytesOf } from "../../../../../protocol/byte-string.js";
import { finish } from "../../../../../protocol/steps.js";
import type { Cell } from "../../../store/values/cell.js";
import { TABLE_KIND, Table } from "../../../store/values/table.js";

const hash = (bytes: Buffer) => bytesOf(createHash("sha256").update(bytes).digest());

function framesOf(table: Table): Buffer[] {
  const writer = new SnapshotWriter(hash);
  const frames = [writer.head];
  for (const _ of table.write(writer)) frames.push(writer.takeFrame());
  return [...frames, writer.takeFrame()];
}

function read(frames: readonly Buffer[], rows: number): Table {
  const reader = new SnapshotReader(frames, hash);
  reader.head();
  return finish(TABLE_KIND.read(reader, rows, "table")) as Table;
}

function tableOf(columns: number, ...rows: readonly (readonly Cell[])[]): Table {
  const domain = [{ kind: "text", min: null, max: null }] as const;
  const names = Array.from({ length: columns }, (_, i) => `c${i}`);
  const table = new Table(names.map((name) => ({ name, domain, uniqueness: "none" })));
  for (const row of rows) table.push(row);
  return table;
}

test("a table is read as it was written, even if a row of many long texts takes several frames", () => {
  const row = Array.from({ length: 100 }, (_, i) =>
    i % 3 === 0 ? i : i % 3 === 1 ? null : "x".repeat(10_000),
  );
  const table = tableOf(100, row, row);
  const frames = framesOf(table);
  assert.ok(frames.length > 6, `${frames.length} frames`);
  const { columns, rows } = read(frames, 2);
  assert.deepEqual({ columns, rows }, { columns: table.columns, rows: [row, row] });
});

test("required columns and columns with defaults are read as they were written", () => {
  const domain = [{ kind: "number", min: null, max: null }] as const;
  const table = new Table([
    { name: "a", domain, uniqueness: "primary", isRequired: true },
    { name: "b", domain, uniqueness: "none", preset: -0.5 },
    { name: "c", domain, uniqueness: "unique", isRequired: true, preset: "\xc3\xa9'" },
    { name: "d", domain, uniqueness: "none" },
  ]);
  assert.deepEqual(read(framesOf(table), 0).columns, table.columns);
  const frames = framesOf(table).map((frame) =>
    Buffer.from(frame.toString("latin1").replace("[true,null]", "[true,nul}]"), "latin1"),
  );
  assert.throws(() => read(frames, 0), DamagedSnapshot);
});

test("created indexes are read as they were written, and count in the state", () => {
  const table = tableOf(2, ["a", 1], ["b", 2]);
  const without = JSON.stringify(table.canonical());
  const created = [
    { name: "i", columns: [1, 0], isUnique: true },
    { name: "\xc3\xa9", columns: [0], isUnique: false },
  ];
  table.setCreatedIndexes(created);

  const again = read(framesOf(table), 2);
  assert.deepEqual(again.createdIndexes, created);
  assert.deepEqual(again.canonical(), table.canonical());
  assert.notEqual(JSON.stringify(table.canonical()), without);
  assert.deepEqual(table.clone().createdIndexes, created);

  for (const wrong of [{ columns: [2] }, { columns: [] }]) {
    table.setCreatedIndexes([{ name: "i", isUnique: true, ...wrong }]);
    assert.throws(() => read(framesOf(table), 2), DamagedSnapshot);
  }
});

test("bytes that no table writes count as damaged: rows without columns, invalid numbers", () => {
  assert.deepEqual(read(framesOf(tableOf(0)), 0).rows, []);
  assert.throws(() => read(framesOf(tableOf(0)), 1e15), DamagedSnapshot);
  for (const number of [Number.NaN, Number.POSITIVE_INFINITY])
    assert.throws(() => read(framesOf(tableOf(1, [number])), 1), DamagedSnapshot);
});
