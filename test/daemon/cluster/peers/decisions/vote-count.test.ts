/** Tests how many members have to vote and promise, also after changes of the member list. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { VotingList } from "../../../../../daemon/cluster/peers/decisions/decision-types.js";
import {
  isMajority,
  isPromised,
  VoteCount,
} from "../../../../../daemon/cluster/peers/decisions/vote-count.js";

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
  const promised = (current: string, earlier: readonly string[], ids: string, unknown = "") =>
    isPromised(
      {
        current: listOf(9, current),
        earlier: earlier.map((members, index) => listOf(index, members)),
        unknown: new Set(unknown),
      },
      new Set(ids),
    );

  assert.ok(promised("abd", ["abc"], "ab"));
  assert.ok(!promised("abd", ["abc"], "ad"), "b and c may have decided");
  assert.ok(!promised("abd", ["abc"], "a"));
  assert.ok(promised("a", ["ab"], "a"), "the other one of a pair was removed");
  assert.ok(promised("ade", ["abc"], "ad"), "a is the only member of the earlier list that remains");
  assert.ok(!promised("ade", ["abc"], "de"));
  assert.ok(!promised("abd", ["abd", "abc"], "ad"), "each earlier list counts");

  assert.ok(promised("abd", [], "ab", "abc"));
  assert.ok(!promised("abd", [], "ad", "abc"), "b and c may have decided under a list that is not known");
  assert.ok(promised("ade", [], "ad", "abc"), "a is the only one that remains of a list that is not known");
  assert.ok(!promised("abc", [], "c", "c"));
});

test("the proposals of a member replace only its own", () => {
  const votes = new VoteCount();
  const propose = (unit: string, keeper: string): void => {
    const place = { slot: 1, index: 0, count: 1, previous: null, at: 1, seq: 0, id: unit };
    const decision = { ...place, unit, body: Buffer.alloc(9) };
    votes.addProposal({ slot: 1, decisions: [decision], root: unit }, keeper, 0);
  };

  propose("copied", "liar");
  propose("copied", "a");
  propose("other", "b");
  for (let count = 0; count < 100; count++) propose(`invented ${count}`, "liar");
  propose("invented 0", "liar");

  const invented = Array.from({ length: 100 }, (_, count) => `invented ${count}`);
  assert.deepEqual(
    ["copied", "other", ...invented].filter((unit) => votes.hasProposalOf(unit)),
    ["copied", "other", "invented 0", ...invented.slice(-7)],
  );
});

test("a member's proposals in all slots together are few, and those of the next slots remain", () => {
  const votes = new VoteCount();
  const propose = (slot: number, keeper: string): void => {
    const id = `${keeper} ${slot}`;
    const decision = {
      ...{ slot, index: 0, count: 1, previous: null, at: 1, seq: 0, id, unit: id },
      body: Buffer.alloc(9),
    };
    votes.addProposal({ slot, decisions: [decision], root: id }, keeper, 0);
  };
  propose(512, "a");
  for (let slot = 512; slot > 0; slot--) propose(slot, "liar");
  const slots = Array.from({ length: 512 }, (_, index) => index + 1);
  const known = slots.filter((slot) => votes.hasProposalOf(`liar ${slot}`));
  assert.deepEqual(known, slots.slice(0, 64));
  assert.ok(votes.hasProposalOf("a 512"));
});
