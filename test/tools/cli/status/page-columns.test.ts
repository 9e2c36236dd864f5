/** Tests that user pages name only columns that the programs print. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  DAEMON_COLUMNS,
  decisionColumns,
  FIGURE_COLUMNS,
  MEMBER_COLUMNS,
  ORDER_COLUMNS,
  timelineColumns,
} from "../../../../tools/cli/status/report-tables.js";
import { ACTIVITY_COLUMNS, TOP_COLUMNS } from "../../../../tools/cli/top/top.js";
import { ownFiles, repositoryRoot } from "../../../support/repository.js";

const heads = new Set(
  [
    ...[DAEMON_COLUMNS, FIGURE_COLUMNS, ORDER_COLUMNS],
    ...[MEMBER_COLUMNS, decisionColumns(0), timelineColumns(0, true), TOP_COLUMNS, ACTIVITY_COLUMNS],
  ].flatMap((columns: readonly { readonly head: string }[]) => columns.map(({ head }) => head)),
);

const pages = ownFiles().filter((file) => /^(?:install\.md|README\.md|docs\/[^/]+\.md)$/.test(file));
const read = (page: string) => readFileSync(join(repositoryRoot, page), "utf8");

/** Matches the name of a column in a sentence. */
const NAMED =
  /(?<![`\w-])([A-Z]{4,})(?= (?:is|are|must be) (?:`|the same|near|far)| in `dbsync status`| columns?\b)|\bSTATE\b|(?:under|column|same) ([A-Z]{4,})\b/g;

test("pages name the columns that dbsync status prints", () => {
  const found = pages.flatMap((page) =>
    [...read(page).matchAll(NAMED)].map(([whole, one, other]) => ({ page, head: one ?? other ?? whole })),
  );
  assert.ok(found.length >= 9, JSON.stringify(found));
  for (const { page, head } of found) assert.ok(heads.has(head), `${page} names a column ${head}`);
});
