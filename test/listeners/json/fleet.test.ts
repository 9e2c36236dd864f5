/** Daemons that list each other with --json-replica: whichever is killed and comes back, all end with the same documents. */
import { test } from "node:test";
import { amount } from "../../support/amount.js";
import { Members, more } from "./members.js";

const ROUNDS = amount(2, 6);

test("members that are killed and come back while the others write have what all have", async (t) => {
  await using members = await Members.start();
  const expected = new Set<string>();
  for (let round = 0; round < ROUNDS; round++) {
    const victim = round % members.ports.length;
    const writers = await members.writers(String(round));
    const others = writers.filter((_, place) => place !== victim);
    await Promise.all(others.map((writer) => more(writer)));
    await members.kill(victim);
    await writers[victim]?.ended;
    await Promise.all(others.map((writer) => more(writer)));
    await members.start(victim);
    const back = await members.writers(`${round}-back`, [victim]);
    await Promise.all([...others, ...back].map((writer) => more(writer)));
    await Promise.all([...others, ...back].map((writer) => writer.stop()));
    for (const writer of [...writers, ...back]) for (const mark of writer.replicated) expected.add(mark);
    await members.same(expected, `after round ${round}`);
  }
  t.diagnostic(`${expected.size} entries that were said to be replicated`);
});
