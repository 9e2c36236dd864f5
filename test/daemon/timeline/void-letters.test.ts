/**
 * Tests that writes to decided keys on which the members have not decided become dead letters once their positions are
 * final, each once, whatever restarts and fails in between. Source: docs/decisions/0081-decided-keys.md.
 */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { DeadLetterFolder, deadUnitsOf } from "../../../daemon/cluster/dead-letters/dead-letter-folder.js";
import { DeadLetterStore } from "../../../daemon/cluster/dead-letters/dead-letter-store.js";
import type { DeadLetterWriter } from "../../../daemon/timeline/dead-letters.js";
import { type Entry, orderKeyOf } from "../../../daemon/timeline/entries/entry.js";
import type { FoldUnit } from "../../../daemon/timeline/fold/fold-unit.js";
import { VoidUnits } from "../../../daemon/timeline/fold/void-units.js";
import { readEntryBody, writeDecision } from "../../../protocol/version-2/decision-body.js";
import { commandsIn, hexOf, signedBytes } from "../../../protocol/version-2/envelope.js";
import { double } from "../../support/double.js";
import { until } from "../../support/until.js";
import { makeFolder } from "../program/replicas.js";
import { ROOT } from "./support/fold-subject.js";
import { entryOf, KEY_IDS } from "./support/random-timeline.js";
import { entryAt, hash, MEMBER, MINUTE_MS, START, TimelineSubject } from "./support/timeline-subject.js";

const BEGUN_AT = START + 200;
const NOW = START + 2_000;
const MEBIBYTE = 2 ** 20;
const STORE_EVERY_MS = 600_000;
/** An administrator's key, and one that is not in the ring. */
const [OTHER_ROOT, UNKNOWN] = [2, 5];

/** Returns the members' decision in a slot, on an administrator's command. */
function order(slot: number, at: number, command: string): Entry {
  const { body, signature } = entryAt(at - 50, command, KEY_IDS[ROOT]);
  const previous = slot === 1 ? null : { at: START, seq: 0, id: hash(Buffer.from("previous")) };
  const unit = { body, signature };
  const bytes = writeDecision({
    slot,
    index: 0,
    count: 1,
    previous,
    at,
    seq: 0,
    outcomes: ["applied"],
    unit,
  });
  return { id: hash(signedBytes(bytes)), body: bytes, signature, envelope: readEntryBody(bytes) };
}

const PATTERN = [
  order(1, START + 100, "CLUSTER DECIDE d:*"),
  order(2, BEGUN_AT, "CLUSTER DECIDED d:*"),
] as const;

/** Returns an entry of several commands, each a unit. */
function severalAt(at: number, ...commands: readonly string[]): Entry {
  const entry = entryOf(
    { at, nonce: "several of them.", commands: commands.map((one) => one.split(" ")) },
    "",
  );
  return { ...entry, id: hash(signedBytes(entry.body)) };
}

/** Returns an entry of several commands that are one unit. */
function transactionAt(at: number, ...commands: readonly string[]): Entry {
  const argvs = commands.map((one) => one.split(" "));
  const entry = entryOf({ at, nonce: "a transaction...", commands: argvs, multi: true }, "");
  return { ...entry, id: hash(signedBytes(entry.body)) };
}

/** A daemon with a data folder, which has reported dates before the pattern began, and may start again. */
class Scene {
  readonly errors: string[] = [];
  /** The number of files that are being written. */
  open = 0;
  /** Whether the daemon stops before it settles its files. */
  isDying = false;
  /** Called before dead letters are committed. */
  beforeCommit: () => Promise<void> | undefined = () => undefined;
  readonly #data: string;
  readonly #store: DeadLetterStore;
  subject: TimelineSubject;

  private constructor(data: string, maxBytes: number) {
    this.#data = data;
    this.#store = new DeadLetterStore(data, maxBytes);
    const { errors } = this;
    this.subject = new TimelineSubject({ every: 5, now: NOW, errors, openDeadLetters: this.#open });
  }

  static async start(data: string, maxBytes = MEBIBYTE): Promise<Scene> {
    const scene = new Scene(data, maxBytes);
    await scene.subject.open();
    scene.subject.timeline.voidLetters.tick(START);
    return scene;
  }

  readonly #open = (at: number, share = 1): DeadLetterWriter => {
    const writer = this.#store.open(at, share);
    this.open++;
    return {
      store: (...letter) => writer.store(...letter),
      commit: async () => {
        await this.beforeCommit();
        return await writer.commit();
      },
      settle: () => {
        this.open--;
        if (!this.isDying) writer.settle();
      },
      discard: () => {
        this.open--;
        writer.discard();
      },
      get figures() {
        return writer.figures;
      },
    };
  };

  async receive(...entries: readonly Entry[]): Promise<void> {
    this.subject.timeline.receive(entries, MEMBER);
    await this.subject.settle();
  }

  /** Reports that everything before a date is final, and waits until that has no further effect. */
  async finalize(before: number): Promise<void> {
    this.subject.timeline.voidLetters.tick(before);
    await until("no file is being written", () => this.open === 0, { pause: () => this.subject.turns(1) });
    await this.subject.settle();
  }

  /** Starts the daemon again, with what is on its disk. @param ms  the time until it serves */
  async restart(ms = 0): Promise<void> {
    this.#store.decide(this.subject.storage, { info: assert.fail, warn: assert.fail, error: assert.fail });
    this.subject = this.subject.restarted();
    this.subject.elapse(ms);
    await this.subject.open();
  }

  remove(): void {
    const folder = new DeadLetterFolder(this.#data);
    folder.remove(folder.list().deadLetters);
  }

  /** The commands that are dead letters, by the state and reason of each letter. */
  get letters(): readonly (readonly string[])[] {
    const folder = new DeadLetterFolder(this.#data);
    return folder.list().deadLetters.map((letter) => {
      const { envelope } = folder.entry(letter) ?? assert.fail();
      const commands = deadUnitsOf(envelope, letter).flatMap((unit) => commandsIn(envelope, unit));
      return [`${letter.state} ${letter.reason}`, ...commands.map((argv) => argv.join(" "))];
    });
  }
}

test("void units become dead letters when they are final, and the other units of their entries do not", async () => {
  using data = makeFolder();
  const scene = await Scene.start(data.path);
  await scene.receive(
    ...PATTERN,
    severalAt(START + 500, "SET d:a 1", "SET p 1", "SET d:b 1"),
    entryAt(START + 700, "SET d:c 1"),
    entryAt(START + 700, "SET q 1"),
    entryAt(BEGUN_AT - 1, "SET d:before 1"),
  );

  await scene.finalize(START + 500);
  assert.deepEqual(scene.letters, []);
  await scene.finalize(START + 501);
  assert.deepEqual(scene.letters, [["waiting void", "SET d:a 1", "SET d:b 1"]]);

  await scene.finalize(START + 1_000);
  scene.subject.elapse(STORE_EVERY_MS - 1);
  await scene.finalize(START + 1_000);
  assert.equal(scene.letters.length, 1, "the next file is written later");
  scene.subject.elapse(1);
  await scene.finalize(START + 1_000);
  assert.deepEqual(scene.letters.slice(1), [["waiting void", "SET d:c 1"]]);
  assert.match(scene.errors[0] ?? "", /^these entries write decided keys, and the members have not decided/);
});

test("what another unit makes valid, or its signer was not permitted to do, is no dead letter", async () => {
  using data = makeFolder();
  const scene = await Scene.start(data.path);
  await scene.receive(
    ...PATTERN,
    entryAt(START + 400, "SET d:removed 1"),
    entryAt(START + 500, "SET d:void 1"),
    entryAt(START + 500, "SET d:forbidden 1", KEY_IDS[UNKNOWN]),
    entryAt(START + 500, "SET d:revoked 1", KEY_IDS[OTHER_ROOT]),
    transactionAt(START + 500, "SET d:malformed 1", "NOSUCH x"),
  );

  // The pattern was removed before one of them, and announced and begun again.
  await scene.receive(
    order(3, START + 300, "CLUSTER UNDECIDE d:*"),
    order(4, START + 450, "CLUSTER DECIDE d:*"),
    order(5, START + 460, "CLUSTER DECIDED d:*"),
    entryAt(START + 470, `KEY REVOKE ${hexOf(KEY_IDS[OTHER_ROOT] as string)}`, KEY_IDS[ROOT]),
  );
  await scene.finalize(NOW);
  assert.deepEqual(scene.letters, [["waiting void", "SET d:void 1"]]);
});

test("a write that was applied becomes a dead letter if the pattern arrives later, also by a refold", async () => {
  for (const isRefolded of [false, true]) {
    using data = makeFolder();
    const scene = await Scene.start(data.path);
    const { subject } = scene;
    const own = subject.write("SET d:own 1", START + 1_000);
    assert.ok(subject.timeline.holds(orderKeyOf(own)));
    if (isRefolded) await subject.writes(10, MINUTE_MS / 4, (i) => `SET other ${i}`);
    await scene.receive(...PATTERN);
    await scene.finalize(NOW);
    assert.deepEqual(scene.letters, [["waiting void", "SET d:own 1"]], `refolded: ${isRefolded}`);
  }
});

test("nothing is stored twice after a restart, or forgotten, although snapshots are made", async () => {
  using data = makeFolder();
  const scene = await Scene.start(data.path);
  await scene.receive(...PATTERN, entryAt(START + 500, "SET d:a 1"), entryAt(START + 1_500, "SET d:b 1"));
  await scene.finalize(START + 1_000);

  // An operator has handled the first one.
  scene.remove();
  await scene.restart();
  await scene.finalize(START + 1_000);
  assert.deepEqual(scene.letters, []);

  // A member is down, so that nothing more becomes final.
  await scene.subject.writes(20, MINUTE_MS / 4, (i) => `SET other ${i}`);
  assert.deepEqual(
    scene.subject.snapshots.list().filter((at) => at >= START + 1_500),
    [],
  );

  await scene.restart();
  await scene.finalize(START + MINUTE_MS);
  assert.deepEqual(scene.letters, [["waiting void", "SET d:b 1"]]);
  await scene.finalize(START + MINUTE_MS);
  await scene.subject.writes(10, MINUTE_MS / 4, (i) => `SET other ${i}`);
  assert.notDeepEqual(
    scene.subject.snapshots.list().filter((at) => at >= START + 1_500),
    [],
    "then snapshots contain it",
  );
});

test("a daemon stores none that were final before it first reported", async () => {
  using empty = makeFolder();
  const joined = new TimelineSubject({
    now: NOW,
    openDeadLetters: new DeadLetterStore(empty.path, MEBIBYTE).open,
  });
  await joined.open();
  joined.timeline.receive([...PATTERN, entryAt(START + 500, "SET d:a 1")], MEMBER);
  await joined.settle();
  joined.timeline.voidLetters.tick(0);
  joined.timeline.voidLetters.tick(NOW);
  joined.elapse(10_000);
  joined.timeline.voidLetters.tick(NOW + 1);
  await joined.settle();
  assert.deepEqual(readdirSync(empty.path), []);
});

test("dead letters that cannot be stored are stored later, and a crash loses none", async () => {
  using data = makeFolder();
  const scene = await Scene.start(data.path);
  await scene.receive(...PATTERN, entryAt(START + 500, "SET d:a 1"));
  scene.beforeCommit = () => Promise.reject(new Error("no space"));
  await scene.finalize(NOW);
  assert.match(scene.errors.splice(0)[0] ?? "", /could not be stored as dead letters; the next attempt/);
  assert.deepEqual(scene.letters, []);
  assert.deepEqual(readdirSync(join(data.path, "dead-letters")), []);

  // It stops before the file is complete, and then after its mark is on the disk.
  scene.subject.elapse(10_000);
  scene.beforeCommit = () => scene.subject.timeline.stop();
  await scene.finalize(NOW);
  scene.beforeCommit = () => undefined;
  await scene.restart();
  assert.deepEqual(scene.letters, []);

  scene.isDying = true;
  await scene.finalize(NOW);
  assert.deepEqual(scene.letters, [["undecided void", "SET d:a 1"]]);
  await scene.restart();
  await scene.finalize(NOW);
  assert.deepEqual(scene.letters, [["waiting void", "SET d:a 1"]]);
});

test("a member's snapshot is adopted when no void writes are being stored, because both need the same mark", async () => {
  const limits = { retainMs: MINUTE_MS };
  const source = await new TimelineSubject({ every: 5, now: NOW, limits }).open();
  await source.writes(40, MINUTE_MS / 4, (i) => `SET other ${i}`);
  const snapshot = source.timeline.handover.sendable(source.timeline.prunedTo) ?? assert.fail();

  using data = makeFolder();
  const scene = await Scene.start(data.path);
  await scene.receive(...PATTERN, entryAt(START + 500, "SET d:a 1"));
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  scene.beforeCommit = () => held;
  scene.subject.timeline.voidLetters.tick(NOW);

  const { handover } = scene.subject.timeline;
  const staged = handover.stage(snapshot.cutAt);
  for (const chunk of snapshot.chunks) staged.write(chunk);
  let isAdopted = false;
  handover.adopt(staged, staged.seal, {
    isWanted: () => true,
    onAside: () => {},
    onOrphaned: () => {},
    onAdopted: () => void (isAdopted = true),
    onFailed: (problem) => assert.fail(problem),
  });
  for (let i = 0; i < 100; i++) await scene.subject.turns(1);
  assert.deepEqual([scene.open, scene.subject.timeline.state], [1, "catching-up"]);

  release();
  await until("it is adopted", () => isAdopted, { pause: () => scene.subject.turns(1) });
  assert.equal(scene.letters.filter(([about]) => about === "waiting void").length, 1);
});

test("void writes take at most half of the room for dead letters", async () => {
  using data = makeFolder();
  const scene = await Scene.start(data.path, 3_000);
  const entries = Array.from({ length: 20 }, (_, i) => entryAt(START + 500 + i, `SET d:${i} 1`));
  await scene.receive(...PATTERN, ...entries);
  await scene.finalize(NOW);
  const { length } = scene.letters;
  assert.ok(length > 2 && length < 10, `${length} letters`);
  assert.match(scene.errors.at(-1) ?? "", /^`left` more are not stored/);
});

test("snapshots wait for void writes at most ten minutes, and they are then stored as possible", async () => {
  using data = makeFolder();
  const scene = await Scene.start(data.path);
  await scene.receive(...PATTERN, entryAt(START + 500, "SET d:a 1"));
  const minutes = async (count: number) => {
    for (let i = 0; i < count; i++) {
      await scene.subject.writes(6, MINUTE_MS / 6, (n) => `SET other:${n} ${i}`);
      await scene.finalize(START + 1);
    }
  };
  const hasSnapshot = () => scene.subject.snapshots.list().some((at) => at > START + 500);

  await minutes(9);
  assert.deepEqual([scene.letters, hasSnapshot()], [[], false]);
  await minutes(3);
  assert.deepEqual([scene.letters, hasSnapshot()], [[["waiting possible", "SET d:a 1"]], true]);

  // A refold finds it again, and another one.
  await scene.receive(entryAt(START + 501, "SET d:b 1"));
  await minutes(9);
  assert.equal(scene.letters.length, 1);
  await scene.finalize(START + 1_000);
  scene.subject.elapse(STORE_EVERY_MS);
  await scene.finalize(START + 1_000);
  assert.deepEqual(scene.letters, [
    ["waiting possible", "SET d:a 1"],
    ["waiting void", "SET d:b 1"],
  ]);
});

test("void writes wait from the first time that the daemon serves, and become void in a steady stream", async () => {
  using data = makeFolder();
  const scene = await Scene.start(data.path);
  await scene.receive(...PATTERN, entryAt(START + 500, "SET d:a 1"));
  await scene.restart(STORE_EVERY_MS);
  await scene.finalize(START + 1);
  assert.equal(scene.letters.length, 0);

  for (let i = 0; i < 150; i++) {
    scene.subject.elapse(MINUTE_MS / 4);
    scene.subject.timeline.tick();
    await scene.receive(entryAt(scene.subject.now - 1_000, `SET d:${i} 1`));
    await scene.finalize(scene.subject.now - MINUTE_MS - 30_000);
  }
  assert.ok(scene.letters.length > 100, `${scene.letters.length}`);
  assert.deepEqual(
    scene.letters.filter(([about]) => about !== "waiting void"),
    [],
  );
});

test("a fold knows a bounded number of void units, and says when there were more", () => {
  const voids = new VoidUnits();
  const unit = (at: number, index = 0) =>
    double<FoldUnit>({ orderKey: { at, seq: 0, id: String(at) }, entryId: String(at), index });
  for (let at = 1; at <= 100_001; at++) voids.add(unit(at));
  const found = () => [...voids.upTo(Number.POSITIVE_INFINITY)].map(({ orderKey }) => orderKey.at);
  assert.deepEqual(
    [found().length, found()[0], voids.forgottenTo, voids.firstAt],
    [90_000, 10_002, 10_001, 1],
  );

  // The units of an entry take room, too.
  for (let index = 29_999; index >= 0; index--) voids.add(unit(100_002, index));
  const { forgottenTo } = voids;
  assert.ok(forgottenTo > 15_000 && forgottenTo < 25_000, `${forgottenTo}`);
  assert.deepEqual([...voids.upTo(100_002)].at(-1)?.units.slice(0, 3), [0, 1, 2]);
  for (let index = 0; index < 30_000; index++) voids.remove(unit(100_002, index));
  voids.remove(unit(100_002));
  for (let at = 1; at <= 5_000; at++) voids.add(unit(at));
  assert.equal(voids.forgottenTo, forgottenTo, "removed units leave room");

  // What was forgotten is stored already if it is dated before the others, as after a restart.
  voids.drop(50_000);
  assert.equal(voids.firstAt, 50_001);
  for (let at = 200_000; at < 300_001; at++) voids.add(unit(at));
  voids.drop(60_000);
  assert.deepEqual([voids.firstAt, voids.forgottenTo > 100_000], [60_001, true], "no snapshot contains them");
});
