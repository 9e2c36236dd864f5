/**
 * Tests a daemon with an empty folder in a cluster whose root key was rotated: it does not know the key that signs the
 * lists. Several daemons run in one process, on a simulated clock and network, in random order and with cuts. In every
 * second run one of the peers lies.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { MemberLists, refusalOfMember } from "../../../../daemon/cluster/members/member-lists.js";
import { loadSigners } from "../../../../daemon/engine/trust/load-signers.js";
import type { Signers } from "../../../../daemon/engine/trust/signers.js";
import type { PeerAddress } from "../../../../daemon/options/peer-address.js";
import type { Mark, Storage } from "../../../../daemon/timeline/entries/storage.js";
import { type KnownList, nextList, writeMemberList } from "../../../../protocol/members/member-list.js";
import { amount } from "../../../support/amount.js";
import { double } from "../../../support/double.js";
import { type KeyPair, makeKeyPair, signCommands } from "../../../support/envelope-client.js";
import { seed } from "../../../support/seed.js";
import { SeededRandom } from "../../../support/seeded-random.js";
import { nextTurn } from "../../../support/until.js";
import { log } from "../../program/scene.js";
import { known } from "../../timeline/members/lists.js";
import { EPOCH, keyOf } from "../peers/entries.js";
import { type Node, World } from "../peers/support.js";

const RUNS = amount(4, 30);
const NAMES = ["a", "b", "c"];
/** Milliseconds until all cuts are over. */
const TROUBLE_MS = 12_000;

const app = makeKeyPair();
const root = makeKeyPair();
const later = makeKeyPair();
const forger = makeKeyPair();
const load = (rootKey: readonly string[]) =>
  loadSigners({ signKey: [app.file], rootKey: [...rootKey], clusterName: "dbsync" }, log);
/** The key ring with which a daemon is started. */
const started = load([root.file]);
/** The key ring after the rotation. */
const rotated = load([root.file, later.file]);
const { cluster } = started;

/** A disk that stores everything immediately. */
class Disk {
  readonly isDurable = true;
  readonly #kept = new Map<string, Buffer>();

  mark(name: string): Buffer | null {
    return this.#kept.get(name) ?? null;
  }

  put(_: readonly unknown[], marks: readonly Mark[] = []): void {
    for (const [name, value] of marks) this.#kept.set(name, value);
  }

  synced(): Promise<void> {
    return Promise.resolve();
  }
}

interface Listed {
  readonly node: Node;
  readonly lists: MemberLists;
}

function start(world: World, name: string, isEmpty: boolean): Listed {
  const own = keyOf(name).id;
  const hasServed = () => !isEmpty || node.peering.state !== "catching-up";
  const signers = isEmpty
    ? started
    : double<Signers>({
        cluster,
        genesis: rotated.genesis,
        ring: rotated.ring,
        verify: rotated.verify.bind(rotated),
      });

  const lists = new MemberLists(new Disk() as unknown as Storage, signers, own, hasServed);
  const peers = NAMES.filter((other) => other !== name);
  const pins = peers.map((peer) => double<PeerAddress>({ pin: keyOf(peer).id }));
  const refusal = (id: string) =>
    refusalOfMember(id, true, { ring: started.ring, peers: pins, membership: lists.membership });

  const node: Node = world.add(name, { peers, parts: { lists, refusal } });
  lists.changed = () => node.peering.listsChanged();
  return { node, lists };
}

const ids = (names: string) => [...names].map((name) => keyOf(name).id);

function after(parents: readonly KnownList[], add: string, leave = ""): KnownList {
  const list = nextList(parents, { add: ids(add), leave: ids(leave) }, cluster);
  return typeof list === "string" ? assert.fail(list) : known(list);
}

function giveList({ lists }: Listed, { list }: KnownList, by: KeyPair): void {
  const header = { cluster, at: EPOCH };
  const { body, signature } = signCommands(by, [["CLUSTER", "MEMBERS", writeMemberList(list)]], header);
  const outcome = lists.take(body, signature);
  assert.ok(outcome === "old" || (typeof outcome === "object" && !("refused" in outcome)));
}

const first = after([], "abg");
const signedAgain = after([first], "");
const replaced = after([signedAgain], "c", "g");

/** Advances the time, and runs everything that waits for a disk. */
async function run(world: World, milliseconds: number): Promise<void> {
  for (let passed = 0; passed < milliseconds; passed += 100) {
    world.run(100);
    await nextTurn();
  }
}

test("an empty daemon adopts the list of an administrator that it does not know, and everything becomes final", async () => {
  for (let number = 0; number < RUNS; number++) {
    const random = new SeededRandom(seed() + number, 11);
    const world = new World();
    const [a, b] = [start(world, "a", false), start(world, "b", false)] as const;
    for (const listed of [a, b]) giveList(listed, first, root);
    const events: [number, () => void][] = [
      [random.between(0, 4_000), () => giveList(random.oneOf([a, b]), signedAgain, later)],
    ];
    let c: Listed | null = null;
    events.push([random.between(0, 8_000), () => (c = start(world, "c", true))]);
    events.push([random.between(4_000, 10_000), () => giveList(random.oneOf([a, b]), replaced, later)]);
    for (const pair of ["a c", "c a", "b c", "c b", "a b", "b a"]) {
      const from = random.between(0, TROUBLE_MS);
      if (random.chance(0.5)) events.push([from, () => world.cut.add(pair)]);
    }
    events.sort(([one], [other]) => one - other);
    for (const [at, act] of events) {
      await run(world, at - world.now);
      act();
    }
    world.cut.clear();
    await run(world, TROUBLE_MS);
    for (let waits = 0; waits < 100; waits++) {
      const isDone = [a, b, c as Listed | null].every(
        (one) => one?.lists.isReporting && one.node.peering.stablePoint > EPOCH,
      );
      if (isDone) break;
      await run(world, 1_000);
    }
    for (const one of [a, b, c as Listed | null]) {
      assert.equal(one?.lists.durable.hash, replaced.hash, `run ${number} ${one?.node.name}: the list`);
      assert.ok(
        one?.lists.isReporting && one.node.peering.stablePoint > EPOCH,
        `run ${number} ${one?.node.name}: final`,
      );
    }
  }
});

test("a single lying peer of two cannot make a daemon use its list", async () => {
  for (let number = 0; number < RUNS / 2; number++) {
    const random = new SeededRandom(seed() + number, 12);
    const world = new World();
    const a = start(world, "a", false);
    giveList(a, first, root);
    const forged = after([first], "c", "ag");
    const liar = start(world, "b", false);
    const header = { cluster, at: EPOCH };
    const commands = [["CLUSTER", "MEMBERS", writeMemberList(forged.list)]];
    const { body, signature } = signCommands(forger, commands, header);
    liar.lists.takeVouched(body, signature, 2);
    await run(world, random.between(0, 3_000));
    const c = start(world, "c", true);
    if (random.chance(0.5)) world.cut.add("a c").add("c a");
    await run(world, 20_000);
    assert.ok(liar.lists.durable.hash === forged.hash);
    for (const { lists, node } of [a, c])
      assert.ok(
        lists.heads.every(({ hash }) => hash !== forged.hash),
        `run ${number} ${node.name}`,
      );
  }
});

test("an earlier list that a liar replays to an empty daemon does not lower the majority", async () => {
  for (let number = 0; number < RUNS / 2; number++) {
    const random = new SeededRandom(seed() + number, 13);
    const world = new World();
    // The known administrator signed this list when there were two daemons, one of them the liar.
    const early = after([], "bg");
    const now = after([early], "a");
    const a = start(world, "a", false);
    const liar = start(world, "b", false);
    for (const listed of [a, liar]) giveList(listed, early, root);
    giveList(a, now, root);
    const forged = after([early], "c", "g");
    const header = { cluster, at: EPOCH };
    const commands = [["CLUSTER", "MEMBERS", writeMemberList(forged.list)]];
    const { body, signature } = signCommands(forger, commands, header);
    liar.lists.takeVouched(body, signature, 2);
    await run(world, random.between(0, 3_000));
    const c = start(world, "c", true);
    if (random.chance(0.5)) giveList(c, early, root);
    await run(world, 20_000);
    assert.ok(liar.lists.heads.some(({ hash }) => hash === forged.hash));
    for (const { lists, node } of [a, c])
      assert.ok(
        lists.heads.every(({ hash }) => hash !== forged.hash),
        `run ${number} ${node.name}`,
      );
  }
});
