/** Tests `dbsync members join` on folders, also after the program ended at each of its steps. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { DeadLetterFolder } from "../../../../daemon/cluster/dead-letters/dead-letter-folder.js";
import { DeadLetterStore } from "../../../../daemon/cluster/dead-letters/dead-letter-store.js";
import { openStorage } from "../../../../daemon/cluster/node/cluster-node.js";
import { openDataFolder } from "../../../../daemon/engine/trust/data-folder.js";
import type { Settings } from "../../../../daemon/options/settings.js";
import { type Entry, orderKeyOf, writeOrderKey } from "../../../../daemon/timeline/entries/entry.js";
import { writeValue } from "../../../../daemon/timeline/entries/stored-value.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { writeEntries } from "../../../../protocol/members/member-elements.js";
import { writeMemberList } from "../../../../protocol/members/member-list.js";
import { readBody, signedBytes } from "../../../../protocol/version-2/envelope.js";
import { joinOther, joinPlan } from "../../../../tools/cli/folder/joining-folder.js";
import { hash } from "../../../daemon/timeline/support/timeline-subject.js";
import { double } from "../../../support/double.js";
import { makeKeyPair, signCommands } from "../../../support/envelope-client.js";

const AT = Date.UTC(2026, 0, 2, 3, 4, 5);
const CLUSTER = "c".repeat(32);
const OTHER = "o".repeat(32);
const app = makeKeyPair();
const log = { info() {}, warn() {}, error() {} };
const settingsOf = (data: string) => double<Settings>({ data, fsync: "always" });

function entryOf(seconds: number, command: readonly ByteString[]): Entry {
  const { body, signature } = signCommands(app, [command], { at: AT + seconds * 1000, cluster: CLUSTER });
  return { id: hash(signedBytes(body)), body, signature, envelope: readBody(body) };
}

const WRITES = [1, 2, 3].map((seconds) => entryOf(seconds, ["INCR", "counter"]));

/** A data folder with three writes, a command for keys and a list. */
class Folder {
  readonly data = mkdtempSync(join(tmpdir(), "dbsync-join-"));

  /** @param isMember  whether the list names the folder's daemon @param hasSigned  whether it has signed the list */
  static async make(isMember: boolean, hasSigned = false): Promise<Folder> {
    const folder = new Folder();
    const { id } = openDataFolder(folder.data);

    const list = {
      cluster: CLUSTER,
      number: 2,
      parents: ["p".repeat(32)],
      members: isMember ? [id, OTHER].sort() : [OTHER],
      removed: isMember ? [] : [id],
    };
    const lists = writeEntries([
      { body: Buffer.from(writeMemberList(list), "latin1"), signature: Buffer.alloc(0) },
    ]);

    const storage = await openStorage(settingsOf(folder.data), log);
    const entries = [...WRITES, entryOf(4, ["CLUSTER", "ADD", "key"])].map(
      (entry) => [writeOrderKey(orderKeyOf(entry)), writeValue(entry.body, entry.signature)] as const,
    );
    storage.put(entries, [
      ["members", Buffer.concat([Buffer.of(1), lists])],
      ...(hasSigned ? ([["signed-list", lists]] as const) : []),
    ]);
    await storage.flushed();
    await storage.close();
    return folder;
  }

  /** The states of the dead letters. */
  get states(): readonly string[] {
    return new DeadLetterFolder(this.data).list().deadLetters.map(({ state }) => state);
  }

  /** The names in the folder of the data that was moved. */
  get moved(): readonly string[] {
    const replaced = join(this.data, "replaced");
    const [name = ""] = existsSync(replaced) ? readdirSync(replaced) : [];
    return readdirSync(join(replaced, name)).sort();
  }

  /** Does what a daemon does with the dead letters when it starts. */
  async startDaemon(): Promise<void> {
    const storage = await openStorage(settingsOf(this.data), log);
    new DeadLetterStore(this.data, 1e6).decide(storage, log);
    await storage.close();
  }

  /** Writes the dead letters, as the command does before it moves the timeline. */
  async storeUndecided(): Promise<void> {
    const writer = new DeadLetterStore(this.data, 1e6).openJoined(AT);
    for (const entry of WRITES)
      writer.store(writeOrderKey(orderKeyOf(entry)), writeValue(entry.body, entry.signature), "joined");
    await writer.commit();
  }

  moveTimeline(): void {
    const target = join(this.data, "replaced", "joined-2026-01-02");
    mkdirSync(target, { recursive: true });
    renameSync(join(this.data, "timeline"), join(target, "timeline"));
  }

  [Symbol.dispose](): void {
    rmSync(this.data, { recursive: true, force: true });
  }
}

test("the writes of a folder become dead letters, its data is moved, and the command may be repeated", async () => {
  using folder = await Folder.make(true);
  const { data } = folder;
  const plan = await joinPlan({ data });
  assert.deepEqual([plan.numbers, plan.members.length, plan.hasLeft], [[2], 2, false]);
  assert.deepEqual([plan.entries, plan.lastAt], [4, AT + 4000]);
  assert.deepEqual(folder.states, [], "the plan changes nothing");
  const { kept, ofRing, unread } = await joinOther({ data });
  assert.deepEqual([kept, ofRing, unread], [3, 1, 0]);
  assert.deepEqual(folder.states, ["waiting", "waiting", "waiting"]);
  assert.deepEqual(folder.moved, ["daemon.pem", "timeline"]);
  assert.deepEqual((await joinPlan({ data })).numbers, []);
  assert.equal((await joinOther({ data })).kept, 0);
  await folder.startDaemon();
  assert.deepEqual(folder.states, ["waiting", "waiting", "waiting"]);
  await assert.rejects(joinPlan({ data }), /no key|daemon\.pem|no member list/i);
});

test("a folder is as before if the program ended before it moved the timeline", async () => {
  using folder = await Folder.make(true);
  await folder.storeUndecided();
  assert.deepEqual(folder.states, ["undecided", "undecided", "undecided"]);
  await folder.startDaemon();
  assert.deepEqual(folder.states, []);
  await folder.storeUndecided();
  await joinOther({ data: folder.data });
  assert.deepEqual(folder.states, ["waiting", "waiting", "waiting"]);
});

test("the dead letters are valid if the program ended after it had moved the timeline", async () => {
  for (const isRepeated of [true, false]) {
    using folder = await Folder.make(true);
    await folder.storeUndecided();
    folder.moveTimeline();
    if (isRepeated) await joinOther({ data: folder.data });
    else await folder.startDaemon();
    assert.deepEqual(folder.states, ["waiting", "waiting", "waiting"]);
    assert.deepEqual(folder.moved, isRepeated ? ["daemon.pem", "timeline"] : ["timeline"]);
  }
});

test("a daemon that has left has no dead letters, and one that was removed while it was down is refused", async () => {
  using left = await Folder.make(false, true);
  assert.equal((await joinPlan({ data: left.data })).hasLeft, true);
  assert.equal((await joinOther({ data: left.data })).kept, 0);
  assert.deepEqual(left.moved, ["daemon.pem", "timeline"]);
  using removed = await Folder.make(false);
  await assert.rejects(joinOther({ data: removed.data }), /dbsync dead-letters find/);
});

test("the folder of a daemon that runs is refused", async () => {
  using folder = await Folder.make(true);
  const storage = await openStorage(settingsOf(folder.data), log);
  await assert.rejects(joinOther({ data: folder.data }), /is (already )?in use/);
  await storage.close();
});
