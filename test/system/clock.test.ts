/** Tests a real daemon whose clock is wrong by a day, from its start or suddenly. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { some } from "../support/amount.js";
import { buildRoot } from "../support/repository.js";
import { Trio } from "../support/trio.js";

const DAY_MS = 86_400_000;
/** The timeout in milliseconds. It is long because the machine may be busy. */
const LEVEL_MS = 120_000;
const program = join(buildRoot, "test", "system", "programs", "clock-off.js");

const DAYS = [
  ["ahead", DAY_MS],
  ["behind", -DAY_MS],
] as const;

for (const [name, off] of some(DAYS))
  test(`a daemon that starts with its clock a day ${name} refuses writes until the clock is correct`, async () => {
    await using trio = await Trio.start();
    await using client = trio.client();
    await client.send("SET k 1", { replicated: 3 });
    await trio.end(2, "SIGKILL");
    await client.send("SET k 2", { replicated: 2 });
    await trio.start(2, { program, env: { CLOCK_OFF_MS: String(off) } });
    await refuses(trio);
    await client.send("SET k 4", { replicated: 2 });
    await holdsAll(trio);
    await trio.end(2, "SIGKILL");
    await trio.start(2);
    await isWell(trio);
  });

for (const [name, off] of some(DAYS.toReversed()))
  test(`a daemon whose clock jumps a day ${name} refuses writes until the clock is correct`, async () => {
    await using trio = await Trio.start();
    await using client = trio.client();
    await trio.end(2, "SIGTERM");
    const env = { CLOCK_OFF_MS: String(off), CLOCK_IS_RIGHT: "1" };
    const daemon = await trio.start(2, { program, env });
    await trio.level(LEVEL_MS);
    await client.send("SET k 1", { replicated: 3 });
    daemon.kill("SIGUSR2");
    await refuses(trio);
    await client.send("SET k 2", { replicated: 2 });
    daemon.kill("SIGUSR2");
    await isWell(trio);
  });

async function refuses(trio: Trio): Promise<void> {
  await using alone = trio.client([2], { timeout: 2000 });
  await trio.until("the daemon refuses writes", async () => {
    const problem = await alone.send("SET k 3").then(
      () => null,
      (error: Error) => error,
    );
    return /clock-off|too-old/.test(String(problem));
  });
}

/** Checks that all daemons have all entries: a daemon with a wrong clock also stores entries of its peers. */
async function holdsAll(trio: Trio): Promise<void> {
  await trio.until("all daemons have the same entries", async () => {
    const [first, , third] = await trio.statuses();
    return first?.fingerprint === third?.fingerprint;
  });
}

async function isWell(trio: Trio): Promise<void> {
  await trio.level(LEVEL_MS);
  await using alone = trio.client([2]);
  await trio.until("the daemon accepts writes again", async () => (await alone.send("SET k 5")) === "OK");
  await trio.level(LEVEL_MS);
  for (const index of trio.ports.keys()) {
    await using each = trio.client([index]);
    assert.equal(await each.send("GET k"), "5");
  }
}
