/**
 * Tests that dead letters are complete on the disk before the daemon drops their entries, and that damage, a crash or a
 * full disk loses no more dead letters than necessary.
 */
import assert from "node:assert/strict";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import {
  DEAD_LETTERS_MAGIC,
  DeadLetterFolder,
} from "../../../../daemon/cluster/dead-letters/dead-letter-folder.js";
import { DeadLetterStore } from "../../../../daemon/cluster/dead-letters/dead-letter-store.js";
import { deadLettersReply } from "../../../../daemon/cluster/history/timeline-answers.js";
import { CommandFailure } from "../../../../daemon/store/arguments/command-errors.js";
import type { KeyRing } from "../../../../daemon/store/key-ring.js";
import type { DeadLetterReason, DeadLetterWriter } from "../../../../daemon/timeline/dead-letters.js";
import { type Entry, orderKeyOf, writeOrderKey } from "../../../../daemon/timeline/entries/entry.js";
import type { Mark, Storage } from "../../../../daemon/timeline/entries/storage.js";
import { writeValue } from "../../../../daemon/timeline/entries/stored-value.js";
import { writeReply } from "../../../../protocol/resp/resp-writer.js";
import { amount } from "../../../support/amount.js";
import { double } from "../../../support/double.js";
import { makeFolder } from "../../program/replicas.js";
import { entryAt } from "../../timeline/support/timeline-subject.js";

const CUT_AT = Date.UTC(2030, 0, 2, 3, 4, 5);
const MEBIBYTE = 2 ** 20;

const deadLettersIn = (data: string, maxBytes = MEBIBYTE) => new DeadLetterStore(data, maxBytes);

function keep(
  writer: DeadLetterWriter,
  entries: readonly Entry[],
  reason: DeadLetterReason = "missing",
): void {
  for (const entry of entries)
    writer.store(writeOrderKey(orderKeyOf(entry)), writeValue(entry.body, entry.signature), reason);
}

/** Stores and commits dead letters. @returns the file */
async function keepAll(
  deadLetters: DeadLetterStore,
  entries: readonly Entry[],
  reason?: DeadLetterReason,
): Promise<string> {
  const writer = deadLetters.open(CUT_AT);
  keep(writer, entries, reason);
  await writer.commit();
  writer.settle();
  return writer.figures.file ?? assert.fail();
}

const some = (count: number) =>
  Array.from({ length: count }, (_, i) => entryAt(CUT_AT - 1000 + i, `SET k${i} ${i}`));

const markOf = (mark: Mark | null) => double<Storage>({ mark: () => mark?.[1] ?? null });
const quiet = { info: assert.fail, warn: assert.fail, error: assert.fail };

test("stored letters are in timeline order, and contain the signed bytes unchanged", async () => {
  using data = makeFolder();
  const deadLetters = deadLettersIn(data.path);
  const binary = entryAt(
    CUT_AT - 2000,
    `SET bin ${String.fromCharCode(...Array(256).keys()).replaceAll(" ", "")}`,
  );

  // A value that looks like a dead letter file.
  const own = readFileSync(await keepAll(deadLetters, [binary], "possible"), "latin1");
  const nested = entryAt(CUT_AT - 3000, `SET nested ${own.replaceAll(" ", "_")}`);
  await keepAll(deadLetters, [...some(3), nested], "unknown-key");

  const folder = new DeadLetterFolder(data.path);
  const { deadLetters: found, unread } = folder.list();
  assert.deepEqual(unread, []);
  assert.deepEqual(
    found.map(({ reason }) => reason),
    ["unknown-key", "possible", "unknown-key", "unknown-key", "unknown-key"],
  );
  assert.deepEqual(folder.entry(found[0] ?? assert.fail()), nested);
  assert.deepEqual(folder.entry(found[1] ?? assert.fail()), binary);
  assert.equal(deadLetters.waiting(Date.now()), 5);
});

test("a crash leaves no letter before the timeline's mark is on the disk, and all letters afterwards", async () => {
  using data = makeFolder();
  const path = join(data.path, "dead-letters");

  for (const isMarked of [false, true]) {
    const writer = deadLettersIn(data.path).open(CUT_AT);
    keep(writer, some(2));
    const mark = await writer.commit();
    assert.equal(mark?.[0], "letters");

    const { deadLetters } = new DeadLetterFolder(data.path).list();
    assert.deepEqual(
      deadLetters.map(({ state }) => state),
      ["undecided", "undecided"],
    );

    const again = deadLettersIn(data.path);
    again.decide(markOf(isMarked ? mark : null), quiet);
    assert.equal(again.waiting(Date.now()), isMarked ? 2 : 0);
    assert.equal(readdirSync(path).length, isMarked ? 1 : 0);
  }

  // The daemon crashes while it writes the letters.
  const writer = deadLettersIn(data.path).open(CUT_AT);
  keep(writer, some(2));
  assert.equal(readdirSync(path).filter((name) => name.endsWith(".partial")).length, 1);
  deadLettersIn(data.path).decide(markOf(null), quiet);
  assert.equal(deadLettersIn(data.path).waiting(Date.now()), 2);
  assert.equal(readdirSync(path).length, 1);
});

test("the timeline's mark names each file that could not be settled, also after a start", async () => {
  using data = makeFolder();
  const entries = some(4);
  const stored = async (deadLetters: DeadLetterStore, prepare: (name: string) => void = () => {}) => {
    const writer = deadLetters.open(CUT_AT);
    keep(writer, entries.splice(0, 1));
    const mark = await writer.commit();
    prepare(mark?.[1].toString() ?? "");
    writer.settle();
    return mark;
  };

  // Its name is taken while two more files are written, with a start in between.
  const first = deadLettersIn(data.path);
  let blocked = "";
  await stored(first, (name) => {
    blocked = join(data.path, "dead-letters", `${name}.letters`);
    mkdirSync(blocked);
  });
  const second = deadLettersIn(data.path);
  const warnings: object[] = [];
  second.decide(markOf(await stored(first)), { ...quiet, warn: (facts) => void warnings.push(facts) });
  assert.deepEqual(warnings, [{ file: blocked.replace(".letters", ".undecided") }]);
  const mark = await stored(second);

  rmdirSync(blocked);
  const third = deadLettersIn(data.path);
  third.decide(markOf(mark), quiet);
  assert.deepEqual(
    third.folder.list().deadLetters.map(({ state }) => state),
    ["waiting", "waiting", "waiting"],
  );

  // A file that is gone prevents nothing.
  await stored(third, (name) => unlinkSync(join(data.path, "dead-letters", `${name}.undecided`)));
  assert.equal(third.unsettled.size, 1);
  third.settleAll();
  assert.equal(third.unsettled.size, 0);
});

test("an entry that was stored as possible, and then as void, is listed as void", async () => {
  for (const reasons of [
    ["possible", "void"],
    ["void", "possible"],
  ] as const) {
    using data = makeFolder();
    const [entry] = some(1) as [Entry];
    for (const reason of reasons) await keepAll(deadLettersIn(data.path), [entry], reason);
    assert.deepEqual(
      new DeadLetterFolder(data.path).list().deadLetters.map(({ reason }) => reason),
      ["void"],
    );
  }
});

test("a full disk is reported, and no partial file remains", async () => {
  using data = makeFolder();
  let room = 300;
  const write = (descriptor: number, bytes: Buffer, from: number) => {
    const accepted = Math.min(room, bytes.length - from);
    if (accepted === 0) throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
    room -= accepted;
    return writeSync(descriptor, bytes, from, accepted);
  };
  const writer = new DeadLetterStore(data.path, MEBIBYTE, write).open(CUT_AT);
  assert.throws(
    () => keep(writer, some(5)),
    /dead letters cannot be stored in .*dead-letters \(ENOSPC\): free space/,
  );
  writer.discard();
  assert.deepEqual(readdirSync(join(data.path, "dead-letters")), []);
});

test("a folder that cannot be created is reported", () => {
  using data = makeFolder();
  writeFileSync(join(data.path, "dead-letters"), "a file");
  const deadLetters = deadLettersIn(data.path);
  assert.throws(() => keep(deadLetters.open(CUT_AT), some(1)), /dead letters cannot be stored/);
  const warnings: string[] = [];
  deadLetters.decide(markOf(null), { ...quiet, warn: (_, line) => void warnings.push(line) });
  assert.equal(warnings.length, 1);
  assert.equal(deadLetters.waiting(Date.now()), 0);
});

test("letters for which there is no space are counted, and the stored ones remain", async () => {
  using data = makeFolder();
  const [first, second] = some(2) as [Entry, Entry];
  const file = await keepAll(deadLettersIn(data.path), [first]);
  const { length } = readFileSync(file);
  const writer = deadLettersIn(data.path, length + 100).open(CUT_AT);
  keep(writer, [first, second]);
  assert.equal(await writer.commit(), null);
  writer.settle();
  assert.deepEqual(writer.figures, { file: null, stored: 0, notStored: 2 });
  assert.deepEqual(readdirSync(join(data.path, "dead-letters")).length, 1);
});

test("damage makes one letter unreadable, and a damaged head also hides the letters after it", async () => {
  using data = makeFolder();
  const inner = readFileSync(
    await keepAll(deadLettersIn(data.path), [entryAt(CUT_AT, "SET forged 1")]),
    "latin1",
  );
  new DeadLetterFolder(data.path).remove(new DeadLetterFolder(data.path).list().deadLetters);

  const entries = [
    ...some(2),
    entryAt(CUT_AT, `SET k ${inner.slice(16).replaceAll(" ", "_")}`),
    entryAt(CUT_AT + 1, "SET last 1"),
  ];
  const file = await keepAll(deadLettersIn(data.path), entries);
  const intact = readFileSync(file);
  const folder = new DeadLetterFolder(data.path);
  const heads = folder.list().deadLetters;

  const flip = (at: number) => {
    const bytes = Buffer.from(intact);
    bytes[at] = (bytes[at] as number) ^ 0x40;
    writeFileSync(file, bytes);
    const { deadLetters, unread } = folder.list();
    return { ids: deadLetters.map((one) => folder.entry(one)?.id ?? null), unread: unread[0]?.bytes ?? 0 };
  };

  const ids = entries.map(({ id }) => id);
  const [, second, third] = heads;
  assert.ok(second && third);
  assert.deepEqual(flip(second.to - 1), { ids: ids.with(1, null as unknown as string), unread: 0 });
  assert.deepEqual(flip(second.from + 3), { ids: ids.slice(0, 1), unread: intact.length - second.from });
  assert.deepEqual(flip(second.from + 7), { ids: ids.slice(0, 1), unread: intact.length - second.from });
  assert.deepEqual(flip(0), { ids: [], unread: intact.length });

  writeFileSync(file, intact);
  truncateSync(file, third.to - 1);
  assert.deepEqual(folder.list().deadLetters.length, 2);
  const bytes = third.to - 1 - third.from;
  assert.deepEqual(folder.list().unread, [{ file, bytes, reason: `its last ${bytes} bytes cannot be read` }]);

  // Removing dead letters does not remove unreadable ones.
  folder.remove(folder.list().deadLetters.slice(0, 1));
  assert.deepEqual(
    [folder.list().deadLetters.map(({ orderKey }) => orderKey.id), folder.list().unread[0]?.bytes],
    [ids.slice(1, 2), third.to - 1 - third.from],
  );
});

test("a letter names the units that are dead letters, and a head with other units is damaged", async () => {
  using data = makeFolder();
  const [first, second] = some(2) as [Entry, Entry];
  const writer = deadLettersIn(data.path).open(CUT_AT);
  const storedValue = (entry: Entry) => writeValue(entry.body, entry.signature);
  writer.store(writeOrderKey(orderKeyOf(first)), storedValue(first), "void", [0, 70_000]);
  writer.store(writeOrderKey(orderKeyOf(second)), storedValue(second), "missing");
  await writer.commit();
  writer.settle();

  const folder = new DeadLetterFolder(data.path);
  const [letter] = folder.list().deadLetters;
  assert.deepEqual(
    folder.list().deadLetters.map(({ reason, units }) => [reason, units]),
    [
      ["void", [0, 70_000]],
      ["missing", null],
    ],
  );
  assert.deepEqual(folder.entry(letter ?? assert.fail()), first);

  const file = writer.figures.file ?? assert.fail();
  const intact = readFileSync(file);
  for (let at = letter?.from ?? 0; at < (letter?.valueFrom ?? 0); at++) {
    const bytes = Buffer.from(intact);
    bytes[at] = (bytes[at] as number) ^ 0x81;
    writeFileSync(file, bytes);
    const { deadLetters, unread } = folder.list();
    assert.deepEqual(
      [deadLetters.length, unread[0]?.bytes],
      [0, intact.length - DEAD_LETTERS_MAGIC.length],
      `byte ${at}`,
    );
  }
});

test("a file of another format is reported with both numbers, and never changed, renamed or removed", async () => {
  using data = makeFolder();
  const own = some(2);
  const file = await keepAll(deadLettersIn(data.path), own);
  const later = readFileSync(file);
  later[DEAD_LETTERS_MAGIC.length - 1] = "1".charCodeAt(0);

  const folder = new DeadLetterFolder(data.path);
  const names = ["later.letters", "later.undecided", "later.partial", "marked.undecided"];
  for (const name of names) writeFileSync(join(folder.path, name), later);

  const warnings: object[] = [];
  deadLettersIn(data.path).decide(markOf(["letters", Buffer.from("marked")]), {
    ...quiet,
    warn: (facts) => void warnings.push(facts),
  });
  assert.equal(warnings.length, 3);

  const { deadLetters, unread } = folder.list();
  const reason =
    "it has format 1, and this program reads only format 2; it was not changed: use the version of dbsync that wrote it";
  assert.deepEqual(
    unread.map((one) => [basename(one.file), one.bytes, one.reason]),
    ["later.letters", "later.undecided", "marked.undecided"].map((name) => [name, later.length, reason]),
  );

  folder.remove(deadLetters);
  assert.equal(existsSync(file), false);
  assert.deepEqual(
    readdirSync(folder.path)
      .filter((name) => name !== "written")
      .sort(),
    names.sort(),
  );
  for (const name of names) assert.deepEqual(readFileSync(join(folder.path, name)), later);
});

test("thousands of letters are stored, listed, counted and removed", async () => {
  using data = makeFolder();
  const deadLetters = deadLettersIn(data.path, 64 * MEBIBYTE);
  const count = amount(2_000, 5_000);
  const entries = some(count);
  await keepAll(deadLetters, entries);

  const folder = new DeadLetterFolder(data.path);
  const found = folder.list().deadLetters;
  assert.deepEqual(
    found.map(({ orderKey }) => orderKey.id),
    entries.map(({ id }) => id),
  );

  folder.remove(found.filter((_, i) => i % 2 === 0));
  assert.equal(folder.list().deadLetters.length, count / 2);
  assert.equal(deadLetters.waiting(Date.now()), count / 2);
  folder.remove(folder.list().deadLetters);
  assert.equal(deadLetters.waiting(Date.now()), 0);
  assert.deepEqual(readdirSync(folder.path), []);
});

test("a letter waits until it was written again, and then stays in the folder", async () => {
  using data = makeFolder();
  const deadLetters = deadLettersIn(data.path);
  await keepAll(deadLetters, some(3));
  const folder = new DeadLetterFolder(data.path);
  const [one, two, three] = folder.list().deadLetters;
  assert.ok(one && two && three);

  for (const deadLetter of [one, two, three]) folder.begin(deadLetter, false);
  assert.throws(() => folder.begin(one, false), { name: "DeadLetterTaken" });
  folder.begin(one, true);
  folder.written(one);
  folder.unwritten(two);

  assert.deepEqual(
    folder.list().deadLetters.map(({ state }) => state),
    ["written", "waiting", "begun"],
  );
  assert.ok(Math.abs((folder.list().deadLetters[0]?.since ?? 0) - Date.now()) < 3_600_000);
  assert.equal(deadLetters.waiting(Date.now()), 2);

  // The program listed the folder before another program wrote the dead letter again.
  assert.throws(() => folder.begin(one, false), { name: "DeadLetterTaken", message: /has written it again/ });
  assert.equal(folder.list().deadLetters[0]?.state, "written");
  folder.begin(one, true);
  folder.written(one);

  folder.remove([one]);
  assert.deepEqual(readdirSync(join(folder.path, "written")).length, 1);
});

test("a letter that two programs write again counts as written if either program succeeds", async () => {
  using data = makeFolder();
  await keepAll(deadLettersIn(data.path), some(2));
  const [first, second] = [new DeadLetterFolder(data.path), new DeadLetterFolder(data.path)];
  const [one, two] = first.list().deadLetters;
  assert.ok(one && two);

  for (const deadLetter of [one, two]) {
    first.begin(deadLetter, true);
    second.begin(deadLetter, true);
  }
  first.written(one);
  second.written(one);
  first.unwritten(two);
  second.written(two);

  assert.deepEqual(
    first.list().deadLetters.map(({ state }) => state),
    ["written", "written"],
  );
});

test("a removed letter disappears from each file that contains it", async () => {
  using data = makeFolder();
  const entries = some(2);
  await keepAll(deadLettersIn(data.path), entries);
  await keepAll(deadLettersIn(data.path), entries);
  const folder = new DeadLetterFolder(data.path);
  const [one, two] = folder.list().deadLetters;
  assert.ok(one && two);

  folder.begin(one, false);
  folder.written(one);
  folder.remove([one]);
  assert.deepEqual(
    folder.list().deadLetters.map(({ orderKey, state }) => [orderKey.id, state]),
    [[two.orderKey.id, "waiting"]],
  );

  folder.remove([two]);
  assert.deepEqual(folder.list().deadLetters, []);
});

test("a letter in a decided and an undecided file is listed once, from the decided file", async () => {
  using data = makeFolder();
  const [entry] = some(1) as [Entry];
  const undecided = deadLettersIn(data.path).open(CUT_AT - 1);
  keep(undecided, [entry]);
  await undecided.commit();
  const file = await keepAll(deadLettersIn(data.path), [entry]);
  const { deadLetters } = new DeadLetterFolder(data.path).list();
  assert.deepEqual(
    deadLetters.map(({ state, file }) => ({ state, file })),
    [{ state: "waiting", file }],
  );
  assert.ok(existsSync(file));
  appendFileSync(join(data.path, "dead-letters", "of another program"), "x");
  assert.equal(new DeadLetterFolder(data.path).list().deadLetters.length, 1);
});

test("TIMELINE DEADLETTERS shows only the commands of the units that are dead letters", async () => {
  using data = makeFolder();
  const deadLetters = deadLettersIn(data.path);
  const [entry] = some(1) as [Entry];
  for (const units of [[0], [1]]) {
    const writer = deadLetters.open(CUT_AT);
    writer.store(writeOrderKey(orderKeyOf(entry)), writeValue(entry.body, entry.signature), "void", units);
    await writer.commit();
    writer.settle();
    const ring = double<KeyRing>({ find: () => undefined });
    const reply = writeReply(deadLettersReply(["TIMELINE", "DEADLETTERS"], deadLetters.folder, ring));
    assert.equal(/SET\r\n\$2\r\nk0/.test(reply), units[0] === 0);
    assert.match(reply, /void/);
    deadLetters.folder.remove(deadLetters.folder.list().deadLetters);
  }
});

test("TIMELINE DEADLETTERS shows the oldest letters first, a page at a time, and does not read long ones", async () => {
  using data = makeFolder();
  const deadLetters = deadLettersIn(data.path);
  const long = entryAt(CUT_AT, `SET long ${"x".repeat(100_000)}`);
  await keepAll(deadLetters, [...some(5), long]);
  const ring = double<KeyRing>({ find: () => undefined });
  const ask = (...words: string[]) => {
    const reply = deadLettersReply(["TIMELINE", "DEADLETTERS", ...words], deadLetters.folder, ring);
    return writeReply(reply);
  };

  const all = ask();
  assert.match(all, /SET\r\n\$2\r\nk0\r\n.*SET\r\n\$2\r\nk4\r\n/s);
  assert.match(all, /missing/);
  assert.doesNotMatch(all, /xxxx/, "a long letter is listed without its commands");

  const page = ask("LIMIT", "2", "FROM", String(CUT_AT - 999));
  assert.match(page, /k1.*k2/s);
  assert.doesNotMatch(page, /k0|k3/);
  assert.match(page, /left\r\n:3\r\n/);

  for (const invalid of [
    ["LIMIT", "201"],
    ["LIMIT", "0"],
    ["FROM", "x"],
    ["KEY", "k"],
  ])
    assert.throws(() => ask(...invalid), CommandFailure, invalid.join(" "));
  assert.match(writeReply(deadLettersReply(["TIMELINE", "DEADLETTERS"], null, ring)), /letters\r\n\*0\r\n/);
});
