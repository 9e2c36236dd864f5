/** Tests the text and JSON that show recorded units. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ReplyValue } from "../../../client/shared/reply-value.js";
import { textsOf } from "../../../tools/history/history-queries.js";
import { formatHistory, type RecordedUnit, readHistory } from "../../../tools/history/log.js";

const UNIT: RecordedUnit = {
  at: 1_790_000_000_000,
  seq: 0,
  id: "00",
  index: 0,
  signer: "3d940c9fd6e3c287",
  label: "web",
  as: null,
  db: 0,
  commands: [["SET", "k", "v"]],
  outcome: "applied",
  reply: "OK",
  change: null,
};
const REPORT = { from: 0, snapshot: null, damaged: 0, omitted: 0 };
const lineOf = (unit: Partial<RecordedUnit>) =>
  formatHistory({ ...REPORT, units: [{ ...UNIT, ...unit }] })
    .trimEnd()
    .replace(/^2026-09-21 14:13:20\.000Z {2}/, "");

test("a unit is formatted as one line", () => {
  assert.equal(lineOf({}), "applied  web (3d940c9fd6e3)  SET k v  → OK");
  assert.equal(lineOf({ label: "" }), "applied  3d940c9fd6e3  SET k v  → OK");
  assert.equal(lineOf({ as: "ada" }), "applied  ada by web (3d940c9fd6e3)  SET k v  → OK");
  assert.equal(lineOf({ as: "0f".repeat(32) }), "applied  0f0f0f0f0f0f by web (3d940c9fd6e3)  SET k v  → OK");
  assert.equal(lineOf({ change: "created" }), "created  web (3d940c9fd6e3)  SET k v");
  assert.equal(
    lineOf({ outcome: "denied", reply: "NOPERM no" }),
    "denied  web (3d940c9fd6e3)  SET k v  → NOPERM no",
  );
  assert.equal(
    lineOf({ outcome: "unmet" }),
    "unmet  web (3d940c9fd6e3)  SET k v  → its conditions were not met",
  );

  const several = {
    db: 2,
    commands: [
      ["DEL", "a b"],
      ["SET", "c", ""],
    ],
    reply: "1",
  };
  assert.equal(lineOf(several), 'applied  web (3d940c9fd6e3)  [db 2] DEL "a b"; SET c ""  → 1');
});

test("control characters in commands are escaped", () => {
  const evil = "\x1b[2J\u009b1m\u202egnp.exe\n";
  const line = lineOf({
    commands: [["SET", evil]],
    reply: `ERR ${evil}`,
    outcome: "error",
    label: evil,
    as: evil,
  });
  assert.doesNotMatch(line, /\p{C}/u);
});

test("the report mentions omitted units and damaged entries", () => {
  const units = [{ ...UNIT, change: "changed" }];
  const text = formatHistory({ from: 0, snapshot: 1_789_999_999_000, damaged: 2, omitted: 3, units });
  assert.match(text, /\n3 older commands are left out; --limit shows more\.\n/);
  assert.match(text, /\nThe daemon could not read 2 entries/);
  assert.match(
    text,
    /\nCommands before 2026-09-21 14:13:19\.000Z are unknown: the log begins with a snapshot of that date\.\n$/,
  );
});

test("bytes that are not text are formatted without loss", () => {
  const raw = Buffer.from([0, 0x22, 0x5c, 0xff, 0xc3, 0x0a, 0x61]);
  const commands: Buffer[][] = [[Buffer.from("SET"), Buffer.from("\\xff"), raw]];
  const fields: Record<string, ReplyValue> = { ...UNIT, label: "web", commands, reply: raw };
  const history = readHistory(textsOf(["units", [Object.entries(fields).flat()]] as ReplyValue));
  const [unit] = history.units;
  assert.equal(
    lineOf({ ...unit, change: null }),
    `applied  web (3d940c9fd6e3)  SET \\xff "\\x00\\"\\\\\\xff\\xc3\\na"  → "\\x00\\"\\\\\\xff\\xc3\\na"`,
  );
  const printed = JSON.parse(JSON.stringify(unit)) as { commands: unknown; reply: unknown };
  const base64 = raw.toString("base64");
  assert.deepEqual([printed.commands, printed.reply], [[["SET", "\\xff", { base64 }]], { base64 }]);
});
