/** Tests which member lists a daemon stores, in any order of arrival, with or without the lists in between. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { HEADS_MAX, type KnownList, takeList } from "../../../protocol/members/member-list.js";
import { CLUSTER, idOf, known, listAfter } from "../../daemon/timeline/members/lists.js";

const first = listAfter([], { add: "ABC" });
const second = listAfter([first], { leave: "C" });
const third = listAfter([second], { add: "D" });
const beside = listAfter([first], { add: "E" });

function heads(...lists: readonly KnownList[]): readonly KnownList[] {
  let kept: readonly KnownList[] = [];
  for (const list of lists) {
    const taken = takeList(kept, list, CLUSTER);
    if (taken === "old") continue;
    if ("problem" in taken) throw new Error(taken.problem);
    kept = taken.heads;
  }
  return kept;
}

test("the last of successive lists is stored, in any order of arrival and with any of them missing", () => {
  for (const order of [
    [first, second, third],
    [third, second, first],
    [second, first, third],
    [first, third],
    [third],
  ])
    assert.deepEqual(heads(...order), [third]);
});

test("two parallel lists are both stored until one list succeeds both", () => {
  assert.deepEqual(heads(first, second, beside), [second, beside]);
  assert.deepEqual(heads(beside, second), [beside, second]);
  assert.deepEqual(heads(third, beside), [third, beside]);
  const merged = listAfter([second, beside], {});
  assert.deepEqual(heads(first, beside, second, merged), [merged]);
  assert.deepEqual(heads(merged, second, beside), [merged]);
});

test("a list that omits a removed daemon, or belongs to another cluster, is refused", () => {
  const forged = known({ ...third.list, removed: [] });
  assert.deepEqual(takeList([second], forged, CLUSTER), {
    problem: "it must name exactly the daemons that were removed",
  });
  const foreign = known({ ...third.list, cluster: idOf("X") });
  assert.deepEqual(takeList([], foreign, CLUSTER), { problem: "it belongs to another cluster" });
});

test("the number of parallel lists is limited", () => {
  const many = Array.from({ length: HEADS_MAX + 1 }, (_, index) =>
    listAfter([first], { add: String.fromCharCode(200 + index) }),
  );
  assert.throws(() => heads(...many), /too many parallel lists/);
});
