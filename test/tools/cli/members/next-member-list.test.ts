/** Tests which list `dbsync members` signs next, and which it refuses to sign. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { KnownList } from "../../../../protocol/members/member-list.js";
import { hexOf } from "../../../../protocol/version-2/envelope.js";
import {
  daemonNamed,
  type MemberView,
  newestListsOf,
  type ReportedList,
} from "../../../../tools/cli/members/member-views.js";
import { type Change, hexIds, nextMembers } from "../../../../tools/cli/members/next-member-list.js";
import { CLUSTER, idOf, idsOf, listAfter } from "../../../daemon/timeline/members/lists.js";

const hex = (letter: string): string => hexOf(idOf(letter));

/** Returns a reported list. By default its signature is valid. */
const reported = (
  list: KnownList,
  signatureProblem: ReportedList["signatureProblem"] = null,
): ReportedList => ({
  ...list,
  signedAt: 0,
  signer: idOf("K"),
  memberSignatures: null,
  signatureProblem,
});

const view = (letter: string, lists: readonly KnownList[], other: Partial<MemberView> = {}): MemberView => ({
  address: `${letter.toLowerCase()}:1111`,
  id: hex(letter),
  cluster: hexOf(CLUSTER),
  state: "live",
  durable: true,
  joining: false,
  reporting: true,
  order: null,
  waitsFor: null,
  refusal: null,
  authorize: null,
  peers: [],
  lists: lists.map((list) => reported(list)),
  ...other,
});

const change = (add: string, evict = "", other: Partial<Change> = {}): Change => ({
  add: hexIds(idsOf(add)),
  evict: hexIds(idsOf(evict)),
  isReplacing: false,
  force: false,
  isRenewed: false,
  queried: 1,
  ...other,
});

const next = (views: readonly MemberView[], requested: Change) =>
  nextMembers(views, newestListsOf(views), requested).list;

const first = listAfter([], { add: "ABC" });
const less = listAfter([first], { leave: "C" });

test("the first list names all daemons, and the next ones contain additions and removals", () => {
  const none = [view("A", []), view("B", [])];
  assert.deepEqual(next(none, change("AB")).members, idsOf("AB"));
  const views = [view("A", [first]), view("B", [first])];
  const list = next(views, change("D", "C", { isReplacing: true }));
  assert.deepEqual([list.number, list.members, list.removed], [2, idsOf("ABD"), idsOf("C")]);
  // A daemon that is catching up does not know the second list yet, and neither does a new one.
  const more = listAfter([first], { add: "E" });
  const knowing = ["A", "B", "E"].map((letter) => view(letter, [more]));
  const late = [...knowing, view("C", [first], { state: "catching-up" }), view("D", [])];
  assert.equal(next(late, change("D")).number, 3);
});

test("a list of which most daemons would not have the data yet is refused", () => {
  const one = listAfter([], { add: "A" });
  const grown = listAfter([one], { add: "B" });
  const joining = { joining: true };
  assert.equal(next([view("A", [one]), view("B", [])], change("B")).number, 2);
  assert.throws(() => next([view("A", [one])], change("BC")), /2 of the 3 daemons .* add fewer daemons/);

  for (const late of [joining, { state: "catching-up" }]) {
    const views = [view("A", [grown]), view("B", [grown], late), view("C", [])];
    assert.throws(() => next(views, change("C")), /2 of the 3 daemons .* b:1111 live/);
    assert.equal(next(views, change("C", "", { force: true })).number, 3);
  }
  const joined = [view("A", [grown]), view("B", [grown]), view("C", [])];
  assert.equal(next(joined, change("C")).number, 3);
  const broken = [view("A", [grown]), view("B", [grown], { state: "storage-failed" }), view("C", [])];
  assert.equal(next(broken, change("C")).number, 3, "a daemon that will not become live does not prevent it");
  // Half of the daemons are no majority, and a removal adds none without data.
  const three = listAfter([grown], { add: "C" });
  const half = [view("A", [three]), view("B", [three]), view("C", [three], joining), view("D", [])];
  assert.equal(next(half, change("D")).number, 4);
  const most = [view("A", [three]), view("B", [three], joining), view("C", [three], joining)];
  assert.equal(next(most, change("", "C")).number, 4);
});

test("a repeated command sends the list again to a daemon that does not know it", () => {
  const behind = (letter: string) => view(letter, [first], { state: "catching-up" });
  const views = [view("A", [less]), behind("B")];
  assert.deepEqual(next(views, change("", "C")), less.list);
  const added = listAfter([less], { add: "D" });
  const joiners = [view("A", [less]), behind("B"), view("D", [added], { joining: true })];
  assert.throws(() => next(joiners, change("D")), /wait a few seconds/);
  assert.deepEqual(next(joiners, change("D", "", { force: true })), added.list);
});

test("a repeated command reports the unchanged list, and signs nothing", () => {
  const replaced = listAfter([first], { add: "D", leave: "C" });
  const views = ["A", "B", "D"].map((letter) => view(letter, [replaced]));
  const again = (requested: Change) => {
    const { list, isUnchanged } = nextMembers(views, newestListsOf(views), requested);
    assert.deepEqual([list, isUnchanged], [replaced.list, true]);
  };

  again(change("D", "C", { isReplacing: true }));
  again(change("D"));
  again(change("ABD"));
  again(change("", "C"));
  // The old and the new daemon have the same address.
  again(change("D", "D", { isReplacing: true }));

  // A listed daemon that is joining, or whose answer cannot be parsed, is not a reason to refuse.
  const joining = [view("A", [replaced]), view("B", [replaced]), view("D", [replaced], { joining: true })];
  assert.equal(
    nextMembers(joining, newestListsOf(joining), change("D", "C", { isReplacing: true })).isUnchanged,
    true,
  );
  const silent = [view("A", [replaced]), view("B", [replaced])];
  assert.equal(
    nextMembers(silent, newestListsOf(silent), change("D", "C", { isReplacing: true })).isUnchanged,
    true,
  );
  assert.throws(() => next(silent, change("D", "D", { isReplacing: true })), /no other daemon was seen at/);

  // A list without proof may be forged.
  const unproved = [view("A", [], { lists: [reported(replaced, "no-proof")] })];
  assert.throws(
    () => next(unproved, change("D")),
    /is signed neither by an administrator nor by its members/,
  );
  const [one, other] = [listAfter([first], { add: "D" }), listAfter([first], { leave: "C" })];
  const merged = listAfter([one, other], {});
  const both = ["A", "B"].map((letter) => view(letter, [merged]));
  assert.equal(nextMembers(both, newestListsOf(both), change("")).isUnchanged, true);
});

const seen = { id: hex("C"), address: "c:1111", connection: "connected", key: null };
const refused: readonly (readonly [string, readonly MemberView[], Change, RegExp])[] = [
  [
    "a first list with a removal",
    [view("A", [])],
    change("", "C"),
    /there is no member list.*members add ADDRESS/,
  ],
  [
    "a first list that excludes a current member",
    [view("A", [], { peers: [seen] })],
    change("A"),
    /c:1111 .* specify it too/,
  ],
  [
    "an id that a list has removed",
    [view("A", [less])],
    change("C"),
    /cannot return: start that daemon with a new/,
  ],
  [
    "a list that the remaining daemons would treat as their first list",
    [view("A", []), view("B", []), view("C", [first])],
    change("", "C"),
    /has not reached any daemon that has caught up/,
  ],
  [
    "the addition of a listed daemon together with an unlisted one",
    [view("A", [less])],
    change("BD"),
    /is already on the list: name/,
  ],
  [
    "a replacement by a listed daemon",
    [view("A", [first])],
    change("B", "C", { isReplacing: true }),
    /is already on the list: run dbsync members evict/,
  ],
  [
    "a replacement of a removed daemon",
    [view("A", [less])],
    change("D", "C", { isReplacing: true }),
    /was already removed: run dbsync members add/,
  ],
  ["a removal of an unlisted daemon", [view("A", [less])], change("", "X"), /is not on the list/],
  [
    "a daemon without a folder",
    [view("A", [less]), view("D", [], { durable: false })],
    change("D"),
    /d:1111 has no data folder/,
  ],
  [
    "a replacement while another daemon joins",
    [view("A", [first]), view("B", [first], { joining: true })],
    change("D", "C", { isReplacing: true }),
    /b:1111 is still catching up/,
  ],
  [
    "a list without a daemon that has caught up",
    [view("A", [first], { state: "catching-up" }), view("C", [first])],
    change("", "C"),
    /none of the queried daemons \(-s\) that would remain on the list has caught up.*about 10 s: wait and try again/,
  ],
  [
    "the next list if another live daemon does not know the current one, which a daemon may have invented",
    [view("A", [first]), view("B", [listAfter([first], { leave: "A" })])],
    change("D"),
    /a:1111 does not know the list that another daemon reports/,
  ],
  [
    "the next list if the current one has no proof",
    [
      view("A", [], { lists: [reported(first, "no-proof")] }),
      view("B", [], { lists: [reported(first, "no-proof")] }),
    ],
    change("D"),
    /list 1, which a:1111 reports, is signed neither by an administrator nor by its members: that daemon is malicious/,
  ],
  [
    "the next list if an unknown key has signed the current one",
    [
      view("A", [], { lists: [reported(first, "unknown-key")] }),
      view("B", [], { lists: [reported(first, "unknown-key")] }),
    ],
    change("D"),
    /is signed by the key 4b4b4b4b4b4b, which is not yours\. .* \(--root-key other-public\.pem\)/,
  ],
  [
    "the next list if only one of three daemons reports the current one as the newest",
    [view("A", [first])],
    change("D"),
    /only 1 of the 3 daemons that would remain report that list 1 is the newest/,
  ],
  [
    "a first list if only one of two daemons was queried",
    [view("A", [])],
    change("AB"),
    /only 1 of the 2 .* no list yet/,
  ],
  [
    "the current list again if there is no list",
    [view("A", [])],
    change("", "", { isRenewed: true }),
    /there is no member list/,
  ],
  ["a merge of a single list", [view("A", [first])], change(""), /there is nothing to merge/],
];
for (const [name, views, requested, reason] of refused)
  test(`dbsync members refuses to sign ${name}`, () => {
    assert.throws(() => next(views, requested), reason);
  });

test("parallel lists must be merged first, and the result has the daemons on both", () => {
  const [one, other] = [listAfter([first], { add: "D" }), listAfter([first], { leave: "C" })];
  const views = [view("A", [one, other]), view("B", [one, other])];
  assert.throws(() => next(views, change("E")), /dbsync members merge/);
  const apart = [view("A", [one]), view("B", [other])];
  assert.throws(() => next(apart, change("")), /does not know the list/);
  assert.equal(next(apart, change("", "", { force: true })).number, 3);
  const list = next(views, change(""));
  assert.deepEqual([list.number, list.members, list.removed], [3, idsOf("AB"), idsOf("CD")]);
});

test("--force overrides objections, and one remaining daemon of two is enough", () => {
  const pair = listAfter([], { add: "AB" });
  assert.deepEqual(next([view("A", [pair], { state: "isolated" })], change("", "B")).members, idsOf("A"));
  const late = [view("A", [pair], { state: "catching-up" })];
  assert.throws(() => next(late, change("", "B")));
  assert.deepEqual(next(late, change("", "B", { force: true })).members, idsOf("A"));
});

test("a daemon with TLS is named by its address with or without the scheme", () => {
  const previous = { id: hex("C"), address: "dbsyncs://c:1111#sha256:00", connection: "waiting", key: null };
  const views = [view("A", [first], { address: "dbsyncs://a:1111", peers: [previous] })];
  const known = { views, listed: hexIds(first.list.members), left: [], identifiedByHello: [] };
  for (const name of ["dbsyncs://a:1111", "a:1111", "a"])
    assert.equal(daemonNamed(name, "listed", known), hex("A"), name);
  for (const name of ["c:1111", "c"]) assert.equal(daemonNamed(name, "listed", known), hex("C"), name);

  // The name may also have a scheme or a pin that the known address does not have.
  const plain = { ...known, views: [view("A", [first])] };
  for (const name of ["dbsync://a:1111", "dbsyncs://a:1111#sha256:00", "dbsyncs://a"])
    assert.equal(daemonNamed(name, "listed", plain), hex("A"), name);
});

test("the error for an unknown name lists the names that would be accepted", () => {
  const peer = { id: hex("B"), address: "dbsyncs://b:1111#sha256:00", connection: "waiting", key: null };
  const removed = { ...peer, id: hex("D"), address: "d:1111" };
  const views = [view("A", [first], { peers: [peer, removed] })];
  const known = { views, listed: hexIds(idsOf("ABC")), left: [hex("D")], identifiedByHello: [] };
  const digits = (letter: string) => `${hex(letter).slice(0, 16)}…`;
  const listed = `known: a:1111 (${digits("A")}), b:1111 (${digits("B")}), ${digits("C")}`;

  const errorOf = (preferred: "listed" | "new", daemons: typeof known) => {
    try {
      return daemonNamed("e:1111", preferred, daemons);
    } catch (problem) {
      return String(problem);
    }
  };

  assert.ok(errorOf("listed", known).endsWith(listed), errorOf("listed", known));
  assert.match(errorOf("new", known), /, d:1111 \(/);
  const many = Array.from({ length: 20 }, (_, index) => index.toString(16).padStart(64, "f"));
  assert.match(errorOf("listed", { ...known, listed: many }), / and 4 more$/);
  assert.match(errorOf("listed", { ...known, views: [], listed: [] }), /known: none$/);
});

test("a daemon is named by its id, the first digits of its id, or its address", () => {
  const previous = { id: hex("C"), address: "c:1111", connection: "waiting", key: null };
  const views = [view("A", [first], { peers: [previous] }), view("D", [], { address: "c:1111" })];
  const known = {
    views,
    listed: hexIds(first.list.members),
    left: [] as readonly string[],
    identifiedByHello: [],
  };

  assert.equal(daemonNamed(hex("X"), "new", known), hex("X"));
  assert.equal(daemonNamed(`ed25519:${hex("X")}`, "new", known), hex("X"));
  assert.equal(daemonNamed(hex("B").slice(0, 6), "listed", known), hex("B"));
  assert.equal(daemonNamed("a", "listed", known), hex("A"));
  // Another daemon now has that address.
  assert.equal(daemonNamed("c:1111", "listed", known), hex("C"));
  assert.equal(daemonNamed("c:1111", "new", known), hex("D"));
  assert.throws(
    () => daemonNamed("e:1111", "listed", known),
    /there is no daemon "e:1111" on the list.*members list/,
  );
  assert.equal(daemonNamed(`${hex("B").slice(0, 16)}…`, "listed", known), hex("B"));

  const seenBy = (letters: string) => [
    view("A", [first], { peers: [previous, ...hexIds(idsOf(letters)).map((id) => ({ ...previous, id }))] }),
  ];
  // The daemons that members have seen at an address take precedence over the listed one, and the daemon's own hello
  // takes precedence over both.
  assert.equal(daemonNamed("c:1111", "new", { ...known, views: seenBy("E") }), hex("E"));

  const identifiedByHello = [{ address: "c:1111", id: hex("F") }];
  assert.equal(daemonNamed("c:1111", "new", { ...known, views: seenBy("E"), identifiedByHello }), hex("F"));
  assert.equal(daemonNamed(hex("F").slice(0, 4), "new", { ...known, identifiedByHello }), hex("F"));
  assert.equal(
    daemonNamed("c:1111", "listed", { ...known, views: seenBy("E"), identifiedByHello }),
    hex("C"),
  );

  const both = { ...known, views: seenBy("EF") };
  assert.throws(
    () => daemonNamed("c:1111", "new", both),
    /"c:1111" does not answer now.*start the new one first/,
  );
});

test("a name may refer to a removed daemon, unless a new daemon has its address", () => {
  const previous = { id: hex("C"), address: "c:1111", connection: "waiting", key: null };
  const successor = { ...previous, id: hex("D") };
  const views = [view("A", [first], { peers: [previous, successor] })];
  const known = { views, listed: hexIds(idsOf("ABD")), left: [hex("C"), hex("E")], identifiedByHello: [] };
  assert.equal(daemonNamed(hex("C").slice(0, 8), "listed", { ...known, views: [] }), hex("C"));
  assert.equal(daemonNamed(hex("E").slice(0, 8), "listed", known), hex("E"));
  assert.equal(daemonNamed("c:1111", "new", known), hex("D"));
  // This daemon now has the address.
  assert.equal(daemonNamed("c:1111", "listed", known), hex("D"));
  const alone = { ...known, views: [view("A", [first], { peers: [previous] })] };
  assert.equal(daemonNamed("c:1111", "listed", alone), hex("C"));
  assert.throws(
    () => daemonNamed(hex("F").slice(0, 8), "listed", known),
    /there is no daemon .* on the list/,
  );
});

test("dbsync members signs the current list again on request", () => {
  const views = [view("A", [first]), view("B", [first])];
  const list = next(views, change("", "", { isRenewed: true }));
  assert.deepEqual([list.number, list.members, list.removed], [2, first.list.members, []]);
});

test("a proof from one daemon counts for all daemons, and only --force signs a list without proof", () => {
  const views = [view("A", [], { lists: [reported(first, "no-proof")] }), view("B", [first])];
  assert.equal(next(views, change("", "C")).number, 2);
  assert.equal(
    next([view("A", [], { lists: [reported(first, "no-proof")] })], change("D", "", { force: true })).number,
    2,
  );
});

test("a list that its members signed can be continued if at least half of the queried daemons report it", () => {
  const views = ["A", "B"].map((letter) =>
    view(letter, [], { lists: [{ ...reported(first), signedAt: null, signer: "", memberSignatures: 3 }] }),
  );
  assert.equal(next(views, change("", "C", { queried: 3 })).number, 2);
  assert.equal(next(views, change("", "C", { queried: 4 })).number, 2);
  // The daemons that do not answer may be the real members.
  assert.throws(
    () => next(views, change("", "C", { queried: 5 })),
    /list 1 is signed by its members, and only 2 of the 5 queried daemons report it/,
  );
  assert.equal(next(views, change("", "C", { queried: 5, force: true })).number, 2);
});
