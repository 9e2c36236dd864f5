/**
 * Tests that writes to decided keys on which the members have not decided become dead letters once their positions are
 * final, and only once. Source: docs/decisions/0081-decided-keys.md.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DeadLetterFolder } from "../../../../daemon/cluster/dead-letters/dead-letter-folder.js";
import { DeadLetterStore } from "../../../../daemon/cluster/dead-letters/dead-letter-store.js";
import { VoidLetters } from "../../../../daemon/cluster/dead-letters/void-letters.js";
import type { DeadLetterWriter } from "../../../../daemon/timeline/dead-letters.js";
import { orderKeyOf, writeOrderKey } from "../../../../daemon/timeline/entries/entry.js";
import { writeValue } from "../../../../daemon/timeline/entries/stored-value.js";
import type { FoldUnit } from "../../../../daemon/timeline/fold/fold-unit.js";
import { VoidUnits } from "../../../../daemon/timeline/fold/void-units.js";
import { MemoryStorage } from "../../../../daemon/timeline/memory-storage.js";
import { double } from "../../../support/double.js";
import { until } from "../../../support/until.js";
import { makeFolder } from "../../program/replicas.js";
import { entryAt } from "../../timeline/support/timeline-subject.js";

const AT = Date.UTC(2030, 0, 2, 3, 4, 5);

/** A daemon with a data folder, which may start again. */
function scene(data: string, isStored = true) {
  const storage = new MemoryStorage();
  const lines: string[] = [];
  const log = {
    info: assert.fail,
    warn: assert.fail,
    error: (facts: { readonly count?: unknown; readonly reason?: unknown }) =>
      void lines.push(String(facts.count ?? facts.reason)),
  };
  const state = { voids: new VoidUnits(0), stablePoint: AT, uptime: 0, problem: null as string | null };

  const store = new DeadLetterStore(data, 1e6);
  const openDeadLetters = (cutAt: number): DeadLetterWriter => {
    const writer = store.open(cutAt);
    const commit = () => {
      if (state.problem !== null) throw new Error(state.problem);
      return writer.commit();
    };
    return {
      store: (...letter) => writer.store(...letter),
      commit,
      settle: () => writer.settle(),
      discard: () => writer.discard(),
      get figures() {
        return writer.figures;
      },
    };
  };

  const start = () =>
    new VoidLetters({
      timeline: {
        get voids() {
          return state.voids;
        },
      },
      peering: {
        get stablePoint() {
          return state.stablePoint;
        },
      },
      storage,
      environment: { clock: () => AT, uptime: () => state.uptime },
      log,
      removedDataStores: { openDeadLetters: isStored ? openDeadLetters : null },
    });

  const entries = [-2, -1, 0].map((seconds) => entryAt(AT + seconds * 1000, `SET d:${seconds} 1`));
  const find = () => {
    for (const entry of entries) {
      storage.put([[writeOrderKey(orderKeyOf(entry)), writeValue(entry.body, entry.signature)]]);
      state.voids.add(double<FoldUnit>({ orderKey: orderKeyOf(entry), entryId: entry.id, index: 0 }));
    }
  };

  const listed = () => new DeadLetterFolder(data).list().deadLetters;
  const shown = () =>
    listed().map(({ orderKey, reason, units }) => [(orderKey.at - AT) / 1000, reason, units?.join()]);
  return { state, lines, start, find, listed, shown };
}

test("void writes become dead letters when they are final", async () => {
  using data = makeFolder();
  const { state, lines, start, find, shown } = scene(data.path);
  const letters = start();
  letters.tick();

  find();
  state.stablePoint = AT - 2000;
  letters.tick();
  assert.deepEqual([shown(), state.voids.firstAt], [[], AT - 2000]);

  state.stablePoint = AT;
  letters.tick();
  letters.tick();
  await until("they are stored", () => state.voids.firstAt === AT);
  assert.deepEqual(
    [shown(), lines],
    [
      [
        [-2, "void", "0"],
        [-1, "void", "0"],
      ],
      ["2"],
    ],
  );

  state.stablePoint = AT + 1;
  letters.tick();
  assert.equal(state.voids.firstAt, AT, "the next file is written later");

  state.uptime = 10_000;
  letters.tick();
  await until("the last one is stored", () => state.voids.firstAt > AT);
  assert.deepEqual(shown().length, 3);
});

test("void writes that are found again after a restart are not stored again", async () => {
  using data = makeFolder();
  const { state, start, find, listed } = scene(data.path);
  find();
  start().tick();
  await until("they are stored", () => state.voids.firstAt === AT);
  new DeadLetterFolder(data.path).remove(listed());
  assert.deepEqual(listed(), []);
  find();
  start().tick();
  await until("they are dropped", () => state.voids.firstAt === AT);
  assert.deepEqual(listed(), []);
});

test("void writes are stored later if the disk has failed, and only logged without a data folder", async () => {
  using data = makeFolder();
  const { state, lines, start, find, shown } = scene(data.path);
  find();
  state.problem = "no space";
  const letters = start();
  letters.tick();
  await until("it has failed", () => lines.length === 1);
  assert.deepEqual([lines, shown(), state.voids.firstAt], [["no space"], [], AT - 2000]);
  state.problem = null;
  state.uptime = 10_000;
  letters.tick();
  await until("they are stored", () => state.voids.firstAt === AT);
  assert.equal(shown().length, 2);

  using other = makeFolder();
  const memory = scene(other.path, false);
  memory.find();
  memory.start().tick();
  await until("they are logged", () => memory.state.voids.firstAt === AT);
  assert.deepEqual([memory.lines, memory.shown()], [["2"], []]);
});
