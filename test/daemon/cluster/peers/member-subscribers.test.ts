/**
 * Tests the reports of subscribers between members, on simulated time: every member counts all subscribers, the reports
 * are bounded, and a member that lies can only cause wrong counts.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Channels, type Subscriber } from "../../../../daemon/engine/channels/channels.js";
import {
  CHANNEL_KINDS,
  type ChannelKind,
  REPORTED_NAME_BYTES_MAX,
} from "../../../../protocol/members/subscriber-counts.js";
import { seed } from "../../../support/seed.js";
import { SeededRandom } from "../../../support/seeded-random.js";
import { type Node, type NodeOptions, World } from "./support.js";

const NAMES = ["a", "b", "c"];
/** Milliseconds in which a few changes reach all members. */
const SOON_MS = 200;

const subscriber = (): Subscriber => ({ receive() {}, review() {} });

/** Members, each with the channels of its clients. */
class Scene {
  readonly world = new World();
  readonly channels = new Map<string, Channels>();

  add(name: string, options: NodeOptions = {}): Channels {
    const channels = new Channels();
    this.channels.set(name, channels);
    const messages = { deliver: () => "known" as const, missed() {}, subscribers: channels };
    const peers = NAMES.filter((other) => other !== name);
    const node = this.world.add(name, { peers, ...options, parts: { messages } });
    channels.memberSubscribers = node.peering.subscribers;
    return channels;
  }

  addAll(options: NodeOptions = {}): readonly [Channels, Channels, Channels] {
    const all = NAMES.map((name) => this.add(name, options)) as [Channels, Channels, Channels];
    const nodes = [...this.world.nodes.values()];
    this.world.runUntil(() => nodes.every(({ peering }) => peering.state === "live"));
    this.world.run(SOON_MS);
    this.world.seen.length = 0;
    return all;
  }

  node(name: string): Node {
    return this.world.nodes.get(name) as Node;
  }

  isConnected(from: string, to: string): boolean {
    const { id } = this.node(to).key;
    return this.node(from).peering.members.some(
      (member) => member.id === id && member.connection === "connected",
    );
  }

  /** The bytes that a member has sent as reports. */
  bytesOf(from: string): number {
    return this.world.seen
      .filter((seen) => seen.kind === "subscribers" && seen.from === from)
      .reduce((sum, { bytes }) => sum + bytes, 0);
  }
}

test("every member counts the subscribers of all connected members", () => {
  const scene = new Scene();
  const [a, b, c] = scene.addAll();

  const one = subscriber();
  a.add("channel", "news", one);
  a.add("channel", "news", subscriber());
  b.add("channel", "news", subscriber());
  b.add("shard", "news", subscriber());
  c.add("pattern", "n*", subscriber());
  a.add("pattern", "n*", subscriber());
  c.add("pattern", "x*", subscriber());
  scene.world.run(SOON_MS);

  for (const channels of [a, b, c]) {
    assert.equal(channels.countAllSubscribers("channel", "news"), 3);
    assert.equal(channels.countAllSubscribers("shard", "news"), 1);
    assert.equal(channels.countAllSubscribers("channel", "none"), 0);
    assert.deepEqual([...channels.allNames("channel")], ["news"]);
    assert.deepEqual([...channels.allNames("shard")], ["news"]);
    assert.equal(channels.countAllNames("pattern"), 2, "a pattern counts once, as in Redis");
    const publish = (kind: "channel" | "shard") => channels.publish({ kind, channel: "news", text: "" });
    assert.deepEqual([publish("channel"), publish("shard")], [5, 1]);
  }

  a.remove("channel", "news", one);
  scene.world.run(SOON_MS);
  for (const channels of [a, b, c]) assert.equal(channels.countAllSubscribers("channel", "news"), 2);
});

test("a member that disconnects counts as zero immediately, and reports everything when it returns", () => {
  const scene = new Scene();
  const [a, b] = scene.addAll();
  a.add("channel", "news", subscriber());
  scene.world.run(SOON_MS);
  assert.equal(b.countAllSubscribers("channel", "news"), 1);
  scene.world.kill("a");
  assert.equal(b.countAllSubscribers("channel", "news"), 0);
  assert.deepEqual(
    [b.countAllNames("channel"), b.publish({ kind: "channel", channel: "news", text: "" })],
    [0, 0],
  );

  const again = scene.add("a");
  again.add("channel", "more", subscriber());
  again.add("channel", "news", subscriber());
  b.add("channel", "news", subscriber());
  scene.world.runUntil(() => b.countAllSubscribers("channel", "more") === 1);
  scene.world.runUntil(() => again.countAllSubscribers("channel", "news") === 2);
  assert.equal(b.countAllSubscribers("channel", "news"), 2);
});

test("a link that breaks does not change what the remaining member counts", () => {
  const scene = new Scene();
  const [a, b, c] = scene.addAll();
  for (const channels of [a, b, c]) channels.add("channel", "news", subscriber());
  scene.world.run(SOON_MS);
  for (const pair of ["a b", "b a"]) scene.world.cut.add(pair);
  scene.world.breakAll((one, other) => one !== "c" && other !== "c");
  scene.world.run(SOON_MS);
  const count = (channels: Channels) => channels.countAllSubscribers("channel", "news");
  assert.deepEqual([count(a), count(b), count(c)], [2, 2, 3], "members do not forward reports");
  scene.world.cut.clear();
  scene.world.runUntil(() => count(a) === 3 && count(b) === 3);
});

test("without changes nothing is sent, and nothing is recorded without members", () => {
  const scene = new Scene();
  const [a] = scene.addAll();
  scene.world.run(5000);
  assert.equal(scene.world.countOf("subscribers"), 0);
  const one = subscriber();
  a.add("channel", "news", one);
  a.remove("channel", "news", one);
  scene.world.run(SOON_MS);
  assert.equal(scene.world.countOf("subscribers"), 0, "the count is what the members know");
  a.add("channel", "news", one);
  scene.world.run(5000);
  assert.equal(scene.world.countOf("subscribers"), 2, "one message to each member");
});

test("clients that subscribe and unsubscribe very often do not flood the members", () => {
  const scene = new Scene();
  const [a, b] = scene.addAll();
  const one = subscriber();

  for (let round = 0; round < 40; round++) {
    for (let number = 0; number < 2500; number++) {
      a.add("channel", `room ${round} ${number}`, one);
      a.remove("channel", `room ${round} ${number}`, one);
      a.add("channel", "toggled", one);
      if (round % 2 === 0 || number % 2 === 0) a.remove("channel", "toggled", one);
    }
    scene.world.run(25);
  }

  scene.world.run(SOON_MS);
  const messages = scene.world.countOf("subscribers", "a", "b");
  assert.ok(messages <= 12, `${messages} messages in 1.2 s`);
  assert.ok(scene.bytesOf("a") < 2000, `${scene.bytesOf("a")} bytes`);
  assert.equal(b.countAllNames("channel"), a.countAllNames("channel"));

  a.add("channel", "later", one);
  scene.world.run(SOON_MS);
  assert.equal(b.countAllSubscribers("channel", "later"), 1, "no names wait that were used for a moment");
});

test("changes of channels do not delay those of patterns and shard channels", () => {
  const scene = new Scene();
  const [a, b] = scene.addAll({ limits: { batchBytes: 1000 } });
  const one = subscriber();
  for (let number = 0; number < 5000; number++) a.add("channel", `room ${number}`, one);
  a.add("pattern", "n*", one);
  a.add("shard", "news", one);
  scene.world.run(500);
  assert.deepEqual([b.countAllNames("pattern"), b.countAllNames("shard")], [1, 1]);
  assert.ok(b.countAllNames("channel") < 1000);
});

test("a member sends at most a batch of changes at a time, however many there are", () => {
  const scene = new Scene();
  const [a, b] = scene.addAll({ limits: { batchBytes: 1000 } });
  const one = subscriber();
  const names = Array.from({ length: 500 }, (_, number) => `room ${number}`);

  for (let round = 0; round < 8; round++) {
    for (const name of names)
      if (round % 2 === 0) a.add("channel", name, one);
      else a.remove("channel", name, one);
    scene.world.run(250);
  }

  const messages = scene.world.countOf("subscribers", "a", "b");
  assert.ok(messages <= 21, `${messages} messages in 2 s`);
  const max = 2 * messages * (1000 + 100);
  assert.ok(scene.bytesOf("a") <= max, `${scene.bytesOf("a")} bytes`);

  for (const name of names) a.add("channel", name, one);
  scene.world.run(3000);
  assert.equal(b.countAllNames("channel"), names.length);
});

test("a member that connects later receives all names in parts", () => {
  const scene = new Scene();
  const limits = { batchBytes: 1000 };
  const [a] = [scene.add("a", { limits }), scene.add("b", { limits })];
  const one = subscriber();

  for (let number = 0; number < 500; number++) a.add("channel", `room ${number}`, one);
  a.add("shard", "x".repeat(REPORTED_NAME_BYTES_MAX + 1), one);
  const b = scene.channels.get("b") as Channels;
  scene.world.runUntil(() => b.countAllNames("channel") === 500);

  const c = scene.add("c", { limits });
  scene.world.runUntil(() => c.countAllNames("channel") > 0);

  // What changes while it receives the parts is not lost.
  a.remove("channel", "room 0", one);
  a.remove("channel", "room 499", one);
  a.add("channel", "room 1", subscriber());
  a.add("channel", "more", one);
  scene.world.run(1000);

  assert.deepEqual([...c.allNames("channel")].sort(), [...a.names("channel")].sort());
  assert.equal(c.countAllSubscribers("channel", "room 1"), 2);
  assert.equal(c.countAllNames("shard"), 0, "the name is too long");
  const sizes = scene.world.seen.filter(({ kind }) => kind === "subscribers").map(({ bytes }) => bytes);
  assert.ok(Math.max(...sizes) < 1100, `${Math.max(...sizes)} bytes`);
});

test("names above the limits are not reported until there is room for them", () => {
  const scene = new Scene();
  const max = 1000;
  const [a, b] = scene.addAll({ limits: { maxReportedNames: max } });
  const one = subscriber();

  const long = "x".repeat(REPORTED_NAME_BYTES_MAX + 1);
  a.add("channel", long, one);
  a.add("channel", long.slice(1), one);
  a.add("pattern", "first", one);
  scene.world.run(SOON_MS);
  assert.deepEqual([...b.allNames("channel")], [long.slice(1)]);

  const name = (number: number) => `room ${number}`;
  for (let number = 0; number < max + 500; number++) a.add("channel", name(number), one);
  scene.world.run(1000);
  assert.equal(b.countAllNames("channel"), max - 1);
  assert.equal(b.countAllNames("pattern"), 1);
  assert.ok(scene.isConnected("b", "a"), "the limits are the same on both sides");
  const isLogged = ({ text }: { readonly text: string }) => text.includes("more channels than it reports");
  assert.equal(scene.node("a").lines.filter(isLogged).length, 1);

  for (let number = 0; number < 1000; number++) a.remove("channel", name(number), one);
  scene.world.run(1000);
  assert.equal(b.countAllNames("channel"), 501);
  assert.equal(b.countAllSubscribers("channel", name(max + 499)), 1);
});

test("names with too many bytes in total are not reported", () => {
  const scene = new Scene();
  const [a, b] = scene.addAll({ limits: { maxReportedBytes: 10_000 } });
  const one = subscriber();
  for (let number = 0; number < 110; number++) a.add("shard", String(number).padEnd(100), one);
  scene.world.run(1000);
  assert.equal(b.countAllNames("shard"), 100);
  assert.ok(scene.isConnected("b", "a"));
});

test("a member that did not read receives all counts again", () => {
  const scene = new Scene();
  const [a, b] = scene.addAll({ limits: { channelMessageUnsentBytes: 3000 } });
  const one = subscriber();
  a.add("channel", "old", one);
  scene.world.run(SOON_MS);

  scene.world.latencyMs = 1000;
  for (let number = 0; number < 100; number++) a.add("channel", `${number}`.padEnd(100), one);
  scene.world.run(SOON_MS);

  const sent = scene.world.countOf("subscribers", "a", "b");
  a.remove("channel", "old", one);
  a.add("channel", "new", one);
  scene.world.run(SOON_MS);
  assert.equal(scene.world.countOf("subscribers", "a", "b"), sent, "nothing more is sent");

  scene.world.latencyMs = 0;
  scene.world.run(2000);
  assert.equal(b.countAllNames("channel"), 101);
  assert.deepEqual(
    [b.countAllSubscribers("channel", "old"), b.countAllSubscribers("channel", "new")],
    [0, 1],
  );
  assert.ok(scene.isConnected("b", "a"));
});

test("a member that did not read while all subscribers left receives that none are left", () => {
  const scene = new Scene();
  const [a, b] = scene.addAll({ limits: { channelMessageUnsentBytes: 3000 } });
  const one = subscriber();
  a.add("channel", "only", one);
  scene.world.run(SOON_MS);
  assert.equal(b.countAllSubscribers("channel", "only"), 1);

  scene.world.latencyMs = 1000;
  const names = Array.from({ length: 100 }, (_, number) => `${number}`.padEnd(100));
  for (const name of names) a.add("channel", name, one);
  scene.world.run(SOON_MS);
  for (const name of ["only", ...names]) a.remove("channel", name, one);
  scene.world.run(SOON_MS);

  scene.world.latencyMs = 0;
  scene.world.run(2000);
  assert.equal(b.countAllNames("channel"), 0);
  assert.ok(scene.isConnected("b", "a"));
});

test("random changes, disconnections and returns end with the same counts on all members", () => {
  const random = new SeededRandom(seed());
  const scene = new Scene();
  scene.addAll({ limits: { channelMessageUnsentBytes: 2000 } });
  const held: { from: string; kind: ChannelKind; name: string; by: Subscriber }[] = [];

  for (let step = 0; step < 400; step++) {
    const from = random.oneOf(NAMES);
    const channels = scene.channels.get(from) as Channels;
    const action = random.below(20);
    if (action < 10) {
      const one = {
        from,
        kind: random.oneOf(CHANNEL_KINDS),
        name: `name ${random.below(30)}`,
        by: subscriber(),
      };
      channels.add(one.kind, one.name, one.by);
      held.push(one);
    } else if (action < 17) {
      const [one] = held.splice(random.below(held.length + 1), 1);
      if (one !== undefined) scene.channels.get(one.from)?.remove(one.kind, one.name, one.by);
    } else if (action === 17) scene.world.breakAll(() => random.below(2) === 0);
    else scene.world.latencyMs = 25 * random.below(10);
    scene.world.run(25 * random.below(6));
  }

  scene.world.latencyMs = 0;
  const isEqual = () =>
    CHANNEL_KINDS.every((kind) =>
      Array.from({ length: 30 }, (_, number) => `name ${number}`).every((name) => {
        const expected = held.filter((one) => one.kind === kind && one.name === name).length;
        return [...scene.channels.values()].every((one) => one.countAllSubscribers(kind, name) === expected);
      }),
    );
  scene.world.runUntil(isEqual, 30_000);
});
