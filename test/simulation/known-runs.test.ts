/** Repeats runs in which daemons once differed, fell out of date or broke a promise, each for a different reason. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { amount } from "../support/amount.js";
import { simulate } from "./simulate.js";

const KNOWN: Readonly<Record<number, string>> = {
  466: "one has forgotten what two others hold otherwise, who have signed nothing",
  883: "a member makes its snapshot anew of a date that it has signed",
  1009: "two begin empty, and are given a small window for each sync of a disk that syncs seldom",
  1701: "an entry rots at the last that has it",
  50033: "what a bad member withheld is dated a day ahead",
  51583: "what members have signed they do not have any more",
  200046: "a snapshot is made again of the same date",
  400111: "one that began empty beside a bad only other one is restarted",
  400119: "a daemon signs a command of the key ring among others",
  402473: "an entry rots before it is stable",
  701791: "one begins empty, and reaches one other only, while all clocks are a day behind",
  701835: "two begin empty, and the third one's clock was a day ahead before",
  702192: "two make their snapshots anew of a date that one of them has signed",
  705117: "an entry rots that a snapshot has, and is read before it is removed",
  706065: "as before, found before what is below the snapshot is forgotten",
  715436: "an entry rots that another has in a snapshot only, and a third has not",
  803468: "one that began empty takes the bad only other's snapshot, which has all that was here",
  809090:
    "an entry that is not permitted here comes from a member that permitted it, and its client asks whether it is final",
  813759: "a bad member says something of the past to one that is cut off, and again when that one is back",
  813025: "nobody writes any more, and two have signed all dates that there are, each others",
  5201151: "an entry that failed rots before its client asks once more whether that is final",
};

/** The same with member lists. A change in what administrators do changes all of these runs. */
const LISTED: Readonly<Record<number, string>> = {
  938013: "a first list comes to daemons none of which has published anything yet",
  938042:
    "two with new folders that no list names reach each other, and a disk is full where a member gives a list",
};

/** One of this many runs is repeated. */
const SHARE = amount(8, 1);
/** The same for runs with member lists. */
const LISTED_SHARE = amount(2, 1);

for (const [seed, what] of Object.entries(KNOWN).filter((_, place) => place % SHARE === 0))
  test(`run ${seed}: ${what}`, async () => {
    // As they were found: without the features that did not exist then.
    const without = ["tables", "groups", "scripts", "comparing", "lists"];
    assert.deepEqual((await simulate(Number(seed), { without })).problems, []);
  });

for (const [seed, what] of Object.entries(LISTED).filter((_, place) => place % LISTED_SHARE === 0))
  test(`run ${seed}: ${what}`, async () => {
    const { problems, settings } = await simulate(Number(seed));
    assert.deepEqual(problems, []);
    assert.equal(settings.lists, true);
  });
