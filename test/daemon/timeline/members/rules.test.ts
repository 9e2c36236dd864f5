/** Tests each rule of members alone. test/simulation/members tests their combination. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  entryOutcomeOf,
  isStable,
  type JoinReport,
  joinedWatermark,
  listRefusal,
  mayAcceptFrom,
  mayReport,
  type Report,
  skewedWatermark,
  stableCandidate,
} from "../../../../daemon/timeline/members/rules.js";
import { membershipStateOf } from "../../../../protocol/members/member-list.js";
import { idOf, idsOf, listAfter } from "./lists.js";

const first = listAfter([], { add: "ABC" });
const less = listAfter([first], { leave: "C" });
const other = listAfter([first], { leave: "B" });
const [NONE, ONE, LESS, DOUBLED] = [[], [first], [first, less], [first, less, other]].map(
  membershipStateOf,
) as [
  ...[ReturnType<typeof membershipStateOf>, ReturnType<typeof membershipStateOf>],
  ...[ReturnType<typeof membershipStateOf>, ReturnType<typeof membershipStateOf>],
];
const isSame = (one: number, two: number) => one === two;

test("a time is final once each member has reported it under the same list and with the same entries", () => {
  const report: Report<number> = { list: "L", watermark: 20, digest: 7 };
  const stable = (change: Partial<Report<number>>, own: Partial<Report<number>> = {}) =>
    isStable(
      20,
      { ...report, ...own },
      idsOf("BC"),
      new Map([
        [idOf("B"), report],
        [idOf("C"), { ...report, ...change }],
      ]),
      isSame,
    );

  assert.equal(stable({}), true);
  assert.equal(stable({ watermark: 21 }), true);
  assert.equal(stable({ watermark: 19 }), false);
  assert.equal(stable({ list: "K" }), false);
  assert.equal(stable({ digest: 8 }), false);
  assert.equal(stable({}, { watermark: 19 }), false);
  assert.equal(stable({}, { list: "K" }), false);
  assert.equal(stable({}, { digest: 8 }), false);

  assert.equal(isStable(20, report, idsOf("BC"), new Map([[idOf("B"), report]]), isSame), false);
  assert.equal(isStable(20, report, [], new Map(), isSame), true);
});

test("a time that may be final is a full second that all watermarks have reached", () => {
  assert.equal(stableCandidate([3999, 2999, 5000]), 2000);
});

test("a daemon accepts entries only from daemons that all lists name, and only if a list names the daemon itself", () => {
  assert.equal(mayAcceptFrom(NONE, idOf("A"), idOf("X")), true);
  assert.equal(mayAcceptFrom(ONE, idOf("A"), idOf("C")), true);
  assert.equal(mayAcceptFrom(LESS, idOf("A"), idOf("C")), false);
  assert.equal(mayAcceptFrom(DOUBLED, idOf("A"), idOf("A")), true);
  assert.equal(mayAcceptFrom(DOUBLED, idOf("A"), idOf("B")), false);
  assert.equal(mayAcceptFrom(LESS, idOf("C"), idOf("A")), false);
});

test("a daemon reports if it is live, no two lists are parallel, no list removes it, and its data is on disk", () => {
  const ready = { membership: LESS, own: idOf("A"), isLive: true, isListOnDisk: true, isPastOnDisk: true };
  assert.equal(mayReport(ready), true);
  assert.equal(mayReport({ ...ready, membership: NONE }), true);
  for (const change of [
    { membership: DOUBLED },
    { own: idOf("C") },
    { isLive: false },
    { isListOnDisk: false },
    { isPastOnDisk: false },
  ])
    assert.equal(mayReport({ ...ready, ...change }), false);
});

test("the lists permit client writes on a member with data, and on any daemon if there is no list", () => {
  const ready = { membership: LESS, own: idOf("A"), hasData: true };
  assert.equal(listRefusal(ready), null);
  assert.equal(listRefusal({ ...ready, membership: NONE, hasData: false }), null);
  assert.equal(listRefusal({ ...ready, membership: DOUBLED }), null);
  assert.equal(listRefusal({ ...ready, own: idOf("C") }), "no-member");
  assert.equal(listRefusal({ ...ready, hasData: false }), "no-data");
});

test("a joining daemon adopts the lowest watermark of the members whose entries it has", () => {
  const member: JoinReport = { list: "L", isLive: true, watermark: 20, isPulled: true };
  const begins = (one: Partial<JoinReport>, other: Partial<JoinReport>, now = 100, isFirst = true) =>
    joinedWatermark({
      list: "L",
      isFirst,
      others: idsOf("BC"),
      reports: new Map([
        [idOf("B"), { ...member, ...one }],
        [idOf("C"), { ...member, ...other }],
        [idOf("X"), { ...member, watermark: 1 }],
      ]),
      own: 10,
      now,
    });

  assert.equal(begins({}, {}), 20);
  assert.equal(begins({ watermark: 40 }, {}), 20);
  assert.equal(begins({}, { watermark: 15 }), 15);
  for (const change of [{ list: "K" }, { isPulled: false }, { isLive: false, isPulled: false }]) {
    assert.equal(begins({}, { ...change, watermark: 15 }), 20);
    assert.equal(begins(change, change), null);
  }

  const none = { list: "L", isFirst: true, reports: new Map(), own: 10, now: 100 };
  for (const others of [idsOf("BC"), []]) assert.equal(joinedWatermark({ ...none, others }), null);

  // If no member of the list is live, all begin together, at the highest watermark that is not ahead of the time.
  const joining = { isLive: false };
  assert.equal(begins(joining, { ...joining, watermark: 30 }), 30);
  assert.equal(begins({ ...joining, watermark: 0 }, { ...joining, watermark: 0 }), 10);
  assert.equal(begins(joining, { ...joining, watermark: 300 }), 100);
  assert.equal(begins(joining, { ...joining, isPulled: false }), null);
  assert.equal(begins(joining, { ...joining, list: "K" }), null);
  assert.equal(begins(joining, joining, 100, false), null, "a later list has members with data");

  // A watermark ahead of the time is used only if all other members have reported.
  assert.equal(begins({ list: "K" }, {}, 19), null);
  assert.equal(begins({ isPulled: false }, {}, 19), null);
  assert.equal(begins({ list: "K" }, {}, 20), 20);
  assert.equal(begins({ isLive: false }, {}, 19), 20);
  assert.equal(begins({}, {}, 19), 20);
});

test("a daemon whose clock is off follows the other watermarks, as far as the median clock permits", () => {
  assert.equal(skewedWatermark(100, 30, [65, 90]), 65);
  assert.equal(skewedWatermark(100.9, 30, [80]), 70);
  assert.equal(skewedWatermark(100, 30, []), 70);
});

test("the outcome of a write is undecided until nothing can change it", () => {
  const past = { stablePoint: 10, idsFrom: 5 };
  assert.equal(entryOutcomeOf(9, true, past), "held");
  assert.equal(entryOutcomeOf(9, false, past), "dead-letter");
  assert.equal(entryOutcomeOf(4, false, past), "forgotten");
  assert.equal(entryOutcomeOf(4, true, past), "held");
  assert.equal(entryOutcomeOf(10, false, past), "undecided");
  assert.equal(entryOutcomeOf(10, true, past), "undecided");
});
