/** Tests backups of a timeline that is being written, and damaged or foreign files. */
import assert from "node:assert/strict";
import { mkdtempSync, openSync, readFileSync, rmSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { hashOf } from "../../../../daemon/engine/trust/identity.js";
import type { FolderView } from "../../../../daemon/timeline/disk/folder-view.js";
import { type Entry, orderKeyOf, writeOrderKey } from "../../../../daemon/timeline/entries/entry.js";
import type { EntrySource } from "../../../../daemon/timeline/entries/storage.js";
import { makeSnapshot } from "../../../../daemon/timeline/snapshots/make-snapshot.js";
import { NoBackup, writeBackup } from "../../../../tools/backup/file/backup-file.js";
import { ForeignBackup, FrameWriter } from "../../../../tools/backup/file/backup-frames.js";
import { asOf, DamagedBackup, OpenedBackup } from "../../../../tools/backup/file/opened-backup.js";
import { AT, MemorySnapshots, PastScene } from "../../../daemon/cluster/history/past-scene.js";
import { double } from "../../../support/double.js";

const folder = mkdtempSync(join(tmpdir(), "dbsync-backup-"));
after(() => rmSync(folder, { recursive: true }));

let files = 0;
type Parts = Parameters<typeof writeBackup>[0];

/** Makes a backup. @param view  overrides of the view of an idle folder */
function backUp(scene: PastScene, view: Partial<Parts["view"]> = {}, snapshots: Parts["snapshots"] = null) {
  const path = join(folder, `${++files}.dbsync`);
  const descriptor = openSync(path, "w");
  const { storage } = scene;

  const end = writeBackup({
    view: {
      entries: (from: Buffer | null) => storage.entries(from, null),
      orderKeys: () => orderKeysOf(scene),
      mark: (name) => storage.mark(name),
      hasForgotten: false,
      log: { lost: 0 },
      ...view,
    } as Parts["view"],
    snapshots,
    functions: Buffer.from("functions"),
    now: AT + 99,
    hash: hashOf,
    path,
    isIncomplete: false,
    progress: () => {},
    writer: new FrameWriter(hashOf, (bytes) => void writeSync(descriptor, bytes)),
  });
  return { path, end };
}

function* orderKeysOf({ storage }: PastScene): Generator<Buffer> {
  for (const [orderKey] of storage.entries(null, null)) yield orderKey;
}

const orderKeyBytes = (entry: Entry) => writeOrderKey(orderKeyOf(entry)).toString("hex");
const orderKeysIn = (view: EntrySource, from: number | null = null, to: number | null = null) => {
  const at = (date: number | null) =>
    date === null ? null : writeOrderKey({ at: AT + date, seq: 0, id: "\0".repeat(32) });
  return [...view.entries(at(from), at(to))].map(([orderKey]) => orderKey.toString("hex"));
};

test("a backup contains all entries in order, and can return any range of them", () => {
  const scene = new PastScene();
  // These entries take several frames.
  const entries = Array.from({ length: 40 }, (_, i) =>
    scene.write(scene.app, i + 1, [`SET k ${"x".repeat(20_000)}`]),
  );

  const { path, end } = backUp(scene);
  assert.equal(end?.entries, 40);

  const view = new OpenedBackup(path, hashOf);
  const all = entries.map(orderKeyBytes);
  assert.deepEqual(orderKeysIn(view), all);
  for (const [from, to] of [
    [1, 41],
    [2, 2],
    [14, 15],
    [27, 39],
    [40, 99],
    [41, null],
  ] as const)
    assert.deepEqual(
      orderKeysIn(view, from, to),
      all.slice(from - 1, to === null ? 40 : Math.max(from, to) - 1),
      `${from} ${to}`,
    );

  assert.deepEqual(orderKeysIn(asOf(view, AT + 7)), all.slice(0, 7));
  assert.deepEqual(orderKeysIn(asOf(view, AT + 7), 3, 40), all.slice(2, 7));
  assert.equal(Buffer.from(view.end.functions ?? "", "base64").toString(), "functions");
  view.close();
});

test("a backup includes entries that arrive while it is made and precede the last entry, until no more arrive", () => {
  const scene = new PastScene();
  const entries = [1, 5, 9].map((at) => scene.write(scene.app, at, ["INCR n"]));
  const late = [7, 3, 4];
  const { path, end } = backUp(scene, {
    orderKeys() {
      const at = late.shift();
      if (at !== undefined) entries.push(scene.write(scene.app, at, ["INCR n"]));
      return orderKeysOf(scene);
    },
  });
  assert.equal(end?.entries, 6);
  const view = new OpenedBackup(path, hashOf);
  assert.deepEqual(orderKeysIn(view), entries.map(orderKeyBytes).sort());
  assert.deepEqual(orderKeysIn(view, 3, 7), entries.map(orderKeyBytes).sort().slice(1, 4));
  view.close();
});

test("a backup omits snapshots that later arrivals invalidate, and starts again if a required snapshot is missing", () => {
  const scene = new PastScene();
  const snapshots = new MemorySnapshots();
  for (const at of [1, 5, 9]) scene.write(scene.app, at, ["INCR n"]);
  for (const to of [AT + 2, AT + 6]) makeSnapshot({ ...scene.recallParts, snapshots, from: null, to });
  scene.storage.put([], [["snapshots", Buffer.from(snapshots.list().join(" "))]]);

  const complete = new OpenedBackup(backUp(scene, {}, snapshots).path, hashOf);
  assert.deepEqual(complete.list(), [AT + 6], "only the newest snapshot is included");
  const chunks = [...(complete.read(AT + 6) ?? [])];
  assert.deepEqual(Buffer.concat(chunks), Buffer.concat(snapshots.files.get(AT + 6) ?? []));
  complete.close();

  const adding = (at: number) => {
    let isNew = true;
    return () => {
      if (isNew) scene.write(scene.app, at, ["INCR n"]);
      isNew = false;
      return orderKeysOf(scene);
    };
  };

  const { path } = backUp(scene, { orderKeys: adding(4) }, snapshots);
  const view = new OpenedBackup(path, hashOf);
  assert.deepEqual(view.list(), []);
  view.close();

  scene.storage.put([], [["pruned", Buffer.from(String(AT + 2))]]);
  const based = new OpenedBackup(backUp(scene, { orderKeys: adding(3) }, snapshots).path, hashOf);
  assert.deepEqual(based.list(), [AT + 2]);
  based.close();

  assert.equal(backUp(scene, {}, new MemorySnapshots()).end, null);
});

test("a backup starts again if entries are pruned or dropped meanwhile, and is refused for a damaged folder", () => {
  const scene = new PastScene();
  const [first] = [1, 2, 3].map((at) => scene.write(scene.app, at, ["INCR n"]));
  assert.equal(backUp(scene, { hasForgotten: true }).end, null);
  const orderKeys = () => [...orderKeysOf(scene)].slice(1)[Symbol.iterator]() as Generator<Buffer>;
  assert.equal(backUp(scene, { orderKeys }).end, null);
  assert.throws(() => backUp(scene, double<FolderView>({ log: { lost: 2 } })), NoBackup);
  const orderKey = writeOrderKey(orderKeyOf(first as Entry));
  scene.storage.remove([orderKey]);
  scene.storage.put([[orderKey, Buffer.alloc(50)]]);
  assert.throws(() => backUp(scene), /an entry of .* is damaged/);
});

test("each changed byte and each truncation is detected and located", () => {
  const scene = new PastScene();
  for (let at = 1; at <= 20; at++) scene.write(scene.app, at, [`SET k ${"x".repeat(20_000)}`]);
  const { path } = backUp(scene);
  const complete = readFileSync(path);

  const opened = () => {
    try {
      new OpenedBackup(path, hashOf).close();
      return null;
    } catch (problem) {
      return problem;
    }
  };

  assert.equal(opened(), null);
  for (let at = 20; at < complete.length; at += 1 + Math.floor(complete.length / 50)) {
    const changed = Buffer.from(complete);
    changed[at] = (changed[at] as number) ^ 1;
    writeFileSync(path, changed);
    const problem = opened();
    assert.ok(problem instanceof DamagedBackup, `byte ${at}`);
    assert.ok(
      problem.damages.some(({ from, to }) => from <= at && at < to),
      `byte ${at} is not in ${problem.message}`,
    );
  }

  for (const length of [complete.length - 1, complete.length - 200, 300_000, 21, 20]) {
    writeFileSync(path, complete);
    truncateSync(path, length);
    assert.ok(opened() instanceof DamagedBackup, `${length} bytes`);
  }

  writeFileSync(path, Buffer.concat([complete, complete.subarray(20)]));
  assert.ok(opened() instanceof DamagedBackup, "the same bytes repeated after the end");
  for (const other of ["", "something else", complete.subarray(0, 19)]) {
    writeFileSync(path, other);
    assert.ok(opened() instanceof ForeignBackup);
  }
});

test("a file with valid seals but invalid contents counts as damaged, and none of it is used", () => {
  const path = join(folder, "other.dbsync");
  const opened = (...frames: (readonly ["entries" | "snapshot" | "end", string | Buffer])[]) => {
    const parts: Buffer[] = [];
    const writer = new FrameWriter(hashOf, (bytes) => parts.push(Buffer.from(bytes)));
    for (const [kind, items] of frames) writer.frame(kind, Buffer.from(items));
    writeFileSync(path, Buffer.concat(parts));
    return new OpenedBackup(path, hashOf);
  };

  const end = (more: object = {}) => {
    const complete = {
      made: 1,
      entries: 0,
      last: null,
      snapshots: [],
      marks: {},
      functions: null,
      incomplete: false,
    };
    return ["end", JSON.stringify({ ...complete, ...more })] as const;
  };

  opened(end()).close();
  const long = Buffer.alloc(64, 0xff);
  for (const frames of [
    [["end", "{"]],
    [["end", "null"]],
    [["entries", long], end()],
    [["entries", ""], end()],
    [["snapshot", "abc"], end()],
    [end({ snapshots: ["../../elsewhere"] })],
    [end({ snapshots: 7 })],
    [end({ functions: 7 })],
    [end({ marks: { genesis: 7 } })],
  ] as const)
    assert.throws(() => opened(...frames), DamagedBackup, JSON.stringify(frames));
});
