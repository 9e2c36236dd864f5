/** Tests the date up to which members have the same entries, and how a daemon treats a member that never has them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { CommonDate } from "../../../../../daemon/cluster/peers/finality/common-date.js";
import { ReportTable } from "../../../../../daemon/cluster/peers/finality/report-table.js";
import type {
  ClusterState,
  ConnectedMember,
} from "../../../../../daemon/cluster/peers/shared/cluster-state.js";
import { PEERING_LIMITS } from "../../../../../daemon/cluster/peers/shared/peering-limits.js";
import type { Timeline } from "../../../../../daemon/timeline/timeline.js";
import type { ByteString } from "../../../../../protocol/byte-string.js";
import type { OwnMessage } from "../../../../../protocol/members/member-messages.js";
import { double } from "../../../../support/double.js";
import { EPOCH } from "../entries.js";

const { catchUpStuckMs, snapshotHoldMs } = PEERING_LIMITS;
const EMPTY = { count: 0, sum: "\0".repeat(32) };

/** This daemon and two members, b and c; c has different entries. */
class Scene {
  now = 0;
  retainsFrom = 0;
  isCatchingUp = true;
  isSame = false;
  readonly past: CommonDate;
  readonly #reports: ReportTable;
  readonly #members = new Map<ByteString, ConnectedMember>();

  constructor() {
    const scene = this;
    const timeline = {
      votes: { openDate: Number.POSITIVE_INFINITY },
      get published() {
        return EPOCH + scene.now;
      },
      index: { digestUpTo: () => EMPTY },
      snapshotTransfer: { retainFrom: (date: number) => void (this.retainsFrom = date) },
    } as unknown as Timeline;
    const cluster = double<ClusterState>({
      timeline,
      limits: PEERING_LIMITS,
      members: this.#members,
      uptime: () => this.now,
    });
    this.#reports = new ReportTable(cluster);
    this.past = new CommonDate(cluster, this.#reports);
  }

  run(ms: number): void {
    for (const end = this.now + ms; this.now < end; ) {
      this.now += 500;
      for (const id of ["b", "c"]) this.#members.set(id, this.#member(id));
      this.past.tick(this.now, [...this.#members.values()]);
    }
  }

  #member(id: string): ConnectedMember {
    const data = id === "c" && !this.isSame ? { ...EMPTY, count: 1 } : EMPTY;
    const watermark = EPOCH + this.now;
    const reply = (message: OwnMessage) =>
      message.kind === "report-request" &&
      this.#reports.receive(id, { at: message.at, watermark, ring: EMPTY, data }, "");
    return double<ConnectedMember>({
      id,
      status: { watermark },
      isCatchingUp: id === "c" && this.isCatchingUp,
      connection: { send: (message) => queueMicrotask(() => void reply(message)) },
    });
  }

  /** Advances the time; reports arrive between two ticks. */
  async settle(ms: number): Promise<void> {
    for (const end = this.now + ms; this.now < end; await Promise.resolve()) this.run(500);
  }
}

test("a member that takes long to catch up no longer delays signing, but still delays pruning for a while", async () => {
  const scene = new Scene();
  await scene.settle(catchUpStuckMs);
  assert.deepEqual([scene.past.value, scene.retainsFrom], [0, 0]);
  await scene.settle(10_000);
  assert.ok(scene.past.value > EPOCH);
  assert.equal(scene.retainsFrom, 0, "entries that only c has may still arrive");
  await scene.settle(snapshotHoldMs);
  assert.equal(scene.retainsFrom, Number.POSITIVE_INFINITY);
  assert.ok(
    scene.past.value < EPOCH + scene.now,
    "states are still compared with the members that are up to date",
  );
});

test("members that are up to date but never agree delay each other's signing only for a while", async () => {
  const scene = new Scene();
  scene.isCatchingUp = false;
  await scene.settle(snapshotHoldMs - 10_000);
  assert.deepEqual([scene.past.value, scene.retainsFrom], [0, 0]);
  await scene.settle(20_000);
  assert.deepEqual(
    [scene.past.value, scene.retainsFrom],
    [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
  );
});

test("a member with different entries delays signing again as soon as it is up to date", async () => {
  const scene = new Scene();
  await scene.settle(catchUpStuckMs + 10_000);
  scene.isCatchingUp = false;
  await scene.settle(10_000);
  assert.deepEqual([scene.past.value, scene.retainsFrom], [0, 0]);
  scene.isSame = true;
  await scene.settle(10_000);
  assert.ok(scene.past.value > EPOCH && scene.retainsFrom === scene.past.value);
});
