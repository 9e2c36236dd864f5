/** Tests the agreement of daemons on a member list that they sign themselves, also with a daemon that lies. */
import assert from "node:assert/strict";
import { sign } from "node:crypto";
import { test } from "node:test";
import { MemberLists } from "../../../../daemon/cluster/members/member-lists.js";
import { ListAgreement } from "../../../../daemon/cluster/peers/list-agreement.js";
import type { Member } from "../../../../daemon/cluster/peers/member.js";
import type { ClusterState } from "../../../../daemon/cluster/peers/shared/cluster-state.js";
import { hashOf, type Identity, makeIdentity } from "../../../../daemon/engine/trust/identity.js";
import { loadSigners } from "../../../../daemon/engine/trust/load-signers.js";
import type { Mark, Storage } from "../../../../daemon/timeline/entries/storage.js";
import { type ByteString, bytesOf } from "../../../../protocol/byte-string.js";
import { type MemberList, writeMemberList } from "../../../../protocol/members/member-list.js";
import { listSignedBytes, writeListProof } from "../../../../protocol/members/members-proof.js";
import { hexOf } from "../../../../protocol/version-2/envelope.js";
import { makeKeyPair } from "../../../support/envelope-client.js";
import { log } from "../../program/scene.js";

const signers = loadSigners(
  { signKey: [makeKeyPair().file], rootKey: [], clusterName: "dbsync" } as Parameters<typeof loadSigners>[0],
  log,
);
const { cluster } = signers;

/** A disk that syncs immediately. */
class Disk {
  isDurable = true;
  mayHaveForgotten = false;
  readonly marks = new Map<string, Buffer>();

  mark(name: string): Buffer | null {
    return this.marks.get(name) ?? null;
  }

  put(_: readonly unknown[], marks: readonly Mark[] = []): void {
    for (const [name, value] of marks) this.marks.set(name, value);
  }

  async synced(): Promise<void> {}
}

interface Address {
  name: string;
  id: ByteString | null;
  isSelf: boolean;
  isUnlisted: boolean;
}

interface Sent {
  readonly body: Buffer;
  readonly signature: Buffer;
}

const signatureOf = ({ key, spki }: Identity, text: Buffer) => ({
  spki,
  signature: bytesOf(sign(null, listSignedBytes(text), key)),
});

/** A daemon with its lists, and what it sees. */
const NOW = 1_000_000;
const WINDOW_MS = 5000;

class Node {
  readonly identity = makeIdentity();
  readonly addresses: Address[] = [];
  readonly members = new Map<ByteString, Member>();
  readonly disk = new Disk();
  lists: MemberLists;
  agreement: ListAgreement;
  /** The date before which everything is final. */
  stablePoint = 0;
  /** What this daemon has sent, by the ids of the receivers. */
  readonly sent: [ByteString, Sent][] = [];

  constructor() {
    [this.lists, this.agreement] = this.#open();
  }

  get id(): ByteString {
    return this.identity.id;
  }

  restart(): void {
    [this.lists, this.agreement] = this.#open();
  }

  #open(): [MemberLists, ListAgreement] {
    const lists = new MemberLists(this.disk as unknown as Storage, signers, this.id, () => true);
    const { addresses, members, identity } = this;

    const state = {
      ...{ lists, cluster, addresses, members, log, hash: hashOf },
      timeline: { newest: { at: 0 } },
      clock: () => NOW,
      limits: { future: WINDOW_MS },
      identity: { ...identity, sign: (bytes: Buffer) => sign(null, bytes, identity.key) },
      verifySignature: (spki: ByteString, bytes: Buffer, signature: Buffer) =>
        signers.verifyBy(spki, bytes, signature),
    };

    const agreement = new ListAgreement(
      state as unknown as ClusterState<Member>,
      ({ id }, { body, signature }) => {
        this.sent.push([id, { body: Buffer.from(body), signature: Buffer.from(signature) }]);
      },
      () => this.stablePoint,
    );

    lists.changed = () => agreement.advance();
    return [lists, agreement];
  }

  receive(from: ByteString, { body, signature }: Sent): void {
    const member = this.members.get(from);
    if (member === undefined) return;
    if (this.lists.take(body, signature) === "incomplete") this.agreement.receive(member, body, signature);
  }

  /** Adds an address at which a daemon has proved its id. */
  names(...others: readonly Node[]): void {
    for (const { id } of others)
      this.addresses.push({ name: "host:1", id, isSelf: false, isUnlisted: false });
  }

  /** Returns a text of a list that this daemon has signed. */
  signs(list: Partial<MemberList> & Pick<MemberList, "members">): Sent {
    const whole = { cluster, number: 1, parents: [], removed: [], ...list };
    const body = Buffer.from(writeMemberList(whole), "latin1");
    return { body, signature: writeListProof(new Map([[this.id, signatureOf(this.identity, body)]])) };
  }
}

function connect(...nodes: readonly Node[]): void {
  for (const one of nodes)
    for (const other of nodes)
      if (one !== other) one.members.set(other.id, { id: other.id, status: {} } as unknown as Member);
}

function disconnect(one: Node, other: Node): void {
  for (const [at, { id }] of [
    [one, other],
    [other, one],
  ] as const) {
    const member = at.members.get(id);
    at.members.delete(id);
    if (member !== undefined) at.agreement.disconnected(member);
  }
}

/** Delivers messages and lets time pass, until nothing changes any longer. */
async function settle(...nodes: readonly Node[]): Promise<void> {
  for (let round = 0; round < 6; round++) {
    for (const node of nodes) node.agreement.tick();
    for (let step = 0; step < 10; step++) {
      await new Promise(setImmediate);
      for (const from of nodes)
        for (const [to, message] of from.sent.splice(0))
          nodes.find(({ id }) => id === to)?.receive(from.id, message);
    }
    for (const one of nodes)
      for (const other of nodes) {
        if (one === other || !one.members.has(other.id)) continue;
        for (const { body, signature } of other.lists.durable.lists)
          one.receive(other.id, { body, signature });
      }
  }
}

const numberOf = ({ lists }: Node): number | undefined => lists.membership.inForce?.list.number;

function makeNodes(count: number): Node[] {
  const nodes = Array.from({ length: count }, () => new Node());
  for (const node of nodes) node.names(...nodes.filter((other) => other !== node));
  connect(...nodes);
  return nodes;
}

test("daemons found a list", async () => {
  const nodes = makeNodes(3);
  await settle(...nodes);
  assert.deepEqual(nodes.map(numberOf), [1, 1, 1]);
});

test("a daemon that signed with a lost one founds a list with the daemon in its place", async () => {
  const [a, lost, fresh] = [new Node(), new Node(), new Node()] as const;
  a.names(lost);
  lost.names(a);
  connect(a, lost);

  lost.agreement.tick();
  for (const [, message] of lost.sent.splice(0)) a.receive(lost.id, message);
  await new Promise(setImmediate);
  assert.ok(a.lists.signedText !== null, "it has signed");

  a.sent.length = 0;
  disconnect(a, lost);
  const [address] = a.addresses as [Address];
  address.id = fresh.id;
  fresh.names(a);
  connect(a, fresh);

  // The order on one machine is sufficient.
  fresh.lists.begin({ kind: "found" });
  await settle(a, fresh);
  assert.deepEqual([a, fresh].map(numberOf), [2, 2]);
  assert.deepEqual([...a.lists.removed], [lost.id]);
});

/** Returns daemons that have founded a list. */
async function founded(count: number): Promise<Node[]> {
  const nodes = makeNodes(count);
  await settle(...nodes);
  assert.deepEqual(new Set(nodes.map(numberOf)), new Set([1]));
  return nodes;
}

/** Returns the text of the list after the one in force, signed by a member. */
function changeBy(
  signer: Node,
  before: Node,
  { add = [], leave = [] }: { add?: Node[]; leave?: Node[] },
): Sent {
  const { inForce } = before.lists.membership;
  assert.ok(inForce !== null);
  const { list, hash } = inForce;
  const left = leave.map(({ id }) => id);
  return signer.signs({
    number: list.number + 1,
    parents: [hash],
    members: [...list.members.filter((id) => !left.includes(id)), ...add.map(({ id }) => id)],
    removed: [...list.removed, ...left],
  });
}

test("a member does not add a daemon that another member announces while one is down, which it may be", async () => {
  const [a, b, down] = (await founded(3)) as [Node, Node, Node];
  const empty = new Node();
  for (const node of [a, b]) {
    disconnect(node, down);
    const address = node.addresses.find(({ id }) => id === down.id) as Address;
    Object.assign(address, { id: empty.id, isUnlisted: true });
  }
  // The other member may still consider the lost one connected, or lie.
  a.receive(b.id, changeBy(b, a, { add: [empty] }));
  await settle(a);
  assert.equal(a.lists.signedText?.list.number, 1);
});

test("a restarted member does not agree that a member leaves that may be at an address of its own", async () => {
  const [a, b, away] = (await founded(3)) as [Node, Node, Node];
  disconnect(a, away);
  const address = a.addresses.find(({ id }) => id === away.id) as Address;
  address.id = null;
  a.receive(b.id, changeBy(b, a, { leave: [away] }));
  await settle(a);
  assert.equal(a.lists.signedText?.list.number, 1);
  address.id = "other".padEnd(32);
  await settle(a);
  assert.equal(a.lists.signedText?.list.number, 2, "another daemon is at the address");
});

test("members force a list after they have signed two changes, and keep the proof of the list before", async () => {
  const [a, b, lost] = (await founded(3)) as [Node, Node, Node];
  const before = a.lists.membership.inForce;
  const [d, e] = [new Node(), new Node()];

  for (const [node, added] of [
    [a, d],
    [b, e],
  ] as const) {
    node.addresses.push({ name: "new:1", id: added.id, isSelf: false, isUnlisted: true });
    node.receive(lost.id, changeBy(lost, node, { add: [added] }));
    node.agreement.tick();
  }
  await new Promise(setImmediate);
  assert.notEqual(a.lists.signedText?.hash, b.lists.signedText?.hash);

  for (const node of [a, b]) {
    node.sent.length = 0;
    disconnect(node, lost);
    node.lists.begin({ kind: "force", mayLeave: null });
  }

  await settle(a, b);
  assert.deepEqual([a, b].map(numberOf), [3, 3]);
  assert.ok(a.lists.history.isProved(before?.hash ?? ""));
});

test("members that know two lists of which neither follows the other force one that follows both", async () => {
  const nodes = await founded(3);
  const [a, b, c] = nodes as [Node, Node, Node];
  const texts = [new Node(), new Node()].map((added) => {
    const { body } = changeBy(c, a, { add: [added] });
    const signatures = [b, c].map((one) => [one.id, signatureOf(one.identity, body)] as const);
    return { body, signature: writeListProof(new Map(signatures)) };
  });

  // The second list is accepted by a daemon only if it has not received the first one before.
  for (const node of nodes)
    for (const { body, signature } of texts)
      if (node.lists.take(body, signature) === "incomplete") node.lists.takeVouched(body, signature, 2);
  assert.deepEqual(
    nodes.map(({ lists }) => lists.heads.length),
    [2, 2, 2],
  );

  for (const node of nodes) node.lists.begin({ kind: "force", mayLeave: null });
  await settle(...nodes);
  assert.deepEqual(nodes.map(numberOf), [3, 3, 3]);
});

test("a daemon that lies does not use up the numbers of lists", async () => {
  const [a, b, liar] = makeNodes(3) as [Node, Node, Node];
  const signed = liar.signs({ number: 999_999_998, members: [a, b, liar].map(({ id }) => id) });
  for (const node of [a, b]) node.receive(liar.id, signed);
  await settle(a, b);
  assert.ok(!String(a.lists.signedText?.list.number).startsWith("9999"));
  assert.match(a.lists.agreementWaitsFor ?? "", new RegExp(hexOf(liar.id).slice(0, 12)));
});

/** Orders a daemon to leave the list of which it is a member. */
const beginToLeave = (node: Node): void => node.lists.begin({ kind: "change", leave: node.id, add: null });

test("a connected member accepts nothing more, and leaves once everything is final that it may have accepted", async () => {
  for (const count of [2, 3]) {
    const nodes = await founded(count);
    const [leaver, ...rest] = nodes as [Node, ...Node[]];
    beginToLeave(leaver);
    assert.match(leaver.lists.refusal ?? "", /leaves the list/);
    assert.equal(leaver.lists.refusalCause, "leaving");
    leaver.stablePoint = NOW + WINDOW_MS;
    await settle(...nodes);
    assert.equal(leaver.lists.signedText?.list.number, 1, "a write with this date may not be final");
    assert.match(leaver.lists.agreementWaitsFor ?? "", /not final/);
    leaver.stablePoint++;
    await settle(...nodes);
    assert.deepEqual(new Set(nodes.map(numberOf)), new Set([2]));
    assert.ok(leaver.lists.hasLeft);
    assert.match(leaver.lists.refusal ?? "", /it has left after it had handed over all its writes$/);
    assert.equal(leaver.lists.refusalCause, "left");
    for (const { lists } of rest) assert.deepEqual([...lists.removed], [leaver.id]);
  }
});

test("a member does not agree that a connected member leaves before that one has signed", async () => {
  const [a, b, leaver] = (await founded(3)) as [Node, Node, Node];
  const text = changeBy(leaver, a, { leave: [leaver] });
  a.receive(b.id, { ...text, signature: changeBy(b, a, { leave: [leaver] }).signature });
  a.receive(leaver.id, { ...text, signature: Buffer.alloc(0) });
  await settle(a);
  assert.equal(a.lists.signedText?.list.number, 1, "it may still accept writes");
  a.receive(leaver.id, text);
  await settle(a);
  assert.equal(a.lists.signedText?.list.number, 2);
});

test("a daemon that has signed a list without itself accepts no writes after a restart, until another list is in use", async () => {
  const [leaver, a, b] = (await founded(3)) as [Node, Node, Node];
  const added = new Node();

  beginToLeave(leaver);
  leaver.stablePoint = NOW + WINDOW_MS + 1;
  leaver.agreement.tick();
  await new Promise(setImmediate);
  assert.equal(leaver.lists.signedText?.list.number, 2);
  leaver.restart();
  assert.match(leaver.lists.refusal ?? "", /leaves the list/);

  const { body } = changeBy(a, a, { add: [added] });
  const signature = writeListProof(
    new Map([a, b].map((one) => [one.id, signatureOf(one.identity, body)] as const)),
  );
  leaver.receive(a.id, { body, signature });
  assert.equal(numberOf(leaver), 2);
  assert.equal(leaver.lists.refusal, null, "it is a member of this list");
});

test("a daemon leaves only while all members are connected, and a member names how a connected one leaves", async () => {
  const [leaver, a, b] = (await founded(3)) as [Node, Node, Node];
  a.lists.begin({ kind: "change", leave: leaver.id, add: null });
  assert.match(a.lists.agreementWaitsFor ?? "", /run dbsync members remove on its machine/);
  disconnect(leaver, b);
  beginToLeave(leaver);
  leaver.stablePoint = NOW + WINDOW_MS + 1;
  await settle(leaver, a);
  assert.match(leaver.lists.agreementWaitsFor ?? "", new RegExp(hexOf(b.id).slice(0, 12)));
  assert.equal(leaver.lists.signedText?.list.number, 1);
});

test("members cannot force a list with a member that one of them has signed to remove, and name why", async () => {
  const [a, lost, removed] = (await founded(3)) as [Node, Node, Node];
  disconnect(a, removed);
  a.addresses.splice(0, a.addresses.length, ...a.addresses.filter(({ id }) => id !== removed.id));
  a.receive(lost.id, { ...changeBy(lost, a, { leave: [removed] }), signature: Buffer.alloc(0) });
  await settle(a);
  assert.equal(a.lists.signedText?.list.number, 2, "it has signed");
  disconnect(a, lost);
  connect(a, removed);
  for (const node of [a, removed]) node.lists.begin({ kind: "force", mayLeave: null });
  await settle(a, removed);
  const reason = `^${hexOf(removed.id).slice(0, 12)} is left out by a list that it or another member has signed`;
  assert.match(a.lists.agreementWaitsFor ?? "", new RegExp(reason));
});
