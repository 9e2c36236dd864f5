/**
 * Tests the member lists of a daemon: which lists the daemon accepts, when lists take effect, and which lists remain
 * after a restart.
 */
import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { test } from "node:test";
import { MemberLists } from "../../../../daemon/cluster/members/member-lists.js";
import { loadSigners } from "../../../../daemon/engine/trust/load-signers.js";
import type { Mark, Storage } from "../../../../daemon/timeline/entries/storage.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { type KnownList, nextList, writeMemberList } from "../../../../protocol/members/member-list.js";
import { hexOf } from "../../../../protocol/version-2/envelope.js";
import { makeKeyPair, signCommands } from "../../../support/envelope-client.js";
import { log } from "../../program/scene.js";
import { idOf, idsOf, known } from "../../timeline/members/lists.js";

const app = makeKeyPair();
const root = makeKeyPair();
const unknownKey = makeKeyPair();
const signers = loadSigners({ signKey: [app.file], rootKey: [root.file], clusterName: "dbsync" }, log);
const { cluster } = signers;
const AT = 1_790_000_000_000;

/** A disk that the test syncs. */
class Disk {
  isDurable = true;
  marks = new Map<string, Buffer>();
  readonly #put = new Map<string, Buffer>();
  #waiting: (() => void)[] = [];

  mark(name: string): Buffer | null {
    return this.marks.get(name) ?? null;
  }

  put(_: readonly unknown[], marks: readonly Mark[] = []): void {
    for (const [name, value] of marks) this.#put.set(name, value);
  }

  synced(): Promise<void> {
    return new Promise((resolve) => void this.#waiting.push(resolve));
  }

  async sync(): Promise<void> {
    this.marks = new Map(this.#put);
    for (const resolve of this.#waiting.splice(0)) resolve();
    await Promise.resolve();
    await Promise.resolve();
  }
}

function open(own: ByteString, disk: Disk, hasServed = true): MemberLists {
  return new MemberLists(disk as unknown as Storage, signers, own, () => hasServed);
}

function after(parents: readonly KnownList[], add: string, leave = ""): KnownList {
  const list = nextList(parents, { add: idsOf(add), leave: idsOf(leave) }, cluster);
  return typeof list === "string" ? assert.fail(list) : known(list);
}

function signed({ list }: KnownList, by = root, header = {}) {
  const commands = [["CLUSTER", "MEMBERS", writeMemberList(list)]];
  return signCommands(by, commands, { cluster, at: AT, ...header });
}

function take(lists: MemberLists, list: KnownList, by = root, header = {}) {
  const { body, signature } = signed(list, by, header);
  return lists.take(body, signature);
}

function takeEarlier(lists: MemberLists, list: KnownList, by: typeof root, header = {}) {
  const { body, signature } = signed(list, by, header);
  lists.takeEarlier(body, signature);
}

const first = after([], "ABC");
const less = after([first], "", "C");

test("a list takes effect immediately, is sent once it is on the disk, and survives a restart", async () => {
  const disk = new Disk();
  const lists = open(idOf("A"), disk);
  let changes = 0;
  lists.changed = () => changes++;
  assert.deepEqual([lists.others, lists.isReporting, lists.refusal], [null, false, null]);

  assert.ok(typeof take(lists, first) === "object");
  assert.deepEqual([...(lists.others ?? [])].sort(), [idOf("B"), idOf("C")]);
  assert.deepEqual([lists.durable.hash, lists.isReporting, changes], ["", false, 1]);
  await disk.sync();
  assert.deepEqual([lists.durable.hash, lists.isReporting, changes], [first.hash, true, 2]);

  assert.equal(take(lists, first), "old");
  take(lists, less);
  assert.ok(lists.membership.removed.has(idOf("C")) && !lists.isReporting);
  assert.deepEqual([...(lists.others ?? [])], [idOf("B")]);
  await disk.sync();

  const again = open(idOf("A"), disk);
  assert.deepEqual([again.durable.hash, again.isReporting, again.isJoining], [less.hash, true, false]);
  assert.equal(take(again, first), "old");
});

test("only an administrator's signature makes a list valid, whichever daemon sends it", () => {
  const lists = open(idOf("A"), new Disk());
  const outcomes = [
    take(lists, first, app),
    take(lists, first, unknownKey),
    take(lists, first, root, { cluster: idOf("X") }),
    take(lists, first, root, { only: idOf("A") }),
    take(lists, after([], "A"), root, { multi: true }),
  ];
  assert.match(JSON.stringify(outcomes[0]), /NOPERM/);
  assert.equal(outcomes[1], "unknown-signer");
  for (const outcome of outcomes.slice(2)) assert.ok(typeof outcome === "object" && "refused" in outcome);
  const { body, signature } = signed(first);
  assert.ok("refused" in (lists.take(body, Buffer.alloc(signature.length)) as object));
  assert.ok("refused" in (lists.take(Buffer.from("no envelope"), signature) as object));
  assert.equal(lists.hasLists, false);
});

test("a daemon that is left out, not named or without a disk is not a member, and reports the reason", () => {
  const out = open(idOf("C"), new Disk());
  take(out, first);
  assert.equal(out.refusal, null);
  take(out, less);
  assert.match(
    out.refusal ?? "",
    /number 2, signed 2026-.*Z by the key [\da-f]{12}, leaves it out permanently/,
  );
  assert.equal(out.refusalCause, "left-out");

  const other = open(idOf("X"), new Disk());
  take(other, first);
  assert.match(other.refusal ?? "", /does not name it/);
  assert.equal(other.refusalCause, "not-listed");
  assert.ok(other.isOutside);

  const memory = new Disk();
  memory.isDurable = false;
  const unsafe = open(idOf("A"), memory);
  take(unsafe, first);
  assert.match(unsafe.refusal ?? "", /can name no daemon without --data/);
  assert.equal(unsafe.refusalCause, "no-data");
});

test("a daemon must join before it serves if a later list adds it, or if it has never served", async () => {
  const disk = new Disk();
  const lists = open(idOf("D"), disk);
  take(lists, after([less], "D"));
  await disk.sync();
  assert.deepEqual([lists.isJoining, lists.isReporting], [true, false]);
  assert.ok(open(idOf("D"), disk).isJoining);
  lists.joined();
  await disk.sync();
  assert.deepEqual([lists.isJoining, lists.isReporting], [false, true]);
  assert.ok(!open(idOf("D"), disk).isJoining);
  const empty = open(idOf("A"), new Disk(), false);
  take(empty, first);
  assert.ok(empty.isJoining);
});

test("a daemon with two parallel lists sends no reports until it has a list that follows both", async () => {
  const disk = new Disk();
  const lists = open(idOf("A"), disk);
  const [one, other] = [after([first], "D"), after([first], "", "C")];
  for (const list of [first, one, other]) take(lists, list);
  await disk.sync();
  assert.deepEqual([lists.isReporting, lists.durable.lists.length], [false, 2]);
  assert.deepEqual([...(lists.others ?? [])], [idOf("B")]);
  take(lists, after([one, other], ""));
  await disk.sync();
  assert.deepEqual([lists.isReporting, lists.durable.lists.length], [true, 1]);
});

test("an unknown signer's list is accepted if one peer uses it, or two if the daemon may have writes", () => {
  const later = makeKeyPair();
  const { body, signature } = signed(first, later);
  const isTaken = (lists: MemberLists, peers: number) =>
    typeof lists.takeVouched(body, signature, peers) === "object" && lists.hasLists;
  const empty = open(idOf("X"), new Disk(), false);
  assert.equal(empty.take(body, signature), "unknown-signer");
  assert.ok(isTaken(empty, 1) && empty.isOutside);
  assert.equal(isTaken(open(idOf("X"), new Disk(), true), 1), false);
  assert.ok(isTaken(open(idOf("X"), new Disk(), true), 2));

  // A removed daemon accepts no writes, and has none to lose.
  const out = open(idOf("C"), new Disk());
  take(out, first);
  take(out, less);
  const more = signed(after([less], "D"), later);
  assert.ok(typeof out.takeVouched(more.body, more.signature, 1) === "object");
  assert.equal(out.heads[0]?.list.number, 3);

  const member = open(idOf("A"), new Disk());
  take(member, first);
  const next = signed(less, later);
  assert.equal(member.takeVouched(next.body, next.signature, 1), "unknown-signer");
  assert.ok(typeof member.takeVouched(next.body, next.signature, 2) === "object");
  // Reports of peers cannot make an invalid list valid.
  const foreign = signed(first, later, { cluster: idOf("X") });
  assert.ok("refused" in (empty.takeVouched(foreign.body, foreign.signature, 2) as object));
  assert.ok("refused" in (empty.takeVouched(Buffer.from("none"), signature, 2) as object));
});

test("a list that a list in use follows is proved by its hash, whoever signed it", async () => {
  const disk = new Disk();
  const lists = open(idOf("A"), disk);
  const last = after([less], "D");
  take(lists, last);
  assert.deepEqual([...lists.history.missing], [less.hash]);
  for (const list of [first, less, first]) takeEarlier(lists, list, unknownKey);
  await disk.sync();
  const { history, heads } = open(idOf("A"), disk);
  assert.deepEqual([history.find(first.hash)?.list, history.missing.size], [first.list, 0]);
  assert.deepEqual(
    heads.map(({ hash }) => hash),
    [last.hash],
  );
});

test("a list that a decision names is proved by an administrator's key that was not revoked before", () => {
  const administrator = makeKeyPair();
  const { ring } = signers;
  const at = { at: AT, db: 0, id: "" };
  const spki = createPublicKey(administrator.privateKey).export({ type: "spki", format: "pem" }).toString();
  const rootRecord = ring.find(root.id) ?? assert.fail();
  ring.execute(["KEY", "ADD", spki, "RULES", "+@all", "~*"], at, rootRecord);
  ring.execute(["KEY", "REVOKE", hexOf(administrator.id)], { ...at, at: AT + 5 }, rootRecord);

  const lists = open(idOf("X"), new Disk());
  take(lists, after([], "XYZ"));
  const { history } = lists;

  const isTaken = (list: KnownList, by: typeof root, header = {}) => {
    history.miss(list.hash);
    takeEarlier(lists, list, by, header);
    return history.find(list.hash) !== null;
  };

  assert.equal(isTaken(less, unknownKey), false);
  assert.equal(isTaken(less, app), false);
  assert.equal(isTaken(less, administrator, { at: AT + 5 }), false);
  assert.ok(isTaken(less, administrator, { at: AT + 4 }));
  assert.ok(isTaken(first, root));
  takeEarlier(lists, after([less], "E"), root);
  assert.deepEqual([history.size, lists.heads.length], [3, 1], "no decision names it, and none is in use");
});

test("a daemon that a list names for the first time has promised nothing, unless it may have lost that", async () => {
  for (const mayHaveForgotten of [false, true]) {
    const disk = Object.assign(new Disk(), { mayHaveForgotten });
    take(open(idOf("A"), disk), first);
    await disk.sync();
    assert.equal(disk.marks.has("decisions"), !mayHaveForgotten);
  }
});

test("a member whose stored promises are missing has lost them, also under the next list", async () => {
  const disk = new Disk();
  take(open(idOf("A"), disk), first);
  await disk.sync();
  const damaged = new Disk();
  damaged.put(
    [],
    ([...disk.marks] as Mark[]).filter(([name]) => name !== "decisions"),
  );
  await damaged.sync();
  const lists = open(idOf("A"), damaged);
  take(lists, less);
  await damaged.sync();
  assert.ok(lists.membership.members.has(idOf("A")));
  assert.ok(!damaged.marks.has("decisions"));
});

test("a daemon signs no forced list that leaves out a member whose loss was not ordered", async () => {
  const disk = new Disk();
  const lists = open(idOf("A"), disk);
  take(lists, first);
  await disk.sync();
  const sign = (list: KnownList) =>
    lists.sign({
      ...list,
      body: Buffer.from(writeMemberList(list.list)),
      signature: Buffer.from("signature"),
    });
  lists.begin({ kind: "force", mayLeave: new Set(idsOf("C")) });
  const alone = after([first], "", "BC");
  await assert.rejects(sign(alone), /not left out by the order/);
  assert.match(lists.agreementWaitsFor ?? "", new RegExp(hexOf(idOf("B")).slice(0, 12)));
  assert.deepEqual([lists.signedText], [null]);
  const signing = sign(less);
  await disk.sync();
  await signing;
  assert.equal(lists.signedText?.hash, less.hash);

  // The order concerns the first list. It must not end the next one.
  take(lists, less);
  assert.equal(lists.order, null);
});
