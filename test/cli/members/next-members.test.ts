/** Tests which list `dbsync members` signs next, and which it refuses to sign. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { daemonNamed } from "../../../cli/members/member-names.js";
import { headsOf, type MemberView } from "../../../cli/members/member-views.js";
import { type Change, hexIds, nextMembers } from "../../../cli/members/next-members.js";
import type { ReportedList } from "../../../cli/members/reported-list.js";
import type { KnownList } from "../../../protocol/members/succession.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import { CLUSTER, idOf, idsOf, listAfter } from "../../timeline/members/lists.js";

const hex = (letter: string): string => hexOf(idOf(letter));

/** Returns a reported list. By default its signature is valid. */
const told = (list: KnownList, doubt: ReportedList["doubt"] = null): ReportedList => ({
  ...list,
  signedAt: 0,
  signer: idOf("K"),
  doubt,
});

const view = (letter: string, lists: readonly KnownList[], other: Partial<MemberView> = {}): MemberView => ({
  address: `${letter.toLowerCase()}:1111`,
  id: hex(letter),
  cluster: hexOf(CLUSTER),
  state: "live",
  durable: true,
  joining: false,
  refusal: null,
  authorize: null,
  peers: [],
  lists: lists.map((list) => told(list)),
  ...other,
});

const change = (add: string, leave = "", other: Partial<Change> = {}): Change => ({
  add: hexIds(idsOf(add)),
  leave: hexIds(idsOf(leave)),
  isReplacing: false,
  force: false,
  isAnew: false,
  ...other,
});

const next = (views: readonly MemberView[], asked: Change) => nextMembers(views, headsOf(views), asked).list;

const first = listAfter([], { add: "ABC" });
const less = listAfter([first], { leave: "C" });

test("the first list names all, and the next ones what is added and left out", () => {
  const none = [view("A", []), view("B", [])];
  assert.deepEqual(next(none, change("AB")).members, idsOf("AB"));
  const views = [view("A", [first]), view("B", [first])];
  const list = next(views, change("D", "C", { isReplacing: true }));
  assert.deepEqual([list.number, list.members, list.left], [2, idsOf("ABD"), idsOf("C")]);
  // A daemon that is catching up does not know the second list yet, nor does a new one.
  const more = listAfter([first], { add: "E" });
  const knowing = ["A", "B", "E"].map((letter) => view(letter, [more]));
  const late = [...knowing, view("C", [first], { state: "catching-up" }), view("D", [])];
  assert.equal(next(late, change("D")).number, 3);
});

test("the same again tells the list again to one that lacks it", () => {
  const behind = (letter: string) => view(letter, [first], { state: "catching-up" });
  const views = [view("A", [less]), behind("B")];
  assert.deepEqual(next(views, change("", "C")), less.list);
  const added = listAfter([less], { add: "D" });
  const strangers = [view("A", [less]), behind("B"), view("D", [added], { joining: true })];
  assert.throws(() => next(strangers, change("D")), /wait some seconds/);
  assert.deepEqual(next(strangers, change("D", "", { force: true })), added.list);
});

test("the same again says the list as it is, and signs nothing", () => {
  const replaced = listAfter([first], { add: "D", leave: "C" });
  const views = ["A", "B", "D"].map((letter) => view(letter, [replaced]));
  const again = (asked: Change) => {
    const { list, isKnown } = nextMembers(views, headsOf(views), asked);
    assert.deepEqual([list, isKnown], [replaced.list, true]);
  };
  again(change("D", "C", { isReplacing: true }));
  again(change("D"));
  again(change("ABD"));
  again(change("", "C"));
  // One address names both the old and the new daemon.
  again(change("D", "D", { isReplacing: true }));
  // A listed daemon that is joining, or whose answer cannot be parsed, is no reason to refuse.
  const joining = [view("A", [replaced]), view("B", [replaced]), view("D", [replaced], { joining: true })];
  assert.equal(nextMembers(joining, headsOf(joining), change("D", "C", { isReplacing: true })).isKnown, true);
  const silent = [view("A", [replaced]), view("B", [replaced])];
  assert.equal(nextMembers(silent, headsOf(silent), change("D", "C", { isReplacing: true })).isKnown, true);
  assert.throws(() => next(silent, change("D", "D", { isReplacing: true })), /no other daemon was seen at/);
  // A list without proof may be forged.
  const unproved = [view("A", [], { lists: [told(replaced, "no-proof")] })];
  assert.throws(() => next(unproved, change("D")), /is not signed by an administrator/);
  const [one, other] = [listAfter([first], { add: "D" }), listAfter([first], { leave: "C" })];
  const merged = listAfter([one, other], {});
  const both = ["A", "B"].map((letter) => view(letter, [merged]));
  assert.equal(nextMembers(both, headsOf(both), change("")).isKnown, true);
});

const seen = { id: hex("C"), address: "c:1111", connection: "connected", key: null };
const refused: readonly (readonly [string, readonly MemberView[], Change, RegExp])[] = [
  ["a first list that leaves out", [view("A", [])], change("", "C"), /there is no list.*members add ADDRESS/],
  ["one that forgets a member", [view("A", [], { peers: [seen] })], change("A"), /c:1111 .* name it as well/],
  [
    "an id that was left out",
    [view("A", [less])],
    change("C"),
    /never returns: start that daemon with a new/,
  ],
  [
    "what those that stay would take for their first list",
    [view("A", []), view("B", []), view("C", [first])],
    change("", "C"),
    /has not reached a daemon that would stay/,
  ],
  [
    "an id that is there, with one that is not",
    [view("A", [less])],
    change("BD"),
    /is on the list already: name/,
  ],
  [
    "to replace by one that is there",
    [view("A", [first])],
    change("B", "C", { isReplacing: true }),
    /is on the list already: dbsync members evict/,
  ],
  [
    "to replace one that was left out",
    [view("A", [less])],
    change("D", "C", { isReplacing: true }),
    /was left out already: dbsync members add/,
  ],
  ["to leave out a stranger", [view("A", [less])], change("", "X"), /is not on the list/],
  [
    "a daemon without a folder",
    [view("A", [less]), view("D", [], { durable: false })],
    change("D"),
    /d:1111 has no data folder/,
  ],
  [
    "to replace while another joins",
    [view("A", [first]), view("B", [first], { joining: true })],
    change("D", "C", { isReplacing: true }),
    /b:1111 is still catching up/,
  ],
  [
    "to leave none that is caught up",
    [view("A", [first], { state: "catching-up" }), view("C", [first])],
    change("", "C"),
    /no daemon that would stay on the list is caught up.*some 10 s: wait, and try again/,
  ],
  [
    "upon a list that another live daemon does not go by: one alone could have made it up",
    [view("A", [first]), view("B", [listAfter([first], { leave: "A" })])],
    change("D"),
    /a:1111 does not go by what another daemon says is the list/,
  ],
  [
    "upon a list that nothing proves",
    [
      view("A", [], { lists: [told(first, "no-proof")] }),
      view("B", [], { lists: [told(first, "no-proof")] }),
    ],
    change("D"),
    /list 1, which a:1111 reports, is not signed by an administrator: that daemon is false/,
  ],
  [
    "upon a list that an unknown key has signed",
    [
      view("A", [], { lists: [told(first, "unknown-key")] }),
      view("B", [], { lists: [told(first, "unknown-key")] }),
    ],
    change("D"),
    /is signed by the key 4b4b4b4b4b4b, which is not yours: .* \(--root-key other-public\.pem\)/,
  ],
  [
    "upon what one of three says is the newest",
    [view("A", [first])],
    change("D"),
    /only 1 of the 3 daemons that would stay say that list 1 is the newest/,
  ],
  [
    "a first list of which one of two was asked",
    [view("A", [])],
    change("AB"),
    /only 1 of the 2 .* no list yet/,
  ],
  ["anew what is not there", [view("A", [])], change("", "", { isAnew: true }), /there is no list/],
  ["to merge one list", [view("A", [first])], change(""), /nothing is to be merged/],
];
for (const [name, views, asked, reason] of refused)
  test(`it does not sign: ${name}`, () => {
    assert.throws(() => next(views, asked), reason);
  });

test("lists beside each other are merged first, and keep whom both name", () => {
  const [one, other] = [listAfter([first], { add: "D" }), listAfter([first], { leave: "C" })];
  const views = [view("A", [one, other]), view("B", [one, other])];
  assert.throws(() => next(views, change("E")), /dbsync members merge/);
  const apart = [view("A", [one]), view("B", [other])];
  assert.throws(() => next(apart, change("")), /does not go by/);
  assert.equal(next(apart, change("", "", { force: true })).number, 3);
  const list = next(views, change(""));
  assert.deepEqual([list.number, list.members, list.left], [3, idsOf("AB"), idsOf("CD")]);
});

test("what is only dangerous is done by force, and of two daemons the one that is left is enough", () => {
  const pair = listAfter([], { add: "AB" });
  assert.deepEqual(next([view("A", [pair], { state: "isolated" })], change("", "B")).members, idsOf("A"));
  const late = [view("A", [pair], { state: "catching-up" })];
  assert.throws(() => next(late, change("", "B")));
  assert.deepEqual(next(late, change("", "B", { force: true })).members, idsOf("A"));
});

test("a daemon is named by its id, the first digits of that, or an address", () => {
  const gone = { id: hex("C"), address: "c:1111", connection: "waiting", key: null };
  const views = [view("A", [first], { peers: [gone] }), view("D", [], { address: "c:1111" })];
  const known = { views, listed: hexIds(first.list.members), left: [] as readonly string[], greeted: [] };
  assert.equal(daemonNamed(hex("X"), "new", known), hex("X"));
  assert.equal(daemonNamed(`ed25519:${hex("X")}`, "new", known), hex("X"));
  assert.equal(daemonNamed(hex("B").slice(0, 6), "listed", known), hex("B"));
  assert.equal(daemonNamed("a", "listed", known), hex("A"));
  // Another daemon has that address now.
  assert.equal(daemonNamed("c:1111", "listed", known), hex("C"));
  assert.equal(daemonNamed("c:1111", "new", known), hex("D"));
  assert.throws(
    () => daemonNamed("e:1111", "listed", known),
    /no daemon of the list is meant by "e:1111".*members list/,
  );
  assert.equal(daemonNamed(`${hex("B").slice(0, 16)}…`, "listed", known), hex("B"));
  const seenBy = (letters: string) => [
    view("A", [first], { peers: [gone, ...hexIds(idsOf(letters)).map((id) => ({ ...gone, id }))] }),
  ];
  // What members have seen at an address has precedence over the list's entry, and the daemon's own hello over both.
  assert.equal(daemonNamed("c:1111", "new", { ...known, views: seenBy("E") }), hex("E"));
  const greeted = [{ address: "c:1111", id: hex("F") }];
  assert.equal(daemonNamed("c:1111", "new", { ...known, views: seenBy("E"), greeted }), hex("F"));
  assert.equal(daemonNamed(hex("F").slice(0, 4), "new", { ...known, greeted }), hex("F"));
  assert.equal(daemonNamed("c:1111", "listed", { ...known, views: seenBy("E"), greeted }), hex("C"));
  const both = { ...known, views: seenBy("EF") };
  assert.throws(
    () => daemonNamed("c:1111", "new", both),
    /"c:1111" does not answer now.*start the new one first/,
  );
});

test("a name may still mean the daemon that was left out, and a new one at its address is not mistaken for it", () => {
  const gone = { id: hex("C"), address: "c:1111", connection: "waiting", key: null };
  const come = { ...gone, id: hex("D") };
  const views = [view("A", [first], { peers: [gone, come] })];
  const known = { views, listed: hexIds(idsOf("ABD")), left: [hex("C"), hex("E")], greeted: [] };
  assert.equal(daemonNamed(hex("C").slice(0, 8), "listed", { ...known, views: [] }), hex("C"));
  assert.equal(daemonNamed(hex("E").slice(0, 8), "listed", known), hex("E"));
  assert.equal(daemonNamed("c:1111", "new", known), hex("D"));
  // The daemon that has the address now.
  assert.equal(daemonNamed("c:1111", "listed", known), hex("D"));
  const alone = { ...known, views: [view("A", [first], { peers: [gone] })] };
  assert.equal(daemonNamed("c:1111", "listed", alone), hex("C"));
  assert.throws(() => daemonNamed(hex("F").slice(0, 8), "listed", known), /no daemon of the list/);
});

test("a list is signed anew as it is", () => {
  const views = [view("A", [first]), view("B", [first])];
  const list = next(views, change("", "", { isAnew: true }));
  assert.deepEqual([list.number, list.members, list.left], [2, first.list.members, []]);
});

test("what one daemon proves is proved for all, and what none of them proves is signed by force alone", () => {
  const views = [view("A", [], { lists: [told(first, "no-proof")] }), view("B", [first])];
  assert.equal(next(views, change("", "C")).number, 2);
  assert.equal(
    next([view("A", [], { lists: [told(first, "no-proof")] })], change("D", "", { force: true })).number,
    2,
  );
});
