/** Repeats runs in which daemons once differed, were out of date or broke a promise, each for a different reason. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { amount, some } from "../support/amount.js";
import { simulate } from "./simulate.js";

const KNOWN: Readonly<Record<number, string>> = {
  466: "two daemons differ in entries that a third daemon has forgotten, and neither has signed a state",
  883: "a member makes a snapshot again for a date that it has signed",
  1009: "two daemons start empty and receive one small window of entries per sync, and the disks sync rarely",
  1701: "an entry rots on the last daemon that has it",
  50033: "an entry that a byzantine member withheld is dated a day ahead",
  51583: "members no longer have the state that they signed",
  200046: "a snapshot is made twice for the same date",
  400111: "a daemon that started empty, with a byzantine member as its only peer, is restarted",
  400119: "a daemon signs a key command among other commands",
  402473: "an entry rots before it is stable",
  701791: "a daemon starts empty and reaches only one other daemon, while all clocks are a day behind",
  701835: "two daemons start empty after the clock of the third was a day ahead",
  702192: "two daemons make their snapshots again for a date that one of them has signed",
  705117: "an entry that is in a snapshot rots and is read before it is removed",
  706065:
    "an entry that is in a snapshot rots and is found before the daemon forgets what the snapshot covers",
  715436: "an entry rots that a second daemon has only in a snapshot and that a third daemon does not have",
  803468: "a daemon that started empty accepts the snapshot of its only peer, which is byzantine",
  809090: "a member sends an entry that only that member permits, and the client asks whether it is final",
  813759: "a byzantine member reports pruned entries to a daemon that is cut off, and again after its return",
  813025: "clients no longer write, and each possible snapshot date was already signed by one of two daemons",
  5201151: "an entry that failed rots before its client asks again whether the failure is final",
};

/** Runs with member lists. A change to the actions of administrators changes all of these runs. */
const LISTED: Readonly<Record<number, string>> = {
  1206: "the only entry that adds a key rots and its last sound copy is removed, while the key's writes are acknowledged",
  9175: "two of three daemons have no data and different tails, and outvote the third by a forced list",
  17405:
    "a daemon adopts a snapshot by order, and the entries that it drops are damaged on the last daemon that has them",
  17489: "an entry that adds a key is lost, and only some daemons have a later entry of that key",
  63268: "entries of a lost key are final nowhere until the key is added again",
  61680: "all daemons restart before they publish anything, and then receive the first list",
  17217: "a live daemon without members receives the list that adds it, and a write before its next tick",
  938013: "a first list reaches daemons that have not published anything yet",
  938042:
    "two daemons with new folders that no list names connect, and the disk of a member that sends a list is full",
};

/** Runs without claims and member lists. */
const COMPLETE: Readonly<Record<number, string>> = {
  12416: "the write that an acknowledged condition names is lost with the last folder that has it",
};

/** Runs with all features except decided keys. */
const LATEST: Readonly<Record<number, string>> = {
  310: "lists remove the members that have all decisions of a proposal, and keep one that has some",
  910114: "a list that removes one of two members is on its way to both when the faults end",
};

/** The test repeats one run out of this many. */
const SHARE = amount(32, 1);
/** The same share for runs with member lists. */
const LISTED_SHARE = amount(9, 1);

for (const [seed, title] of Object.entries(KNOWN).filter((_, index) => index % SHARE === 0))
  test(`run ${seed}: ${title}`, async () => {
    // These features did not exist when the runs were found.
    const without = ["tables", "groups", "scripts", "claims", "comparing", "lists"];
    assert.deepEqual((await simulate(Number(seed), { without })).problems, []);
  });

for (const [seed, title] of Object.entries(LISTED).filter((_, index) => index % LISTED_SHARE === 0))
  test(`run ${seed}: ${title}`, async () => {
    const { problems, settings } = await simulate(Number(seed), {
      without: ["claims", "contention", "several", "patterns"],
    });
    assert.deepEqual(problems, []);
    assert.equal(settings.lists, true);
  });

for (const [seed, title] of some(Object.entries(LATEST)))
  test(`run ${seed}: ${title}`, async () => {
    assert.deepEqual((await simulate(Number(seed), { without: ["patterns"] })).problems, []);
  });

for (const [seed, title] of Object.entries(COMPLETE))
  test(`run ${seed}: ${title}`, async () => {
    assert.deepEqual((await simulate(Number(seed), { without: ["claims", "patterns"] })).problems, []);
  });
