/** Tests the order of member lists, and which of the known lists is in force. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { membershipStateOf } from "../../../protocol/members/member-list.js";
import {
  after,
  CLUSTER,
  idOf,
  idsOf,
  known,
  listAfter,
  problemAfter,
} from "../../daemon/timeline/members/lists.js";

const first = listAfter([], { add: "ABCD" });
const less = listAfter([first], { leave: "D" });
const other = listAfter([first], { leave: "C", add: "E" });
const merged = listAfter([less, other], {});

test("a succeeding list adds and removes members, and lists all removed members as removed", () => {
  const third = listAfter([less], { add: "E", leave: "A" });
  assert.deepEqual(
    {
      number: third.list.number,
      parents: third.list.parents,
      members: third.list.members,
      removed: third.list.removed,
    },
    { number: 3, parents: [less.hash], members: idsOf("BCE"), removed: idsOf("AD") },
  );
});

test("a list that succeeds two parallel lists has only the members of both", () => {
  assert.deepEqual(merged.list.members, idsOf("AB"));
  assert.deepEqual(merged.list.removed, idsOf("CDE"));
  assert.equal(merged.list.number, 3);
  assert.deepEqual(merged.list.parents, [less.hash, other.hash].sort());
  assert.match(after([less, other], { add: "F" }) as string, /the members of both/);
});

test("a removed daemon never returns", () => {
  assert.match(after([less], { add: "D" }) as string, /can never return/);
  assert.match(after([merged], { add: "E" }) as string, /can never return/);
});

test("at least one member remains, and only members can be removed", () => {
  assert.match(after([first], { leave: "ABCD", add: "E" }) as string, /must remain/);
  assert.match(after([first], { leave: "X" }) as string, /is not a member/);
  assert.match(after([first], { leave: "ABCD" }) as string, /at least one member/);
});

for (const [what, change, problem] of [
  ["of another cluster", { cluster: idOf("X") }, /another cluster/],
  ["with another number", { number: 3 }, /number must be 2/],
  ["that does not name a removed daemon", { removed: [] }, /exactly the daemons that were removed/],
  [
    "that removes a daemon that was never a member",
    { removed: idsOf("DX") },
    /exactly the daemons that were removed/,
  ],
  ["with a member twice", { members: idsOf("AAB") }, /duplicate/],
  ["that names an unknown parent", { parents: [first.hash, idOf("P")] }, /not known/],
] as const)
  test(`a list ${what} is refused`, () => {
    assert.equal(problemAfter([first], less, {}), null);
    assert.match(problemAfter([first], less, change) as string, problem);
  });

test("no list is in force if no list is known", () => {
  assert.deepEqual(membershipStateOf([]), {
    heads: [],
    inForce: null,
    members: new Set(),
    removed: new Set(),
  });
});

test("a list that succeeds all other known lists is in force", () => {
  const membership = membershipStateOf([less, first]);
  assert.equal(membership.inForce, less);
  assert.deepEqual([...membership.members], idsOf("ABC"));
  assert.deepEqual([...membership.removed], idsOf("D"));
});

test("neither of two parallel lists is in force until a list has both as parents", () => {
  const doubled = membershipStateOf([first, less, other]);
  assert.equal(doubled.inForce, null);
  assert.deepEqual(doubled.heads, [less, other]);
  assert.deepEqual([...doubled.members], idsOf("AB"));
  assert.deepEqual([...doubled.removed].sort(), idsOf("CD"));
  assert.equal(membershipStateOf([first, less, other, merged]).inForce, merged);
  // A list that succeeds only one of the two is not in force either, whatever its number is.
  const later = listAfter([less], { add: "F" });
  const latest = listAfter([later], { add: "G" });
  assert.equal(membershipStateOf([first, less, other, later, latest]).inForce, null);
});

test("two first lists are parallel, so neither is in force", () => {
  const second = known({ cluster: CLUSTER, number: 1, parents: [], members: idsOf("AB"), removed: [] });
  assert.equal(membershipStateOf([first, second]).inForce, null);
  assert.deepEqual(listAfter([first, second], {}).list.members, idsOf("AB"));
});
