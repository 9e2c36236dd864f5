/** Tests how many members have to vote and promise, also after changes of the member list. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { VotingList } from "../../../../../daemon/cluster/peers/decisions/decision-types.js";
import { isMajority, isPromised } from "../../../../../daemon/cluster/peers/decisions/vote-count.js";

const listOf = (number: number, members: string): VotingList => ({
  number,
  hash: `list ${number}`,
  members: new Set(members),
});

test("more than half of the members of a list are a majority, and no other daemon counts", () => {
  for (const [members, ids, is] of [
    ["abc", "ab", true],
    ["abc", "axy", false],
    ["ab", "a", false],
    ["abcd", "ab", false],
    ["a", "a", true],
  ] as const)
    assert.equal(isMajority(listOf(1, members), new Set(ids)), is, `${ids} of ${members}`);
});

test("under a new list, promises are necessary from a member of each majority of the earlier lists", () => {
  const promised = (current: string, earlier: readonly string[], ids: string) =>
    isPromised(
      { current: listOf(9, current), earlier: earlier.map((members, index) => listOf(index, members)) },
      new Set(ids),
    );
  assert.ok(promised("abd", ["abc"], "ab"));
  assert.ok(!promised("abd", ["abc"], "ad"), "b and c may have decided");
  assert.ok(!promised("abd", ["abc"], "a"));
  assert.ok(promised("a", ["ab"], "a"), "the other one of a pair was removed");
  assert.ok(promised("ade", ["abc"], "ad"), "a is the only member of the earlier list that remains");
  assert.ok(!promised("ade", ["abc"], "de"));
  assert.ok(!promised("abd", ["abd", "abc"], "ad"), "each earlier list counts");
});
