/**
 * Tests the folders with the data that a member's snapshot replaces: they are stored next to the live timeline, and
 * never take space that it needs.
 */
import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  asideOf,
  DAMAGED_BYTES_MAX,
  openDamagedEntriesIn,
} from "../../../../daemon/cluster/replica/replaced-data-folders.js";
import type { OpenReplacedData } from "../../../../daemon/timeline/snapshots/replaced-data.js";
import type { OpenDamagedEntries } from "../../../../daemon/timeline/timeline-environment.js";
import { makeKeyPair } from "../../../support/envelope-client.js";
import { makeFolder, startReplica } from "../../program/replicas.js";
import { log } from "../../program/scene.js";

const CUT_AT = Date.UTC(2030, 0, 2, 3, 4, 5);
const NAME = "2030-01-02T03-04-05.000Z";
const GIBIBYTE = 2 ** 30;
/** The bytes that a copy may need in addition to the copied ones. */
const MARGIN = 16 * 2 ** 20;

function leaveBehind(data: string): string {
  const replaced = join(data, "replaced");
  for (const name of ["2029-01-01T00-00-00.000Z.partial", "2029-01-01T00-00-00.000Z", `${NAME}.partial`]) {
    mkdirSync(join(replaced, name, "timeline"), { recursive: true });
    writeFileSync(join(replaced, name, "timeline", "data.mdb"), "something");
  }
  return replaced;
}

test("an unfinished copy left by a crash is removed when the daemon starts, and a complete one stays", async () => {
  using folder = makeFolder();
  const replaced = leaveBehind(folder.path);
  await using _daemon = await startReplica({ args: ["-s", makeKeyPair().file, "--data", folder.path] });
  assert.deepEqual(readdirSync(replaced), ["2029-01-01T00-00-00.000Z"]);
});

test("an unfinished copy is removed before the next one begins, and a copy has its final name once it is complete", async () => {
  using folder = makeFolder();
  const open = asideOf(folder.path, log, () => GIBIBYTE) as OpenReplacedData;
  const replaced = leaveBehind(folder.path);
  const aside = await open(CUT_AT);
  assert.deepEqual(readdirSync(replaced), ["2029-01-01T00-00-00.000Z", `${NAME}.partial`]);
  await aside.commit();
  assert.deepEqual(readdirSync(replaced), ["2029-01-01T00-00-00.000Z", NAME]);
  const second = await open(CUT_AT);
  assert.equal(second.name, join(replaced, `${NAME}-2`));
  await second.discard();
  assert.deepEqual(readdirSync(replaced), ["2029-01-01T00-00-00.000Z", NAME]);
});

test("a daemon begins no copy that could use more than half of the free space", async () => {
  using folder = makeFolder();
  const sizes = { timeline: 3_000_000, snapshots: 5_000_000 };
  for (const [name, bytes] of Object.entries(sizes)) {
    mkdirSync(join(folder.path, name));
    writeFileSync(join(folder.path, name, "a file"), Buffer.alloc(bytes));
  }

  const replaced = join(folder.path, "replaced");
  const needed = sizes.timeline + sizes.snapshots + MARGIN;
  let free = 2 * needed - 1;
  const open = asideOf(folder.path, log, (of) => {
    assert.ok(statSync(of).isDirectory());
    return free;
  }) as OpenReplacedData;

  await assert.rejects(open(CUT_AT), {
    message:
      /cannot be kept aside: that needs 24 MiB, which is more than half of the 48 MiB free in .*: free some/,
  });
  assert.deepEqual(readdirSync(replaced), []);

  free++;
  const aside = await open(CUT_AT);
  await aside.discard();
  assert.ok(!existsSync(join(replaced, NAME)));
});

test("the remains of damaged entries are stored in separate files, as long as there is space", () => {
  using folder = makeFolder();
  const begin = openDamagedEntriesIn(folder.path) as OpenDamagedEntries;
  const { store: keep } = begin();
  const orderKey = (id: string) => ({ at: CUT_AT, seq: 1, id: id.repeat(32) });
  const copy = keep(orderKey("a"), Buffer.from("rotten")) ?? assert.fail();
  assert.equal(copy, join(folder.path, "replaced", "damaged", `${NAME}-${"61".repeat(32)}`));
  assert.equal(readFileSync(copy, "latin1"), "rotten");
  assert.equal(keep(orderKey("b"), Buffer.alloc(DAMAGED_BYTES_MAX)), null);
  assert.notEqual(keep(orderKey("b"), Buffer.alloc(DAMAGED_BYTES_MAX - 6)), null);
  assert.equal(keep(orderKey("c"), Buffer.from("x")), null);
  assert.equal(begin().store(orderKey("c"), Buffer.from("x")), null, "earlier copies count");
  assert.equal(openDamagedEntriesIn(null), null);
});

test("a daemon measures the stored damaged entries only once for all entries that it drops together", () => {
  using folder = makeFolder();
  const begin = openDamagedEntriesIn(folder.path) as OpenDamagedEntries;
  const orderKey = (id: string) => ({ at: CUT_AT, seq: 1, id: id.repeat(32) });
  const { store: keep } = begin();
  const copy = keep(orderKey("a"), Buffer.from("rotten")) ?? assert.fail();
  truncateSync(copy, DAMAGED_BYTES_MAX);
  assert.notEqual(keep(orderKey("b"), Buffer.from("x")), null, "the size is not determined again");
  assert.equal(begin().store(orderKey("c"), Buffer.from("x")), null);
});

test("the remains of damaged entries are on the disk before the daemon relies on that", async () => {
  using folder = makeFolder();
  const begin = openDamagedEntriesIn(folder.path) as OpenDamagedEntries;
  const { store: keep, synced } = begin();
  await synced();
  const orderKey = { at: CUT_AT, seq: 1, id: "a".repeat(32) };
  const copy = keep(orderKey, Buffer.from("rotten")) ?? assert.fail();
  await synced();
  rmSync(copy);
  await assert.rejects(synced(), { code: "ENOENT" }, "each file is checked");
});

test("a second copy of a damaged entry replaces the first, however much is stored", () => {
  using folder = makeFolder();
  const begin = openDamagedEntriesIn(folder.path) as OpenDamagedEntries;
  const orderKey = { at: CUT_AT, seq: 1, id: "a".repeat(32) };
  for (let times = 0; times < 2; times++)
    assert.notEqual(begin().store(orderKey, Buffer.alloc(DAMAGED_BYTES_MAX)), null);
});
