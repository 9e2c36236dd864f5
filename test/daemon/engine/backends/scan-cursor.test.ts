/**
 * Tests cursors of other daemons in signed commands: they are an error on every daemon that did not issue them. The
 * cursor 0, and cursors of the same daemon, continue the scan.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { TimelineBackend } from "../../../../daemon/cluster/replica/timeline-backend.js";
import type { Backend } from "../../../../daemon/engine/backends/backend.js";
import { MemoryBackend } from "../../../../daemon/engine/backends/memory-backend.js";
import { foreignCursor } from "../../../../daemon/engine/backends/scan-cursor.js";
import { realEnvironment } from "../../../../daemon/net/process/clock-and-randomness.js";
import { commandTable } from "../../../../daemon/store/command-table.js";
import type { Command } from "../../../../daemon/store/rows/command-row.js";
import { cursorTag } from "../../../../daemon/store/values/tables/name-hash.js";
import { START, TimelineSubject } from "../../timeline/support/timeline-subject.js";

const isForeign = (line: string): boolean => {
  const argv = line.split(" ");
  return foreignCursor(commandTable.resolve(argv) as Command, argv) !== null;
};

test("another daemon's cursor is an error, in each kind of scan", () => {
  const own = (BigInt(cursorTag()) << 32n) + 7n;
  const other = own ^ (1n << 40n);
  for (const scan of ["SCAN", "HSCAN k", "SSCAN k", "ZSCAN k"]) {
    assert.ok(!isForeign(`${scan} 0`));
    assert.ok(!isForeign(`${scan} ${own} COUNT 10`));
    assert.ok(isForeign(`${scan} ${other} COUNT 10`));
    assert.ok(isForeign(`${scan} 5`), "a cursor without a tag");
    // The scan itself reads these forms as cursors too.
    for (const form of [`+${other}`, `-${other}`, `00${other}`, `${other}\0x`])
      assert.ok(isForeign(`${scan} ${form}`), form);
    assert.ok(!isForeign(`${scan} +${own}`) && !isForeign(`${scan} +0`) && !isForeign(`${scan} `));
    assert.ok(!isForeign(`${scan} nonsense`), "the scan itself reports an invalid cursor");
  }
  assert.ok(!isForeign("GET 5"));
});

/** Returns whether another daemon's cursor is refused in a transaction with these commands. */
async function isForeignTogether(backend: Backend, write: readonly (readonly string[])[]): Promise<boolean> {
  const scan = ["SCAN", String((BigInt(cursorTag() ^ 1) << 32n) + 7n)];
  const unit = { at: START, db: 0, id: "u".repeat(36) };
  const reply = await backend.executeTogether([["GET", "a"], ...write, scan], unit);
  return reply.kind === "error";
}

test("another daemon's cursor is an error in a transaction that only reads, but not in one that writes, since all daemons must execute it equally", async () => {
  const { timeline } = await new TimelineSubject({ now: START }).open();
  const memory = new MemoryBackend(realEnvironment);
  assert.ok(await isForeignTogether(new TimelineBackend(timeline, realEnvironment), []));
  assert.ok(await isForeignTogether(memory, []));
  assert.ok(!(await isForeignTogether(memory, [["SET", "a", "1"]])));
});
