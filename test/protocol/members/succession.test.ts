/** The order of lists, and which of the known ones is in force. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { standingOf } from "../../../protocol/members/succession.js";
import { after, CLUSTER, idOf, idsOf, known, listAfter, problemAfter } from "../../timeline/members/lists.js";

const first = listAfter([], { add: "ABCD" });
const less = listAfter([first], { leave: "D" });
const other = listAfter([first], { leave: "C", add: "E" });
const merged = listAfter([less, other], {});

test("a list comes after another: members are added and left out, and what was left out is told for good", () => {
  const third = listAfter([less], { add: "E", leave: "A" });
  assert.deepEqual(
    {
      number: third.list.number,
      parents: third.list.parents,
      members: third.list.members,
      left: third.list.left,
    },
    { number: 3, parents: [less.hash], members: idsOf("BCE"), left: idsOf("AD") },
  );
});

test("after two lists only those are members that are in both", () => {
  assert.deepEqual(merged.list.members, idsOf("AB"));
  assert.deepEqual(merged.list.left, idsOf("CDE"));
  assert.equal(merged.list.number, 3);
  assert.deepEqual(merged.list.parents, [less.hash, other.hash].sort());
  assert.match(after([less, other], { add: "F" }) as string, /in both/);
});

test("what was left out never returns", () => {
  assert.match(after([less], { add: "D" }) as string, /never returns/);
  assert.match(after([merged], { add: "E" }) as string, /never returns/);
});

test("somebody stays, and what is no member cannot leave", () => {
  assert.match(after([first], { leave: "ABCD", add: "E" }) as string, /has to stay/);
  assert.match(after([first], { leave: "X" }) as string, /no member/);
  assert.match(after([first], { leave: "ABCD" }) as string, /at least one member/);
});

for (const [what, change, problem] of [
  ["of another cluster", { cluster: idOf("X") }, /another cluster/],
  ["with another number", { number: 3 }, /number has to be 2/],
  ["that forgets one that was left out", { left: [] }, /all that were left out/],
  ["that leaves one out that never was there", { left: idsOf("DX") }, /no other/],
  ["with a member twice", { members: idsOf("AAB") }, /twice/],
  ["that names a parent that is not known", { parents: [first.hash, idOf("P")] }, /not known/],
] as const)
  test(`a list ${what} is refused`, () => {
    assert.equal(problemAfter([first], less, {}), null);
    assert.match(problemAfter([first], less, change) as string, problem);
  });

test("without a list there is none in force", () => {
  assert.deepEqual(standingOf([]), { heads: [], inForce: null, members: new Set(), left: new Set() });
});

test("the list in force is the one that comes after all others that are known", () => {
  const standing = standingOf([less, first]);
  assert.equal(standing.inForce, less);
  assert.deepEqual([...standing.members], idsOf("ABC"));
  assert.deepEqual([...standing.left], idsOf("D"));
});

test("of two lists beside each other none is in force until one has both as parents", () => {
  const doubled = standingOf([first, less, other]);
  assert.equal(doubled.inForce, null);
  assert.deepEqual(doubled.heads, [less, other]);
  assert.deepEqual([...doubled.members], idsOf("AB"));
  assert.deepEqual([...doubled.left].sort(), idsOf("CD"));
  assert.equal(standingOf([first, less, other, merged]).inForce, merged);
  // A further list after one of the two decides nothing, whatever its number is.
  const later = listAfter([less], { add: "F" });
  const latest = listAfter([later], { add: "G" });
  assert.equal(standingOf([first, less, other, later, latest]).inForce, null);
});

test("two first lists are doubled as any others", () => {
  const second = known({ cluster: CLUSTER, number: 1, parents: [], members: idsOf("AB"), left: [] });
  assert.equal(standingOf([first, second]).inForce, null);
  assert.deepEqual(listAfter([first, second], {}).list.members, idsOf("AB"));
});
