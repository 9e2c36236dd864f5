/**
 * Tests that `dbsync log --follow` shows each unit once, in order, even if more units have arrived since the last
 * request than one answer can contain.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ReplyValue } from "../../../client/shared/reply-value.js";
import { followLog, type HistoryReport, readHistory } from "../../../tools/history/log.js";
import { SeededRandom, seedOfRun } from "../../support/seeded-random.js";

const START = 1_790_000_000_000;
const seed = seedOfRun();

/** An imitation of a daemon with units of the given dates, each named by its index. */
class Log {
  readonly dates: number[] = [];

  query(command: readonly string[]): ReplyValue {
    if (command[1] === "STATUS") return ["data-sum", String(this.dates.length), "ring-sum", "0"];
    const option = (name: string, otherwise: number) => {
      const at = command.indexOf(name);
      return at < 0 ? otherwise : Number(command[at + 1]);
    };
    const [from, to] = [option("FROM", START), option("TO", Number.POSITIVE_INFINITY)];
    const all = this.dates
      .map((at, index) => ({ at, index }))
      .filter(({ at }) => at >= from && at <= to)
      .sort((a, b) => a.at - b.at);
    const units = all.slice(-option("LIMIT", 100));
    return [
      ...["from", from, "snapshot", null, "damaged", 0, "left", all.length - units.length, "units"],
      units.map(({ at, index }) => ["at", at, "seq", 0, "id", `id${index}`, "index", 0, "commands", []]),
    ];
  }
}

/** Follows a log that receives units between the requests. @returns the shown units */
async function follow(log: Log, added: readonly (readonly number[])[]): Promise<HistoryReport[]> {
  const shown: HistoryReport[] = [];
  let updates = 0;
  await followLog({
    query: async (command) => ({ address: "one", reply: log.query(command) }),
    filters: [],
    first: readHistory(log.query(["TIMELINE", "LOG"])),
    show: (history) => void shown.push(history),
    trouble: (error) => assert.fail(error.message),
    now: () => 0,
    wait: async () => void log.dates.push(...(added[updates++] ?? [])),
    isRunning: () => updates <= added.length,
  });
  return shown;
}

test(`each unit is shown once, in order (seed ${seed})`, async () => {
  const random = new SeededRandom(seed);
  const log = new Log();
  log.dates.push(START, START + 1);
  const added = [35_000, 5, 12_000].map((count, update) =>
    Array.from({ length: count }, () => START + 10_000 * (update + 1) + random.below(9_000)),
  );
  const shown = await follow(log, added);
  const units = shown.flatMap((history) => history.units);
  assert.equal(units.length, 47_005);
  assert.equal(new Set(units.map(({ id }) => id)).size, 47_005);
  assert.ok(units.every(({ at }, i) => i === 0 || at >= (units[i - 1]?.at ?? 0)));
  assert.ok(shown.every(({ omitted }) => omitted === 0));
});

test("units of a millisecond that do not fit into an answer are counted as omitted", async () => {
  const log = new Log();
  log.dates.push(START);
  const shown = await follow(log, [[START + 1, ...Array<number>(15_000).fill(START + 2), START + 3]]);
  assert.deepEqual(
    shown
      .map(({ omitted, units }) => [omitted, units.length])
      .reduce(([a = 0, b = 0], [c = 0, d = 0]) => [a + c, b + d]),
    [5_002, 10_001],
  );
});
