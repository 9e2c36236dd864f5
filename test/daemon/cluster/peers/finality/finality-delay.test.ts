/** Tests what the next final date is reported to wait for, and when that is overdue. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type DelaySources,
  FinalityDelay,
} from "../../../../../daemon/cluster/peers/finality/finality-delay.js";
import type {
  ClusterState,
  ConnectedMember,
} from "../../../../../daemon/cluster/peers/shared/cluster-state.js";
import { FINALITY_CAUSES, type FinalityCauseName } from "../../../../../protocol/figures/finality-causes.js";
import type { StatusMessage } from "../../../../../protocol/members/member-messages.js";
import { double } from "../../../../support/double.js";
import { EPOCH, keyOf } from "../entries.js";
import { World } from "../support.js";

const B = keyOf("b").id;
const C = keyOf("c").id;

/** A member, as this daemon knows it. */
interface Known {
  status: { watermark: number; data: number } | null;
  isCatchingUp: boolean;
  snapshotPart: number | null;
  list: string | null;
}

/** A daemon with two other members, which have the same 10 entries, and whose dates are final up to a second. */
class Scene {
  now = 0;
  state = "live";
  own: string | null = "list";
  published = EPOCH + 1_500;
  openDate = Number.POSITIVE_INFINITY;
  stable = EPOCH + 1_000;
  entries = 10;
  progressAt = 0;
  received = 0;
  readonly equal = new Set([B, C]);
  readonly known = new Map<string, Known>([B, C].map((id) => [id, this.wellMember()]));
  readonly delay: FinalityDelay;

  constructor() {
    const scene = this;
    const total = (set: string) => ({ count: set === "data" ? scene.entries : 0, sum: "" });

    const cluster = double<ClusterState>({
      get state() {
        return scene.state as "live";
      },
      get progressAt() {
        return scene.progressAt;
      },
      lists: { others: new Set([B, C]) },
      get members() {
        return scene.#members;
      },
      timeline: {
        get published() {
          return scene.published;
        },
        decided: {
          get openDate() {
            return scene.openDate;
          },
        },
        index: { total },
        waiting: { size: 0 },
      },
      uptime: () => scene.now,
    });

    this.delay = new FinalityDelay(cluster, {
      stable: {
        get value() {
          return scene.stable;
        },
      },
      ownList: () => scene.own,
      listOf: (id) => scene.known.get(id)?.list ?? null,
      snapshots: {
        get progress() {
          return double<NonNullable<DelaySources["snapshots"]["progress"]>>({ received: scene.received });
        },
      },
      isEqual: (id) => scene.equal.has(id),
    });
  }

  wellMember(): Known {
    return {
      status: { watermark: EPOCH + 1_400, data: 10 },
      isCatchingUp: false,
      snapshotPart: null,
      list: "list",
    };
  }

  member(id: string): Known {
    return this.known.get(id) as Known;
  }

  get #members(): Map<string, ConnectedMember> {
    const all = [...this.known].map(([id, { status, ...rest }]): [string, ConnectedMember] => {
      const totals = { ring: { count: 0, sum: "" }, data: { count: status?.data ?? 0, sum: "" } };
      const sent = status && double<StatusMessage>({ watermark: status.watermark, ...totals });
      return [id, double<ConnectedMember>({ id, status: sent, ...rest })];
    });
    return new Map(all);
  }

  /** Runs for a time. @param act  called each second */
  run(milliseconds: number, act: () => void = () => {}): void {
    for (const end = this.now + milliseconds; this.now < end; ) {
      this.now += 1_000;
      act();
      this.delay.tick(this.now);
    }
  }

  expect(cause: FinalityCauseName, members: readonly string[], isOverdue: boolean): void {
    const { current } = this.delay;
    assert.deepEqual(
      [current?.cause, current?.members, current?.isOverdue],
      [cause, members, isOverdue],
      `${current?.milliseconds} ms`,
    );
  }
}

const causes: readonly (readonly [FinalityCauseName, readonly string[], (scene: Scene) => void])[] = [
  ["own-state", [], (scene) => (scene.state = "catching-up")],
  ["own-list", [], (scene) => (scene.own = null)],
  ["away", [B], (scene) => scene.known.delete(B)],
  ["list", [C], (scene) => (scene.member(C).list = null)],
  ["catching-up", [B], (scene) => (scene.member(B).isCatchingUp = true)],
  ["catching-up", [C], (scene) => (scene.member(C).status = null)],
  ["date", [B, C], () => {}],
  ["date", [C], (scene) => (scene.member(B).status = { watermark: EPOCH + 1_700, data: 10 })],
  ["own-date", [], (scene) => (scene.published = EPOCH + 1_300)],
  ["open-vote", [], (scene) => (scene.openDate = EPOCH + 1_200)],
];
for (const [cause, members, happen] of causes)
  test(`what finality waits for is reported, and is overdue without progress: ${cause} ${members.length}`, () => {
    const scene = new Scene();
    happen(scene);
    scene.run(1_000);
    scene.expect(cause, members, cause === "away");
    scene.run(FINALITY_CAUSES[cause].normalMs);
    scene.expect(cause, members, cause === "away");
    scene.run(1_000);
    scene.expect(cause, members, true);
  });

test("entries that a new member receives are progress, although its status was not known at first", () => {
  const scene = new Scene();
  scene.entries = 1_000;
  const joining = scene.member(C);
  joining.list = null;
  joining.status = null;
  scene.run(1_000);
  const status = { watermark: 0, data: 0 };
  joining.status = status;
  scene.run(200_000, () => status.data++);
  scene.expect("list", [C], false);
  scene.run(61_000);
  scene.expect("list", [C], true);
});

test("while all dates are later, finality waits for the members whose entries differ, or for their reports", () => {
  const scene = new Scene();
  scene.stable = EPOCH;
  scene.run(1_000);
  scene.expect("entries", [B, C], false);
  scene.equal.delete(C);
  scene.run(1_000);
  scene.expect("entries", [C], false);
});

test("a member that is not connected comes first, and a daemon that is alone waits for nothing", () => {
  const scene = new Scene();
  scene.known.delete(B);
  scene.member(C).isCatchingUp = true;
  scene.run(1_000);
  scene.expect("away", [B], true);
  const world = new World();
  const alone = world.add("a");
  world.run(2_000);
  assert.equal(alone.peering.finalityDelay, null);
});

test("a member that catches up makes progress while it misses fewer entries than ever before", () => {
  const scene = new Scene();
  const b = scene.member(B);
  b.isCatchingUp = true;
  scene.entries = 1_000;
  let received = 0;

  // New writes arrive at both all the time.
  scene.run(1_000_000, () => {
    scene.entries += 7;
    received += 7;
    if (scene.now % 200_000 === 0) received += 100;
    b.status = { watermark: 0, data: received };
  });
  scene.expect("catching-up", [B], false);

  scene.run(301_000, () => {
    scene.entries += 7;
    received += scene.now % 2_000 === 0 ? 14 : 0;
    b.status = { watermark: 0, data: received };
  });
  scene.expect("catching-up", [B], true);
});

test("a member that receives a snapshot makes progress, and so does this daemon by what it receives", () => {
  for (const isOwn of [false, true]) {
    const scene = new Scene();
    const b = scene.member(B);
    if (isOwn) scene.state = "catching-up";
    else b.isCatchingUp = true;
    scene.run(1_000_000, () => {
      if (scene.now % 100_000 !== 0) return;
      if (isOwn) scene.received++;
      else b.snapshotPart = scene.now;
    });
    assert.equal(scene.delay.current?.isOverdue, false);
  }
});

test("a member that makes progress, or differs only now and then, is not named with one that makes none", () => {
  const scene = new Scene();
  scene.stable = EPOCH;
  scene.equal.delete(C);
  scene.run(71_000, () => {
    if (scene.equal.has(B)) scene.equal.delete(B);
    else scene.equal.add(B);
  });
  scene.expect("entries", [C], true);
});

test("a later date of a member is progress only while finality waits for its date", () => {
  for (const [stable, isOverdue] of [
    [EPOCH + 1_000_000, false],
    [EPOCH, true],
  ] as const) {
    const scene = new Scene();
    scene.stable = stable;
    scene.published = EPOCH + 900_000;
    scene.run(62_000, () => {
      for (const id of [B, C]) scene.member(id).status = { watermark: EPOCH + 1_400 + scene.now, data: 10 };
    });
    assert.equal(scene.delay.current?.isOverdue, isOverdue, scene.delay.current?.cause);
  }
});

test("both daemons of a pair report what they wait for while one is down, returns, and has returned", () => {
  const world = new World();
  const [a] = world.addAll(["a", "b"]);
  assert.ok(a !== undefined);
  world.run(20_000);
  assert.equal(a.peering.finalityDelay?.isOverdue, false);

  world.kill("b");
  world.run(130_000);
  const away = a.peering.finalityDelay;
  assert.deepEqual([away?.cause, away?.members, away?.isOverdue], ["away", [B], true]);

  const b = world.add("b", { peers: ["a"] });
  world.runUntil(() => b.peering.state === "live");
  world.run(1_000);
  assert.equal(a.peering.finalityDelay?.isOverdue, false);
  assert.equal(b.peering.finalityDelay?.isOverdue, false);
  world.runUntil(() => a.peering.stablePoint > EPOCH + 140_000);
  assert.equal(a.peering.finalityDelay?.isOverdue, false);
});
