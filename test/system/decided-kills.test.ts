/**
 * Tests decisions while daemons are killed. An acknowledged decision survives a kill of all daemons: a majority has its
 * votes on disk, even if no daemon has stored the decision itself. Without a majority, units are refused. A daemon
 * whose stored promises are damaged votes again only after all other members have answered.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Client, DbsyncError } from "../../client/public-api.js";
import { amount } from "../support/amount.js";
import { Trio } from "../support/trio.js";

const ROUNDS = amount(3, 6);
const majority = { policy: "majority" } as const;

/** Waits until the members decide on a new key. They begin a moment after they know the list. */
async function untilMembersDecide(
  trio: Trio,
  client: Client,
  key: string,
  what = "the members decide",
): Promise<void> {
  await trio.until(what, async () => {
    const answer = await client.call(["SET", key, "x", "NX"], majority).catch(() => undefined);
    return answer !== undefined;
  });
}

test("an acknowledged lock is kept when two or all daemons are killed right after the answer", async () => {
  await using trio = await Trio.start();
  await trio.list();
  await trio.untilNoneIsLate();
  await using client = trio.client();
  await untilMembersDecide(trio, client, "probe");

  for (let round = 0; round < ROUNDS; round++) {
    const lock = `lock:${round}`;
    const survivor = round % 3;
    const others = [0, 1, 2].filter((index) => index !== survivor);
    assert.equal(await client.call(["SET", lock, "me", "NX"], majority), "OK");

    // Half of the rounds have no survivor: the two that start again have only what was on their disks.
    const killed = round % 2 === 0 ? others : [0, 1, 2];
    await Promise.all(killed.map((index) => trio.end(index, "SIGKILL")));
    await Promise.all(others.map((index) => trio.start(index)));

    await trio.until("a majority decides again", async () => {
      await using rival = trio.client();
      return (await rival.call(["SET", lock, "you", "NX"], { ...majority, timeout: 5_000 })) === null;
    });

    if (killed.length === 3) await trio.start(survivor);
    await trio.until("each daemon has the lock", async () => {
      for (const index of [0, 1, 2]) {
        await using one = trio.client([index]);
        if ((await one.call(["GET", lock])) !== "me") return false;
      }
      return (await trio.statuses()).every(({ state }) => state === "live");
    });
  }
});

test("with two of three members down, a lock is refused and not applied, until one returns", async () => {
  await using trio = await Trio.start();
  await trio.list();
  await trio.untilNoneIsLate();
  await using client = trio.client();
  const acquire = (key: string) => client.call(["SET", key, "me", "NX"]);

  await untilMembersDecide(trio, client, "probe");
  assert.equal(await acquire("first"), "OK");

  await Promise.all([1, 2].map((index) => trio.end(index, "SIGKILL")));
  await trio.until("the remaining member refuses", async () => {
    const failure = await acquire("second").catch((problem: unknown) => problem);
    return (
      failure instanceof DbsyncError &&
      failure.effect === "not-applied" &&
      /cannot-decide: .*(not connected to a majority|no majority)/.test(failure.message)
    );
  });

  await trio.start(1);
  // A failed attempt may still have been applied, so each attempt uses its own key.
  let attempts = 0;
  await trio.until("two members decide", async () => {
    attempts++;
    return (await acquire(`third:${attempts}`).catch(() => null)) === "OK";
  });
  assert.equal(await client.call(["GET", "second"], { policy: "majority" }), null);
});

/** The size of a ballot in the data file. */
const BALLOT_BYTES = 78;
/** The position of a byte in the middle of a ballot. */
const FLIPPED_BYTE = 40;

/** Flips a bit of the ballot that a daemon has promised, in its data folder. */
function damagePromises(folder: string): void {
  const file = join(folder, "timeline", "data.mdb");
  const bytes = readFileSync(file);
  const ballot = `$${BALLOT_BYTES}\r\n`;
  let count = 0;
  // A stored promise has 5 elements, or 6 with a vote.
  for (const elements of ["*5\r\n", "*6\r\n"]) {
    const head = Buffer.from(`${elements}${ballot}`, "latin1");
    for (let at = bytes.indexOf(head); at >= 0; at = bytes.indexOf(head, at + 1), count++)
      bytes[at + head.length + FLIPPED_BYTE] = (bytes[at + head.length + FLIPPED_BYTE] as number) ^ 1;
  }
  assert.ok(count > 0, "the folder has promises");
  writeFileSync(file, bytes);
}

test("a daemon with damaged promises reports them, and votes again when the others have answered", async () => {
  await using trio = await Trio.start();
  await trio.list();
  await trio.untilNoneIsLate();
  await using client = trio.client();
  await untilMembersDecide(trio, client, "probe");

  await trio.endAll();
  damagePromises(trio.folder(2));
  await Promise.all([0, 1, 2].map((index) => trio.start(index)));
  const damage = (line: { msg: string }) =>
    line.msg.startsWith("the stored promises for decisions are damaged");
  assert.ok(trio.daemon(2).log.some(damage));
  for (const index of [0, 1]) assert.ok(!trio.daemon(index).log.some(damage));

  await untilMembersDecide(trio, client, "second");

  // All others have to answer before it votes again.
  await trio.until("no promise is missing", async () => {
    const missing = (await trio.report(2, "TIMELINE", "STATUS")).get("missing-promises");
    return Array.isArray(missing) && missing.length === 0;
  });

  await trio.end(0, "SIGTERM");
  await untilMembersDecide(trio, client, "third", "it votes while another member is down");
});
