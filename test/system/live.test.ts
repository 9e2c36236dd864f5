/**
 * Tests that a restarted daemon reports live, and answers without a flag, only when it has all writes that were
 * acknowledged before its start.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { amount } from "../support/amount.js";
import { Trio } from "../support/trio.js";

const KEYS = amount(1500, 10_000);
const KEYS_PER_CALL = 100;
const WRITE_EVERY_MS = 5;
/** The number of consecutive answers that report live. */
const LIVE_ANSWERS = 20;
const LEVEL_MS = 120_000;

test("a restarted daemon reports live only with all missed entries, even while another client writes", async (t) => {
  await using trio = await Trio.start();
  await using others = trio.client([0, 1]);
  await others.send("SET before 1");
  await trio.end(2, "SIGKILL");
  const names = Array.from({ length: KEYS }, (_, number) => `key:${number}`);
  for (let from = 0; from < KEYS; from += KEYS_PER_CALL)
    await Promise.all(names.slice(from, from + KEYS_PER_CALL).map((name) => others.call(["SET", name, "v"])));

  let isWriting = true;
  let written = 0;
  const writer = (async () => {
    await using small = trio.client([0]);
    while (isWriting) {
      await small.send(`SET trickle ${written++}`);
      await new Promise((resolve) => setTimeout(resolve, WRITE_EVERY_MS));
    }
  })();
  try {
    await trio.start(2);
    await using restarted = trio.client([2]);
    const found = new Set<string>();
    let live = 0;
    await trio.until("the daemon is live", async () => {
      const { outcomes } = await restarted.sendAll(["EXISTS", ...names]);
      const [outcome] = outcomes;
      if (outcome?.status !== "ok") return false;
      found.add(`${outcome.flags.join()} ${outcome.value}`);
      return outcome.flags.length === 0 && ++live >= LIVE_ANSWERS;
    });
    const unflagged = [...found].filter((answer) => answer.startsWith(" "));
    assert.deepEqual(unflagged, [` ${KEYS}`], "a live daemon has folded all entries");
    t.diagnostic(`${written} written meanwhile; ${[...found].slice(0, 5).join("; ")}`);
  } finally {
    isWriting = false;
    await writer;
  }
  await trio.level(LEVEL_MS);
});
