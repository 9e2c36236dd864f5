/**
 * Kills a daemon at a random moment while real daemons force a list, or replace or remove a member that is down: once
 * the operator has repeated the command, all remaining daemons use the same list. test/simulation/list-kills.test.ts
 * kills daemons at each step.
 */
import { rmSync } from "node:fs";
import { test } from "node:test";
import { skipUnlessFull } from "../support/amount.js";
import { pause } from "../support/pause.js";
import { SeededRandom, seedOfRun } from "../support/seeded-random.js";
import { NamedDaemons } from "./named-daemons.js";
import { PlainWrites } from "./plain-writes.js";

const CALL_MS = 3_000;
/** The maximum milliseconds from the command until the kill. `dbsync members force` waits for 5 seconds at first. */
const KILLED_MS_MAX = { force: 8_000, replace: 3_000, remove: 3_000 };
type Kind = keyof typeof KILLED_MS_MAX;

const seed = seedOfRun();

/** Loses members. @returns the daemons of the next list, and the command that leads to it on each of some machines */
async function lose(daemons: NamedDaemons, kind: Kind): Promise<readonly [number[], string[], number[]]> {
  const { trio } = daemons;
  const lost = await daemons.idOf(2);
  await trio.end(2, "SIGKILL");

  if (kind === "force") {
    await trio.end(3, "SIGKILL");
    return [
      [0, 1],
      ["force", "--yes"],
      [0, 1],
    ];
  }

  if (kind === "remove") {
    daemons.name([0, 1]);
    for (const index of [0, 1]) await daemons.reload(index);
    return [[0, 1], ["remove", lost], [0]];
  }

  rmSync(trio.folder(2), { recursive: true });
  await trio.start(2);
  await daemons.trio.until("the new daemon answers", async () => (await daemons.idOf(2)) !== lost);
  return [[0, 1, 2], ["replace", lost, await daemons.idOf(2)], [0]];
}

for (const kind of Object.keys(KILLED_MS_MAX) as Kind[])
  test(`run ${seed}: a daemon is killed during dbsync members ${kind}`, {
    skip: skipUnlessFull,
  }, async (t) => {
    const random = new SeededRandom(seed, 1);
    await using daemons = await NamedDaemons.start(kind === "force" ? [0, 1, 2, 3] : [0, 1, 2]);
    const { trio } = daemons;
    const writes = new PlainWrites(trio.client(undefined, { policy: "first", timeout: CALL_MS }), "write");
    const [remaining, command, ordered] = await lose(daemons, kind);

    const order = () => Promise.all(ordered.map((index) => daemons.tryMembers(index, ...command)));
    const first = order();
    const afterMs = random.below(KILLED_MS_MAX[kind]);
    await pause(afterMs);
    const killed = random.oneOf(remaining);
    await trio.end(killed, "SIGKILL");
    await trio.start(killed);
    await first;
    let repeats = 0;
    await trio.until("the repeated command succeeds", async () => {
      repeats++;
      const results = await order();
      for (const { code, stderr } of results) if (code !== 0) t.diagnostic(`repeat ${repeats}: ${stderr}`);
      return results.every(({ code }) => code === 0);
    });
    await daemons.untilListed(remaining);
    await writes[Symbol.asyncDispose]();
    await daemons.untilKept(remaining, writes.acknowledged);
    t.diagnostic(
      `daemon ${killed} is killed after ${afterMs} ms; ${repeats} repeats; ${writes.acknowledged.length} writes`,
    );
  });
