/** Cursors of other daemons in signed commands: an error, whichever daemon receives them; at 0, and at the daemon that gave it, the scan goes on. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { foreignCursor } from "../../../engine/backends/scan-cursor.js";
import { resolveCommand } from "../../../store/command-table.js";
import type { Command } from "../../../store/rows/command.js";
import { cursorTag } from "../../../store/values/tables/name-hash.js";

const isForeign = (line: string): boolean => {
  const argv = line.split(" ");
  return foreignCursor(resolveCommand(argv) as Command, argv) !== null;
};

test("a cursor of another daemon is an error, in each family", () => {
  const own = (BigInt(cursorTag()) << 32n) + 7n;
  const other = own ^ (1n << 40n);
  for (const scan of ["SCAN", "HSCAN k", "SSCAN k", "ZSCAN k"]) {
    assert.ok(!isForeign(`${scan} 0`));
    assert.ok(!isForeign(`${scan} ${own} COUNT 10`));
    assert.ok(isForeign(`${scan} ${other} COUNT 10`));
    assert.ok(isForeign(`${scan} 5`), "what an earlier release gave");
    assert.ok(!isForeign(`${scan} nonsense`), "the scan itself reports what is no cursor");
  }
  assert.ok(!isForeign("GET 5"));
});
