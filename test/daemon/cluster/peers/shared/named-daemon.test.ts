/** Tests the choice of the daemon that sentinels name, with several daemons and simulated links. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  NamedDaemon,
  type OwnService,
  SERVICE_EVERY_MS,
} from "../../../../../daemon/cluster/peers/shared/named-daemon.js";
import type { ServiceMessage } from "../../../../../protocol/members/member-messages.js";
import { Scheduler } from "../../../../simulation/scheduler.js";
import { amount } from "../../../../support/amount.js";
import { SeededRandom, seedOfRun } from "../../../../support/seeded-random.js";

const TICK_MS = 25;
const DOWN_AFTER_MS = 2000;
/** The time after which all daemons agree: the longest silence, and a statement over each link of a chain. */
const SETTLED_MS = DOWN_AFTER_MS + 6 * SERVICE_EVERY_MS;

/** A simulated daemon. */
class Node {
  /** One digit. */
  readonly name: string;
  readonly id: string;
  choice: NamedDaemon;
  service: OwnService;
  isRunning = true;
  readonly sent = new Map<Node, { at: number; version: number }>();

  constructor(name: string, world: World) {
    this.name = name;
    this.id = name.repeat(32);
    this.service = {
      acceptsWrites: true,
      resp: { host: `10.0.0.${name}`, port: 6379 },
      sentinel: { host: `10.0.0.${name}`, port: 26379 },
    };
    this.choice = world.newChoice(this);
  }

  /** The name of the daemon that it names, or null. */
  get named(): string | null {
    return this.choice.current?.id[0] ?? null;
  }
}

/** Daemons in one simulated time. Links are up unless they are cut. */
class World {
  readonly scheduler = new Scheduler();
  readonly nodes: readonly Node[];
  readonly cut = new Set<string>();
  /** The time that a statement needs on a link, in milliseconds. */
  delay = 0;

  constructor(names: string) {
    this.nodes = [...names].map((name) => new Node(name, this));
  }

  get now(): number {
    return this.scheduler.time;
  }

  newChoice(node: Node): NamedDaemon {
    return new NamedDaemon({
      id: node.id,
      hasPeers: () => true,
      own: () => node.service,
      downAfterMs: () => DOWN_AFTER_MS,
      uptime: () => this.now,
      startedAt: this.now,
    });
  }

  node(name: string): Node {
    return this.nodes.find((one) => one.name === name) as Node;
  }

  link(a: string, b: string): string {
    return [a, b].sort().join("");
  }

  isUp(a: Node, b: Node): boolean {
    return a.isRunning && b.isRunning && !this.cut.has(this.link(a.name, b.name));
  }

  /** Cuts a link, which both sides notice only with `isSeen`. */
  cutLink(a: string, b: string, isSeen = false): void {
    this.cut.add(this.link(a, b));
    if (!isSeen) return;
    this.node(a).choice.disconnected(this.node(b).id);
    this.node(b).choice.disconnected(this.node(a).id);
  }

  /** Ends a process with its connections. */
  kill(name: string): void {
    const { id } = this.node(name);
    this.node(name).isRunning = false;
    for (const one of this.nodes) if (one.name !== name) one.choice.disconnected(id);
  }

  start(name: string): void {
    const node = this.node(name);
    node.choice = this.newChoice(node);
    node.isRunning = true;
    node.sent.clear();
    for (const one of this.nodes) one.sent.delete(node);
  }

  run(milliseconds: number): void {
    for (const end = this.now + milliseconds; this.now < end; this.scheduler.run(this.now + TICK_MS))
      for (const node of this.nodes) {
        if (!node.isRunning) continue;
        node.choice.update();
        for (const other of this.nodes) if (other !== node) this.#send(node, other);
      }
  }

  /** Returns what each daemon names; "-": none, ".": it does not run. */
  get names(): string {
    return this.nodes.map((node) => (node.isRunning ? (node.named ?? "-") : ".")).join("");
  }

  get epochs(): readonly number[] {
    return this.nodes.map(({ choice }) => choice.epoch);
  }

  #send(from: Node, to: Node): void {
    if (!this.isUp(from, to)) return;
    const last = from.sent.get(to);
    const { version } = from.choice;
    if (last !== undefined && this.now - last.at < SERVICE_EVERY_MS && last.version === version) return;
    from.sent.set(to, { at: this.now, version });
    const statement = from.choice.statement();
    if (statement === null) return;
    const arrive = () => {
      if (this.isUp(from, to)) to.choice.receive(from.id, statement, `10.0.0.${from.name}:40000`);
    };
    if (this.delay === 0) arrive();
    else this.scheduler.after(this.delay, null, arrive);
  }
}

function settled(names: string): World {
  const world = new World(names);
  world.run(SETTLED_MS);
  assert.equal(world.names, "1".repeat(names.length));
  return world;
}

test("all daemons name the same one, and keep it when an earlier one returns", () => {
  const world = settled("123");
  world.kill("1");
  world.run(SETTLED_MS);
  assert.equal(world.names, ".22");
  world.start("1");
  world.run(SETTLED_MS);
  assert.equal(world.names, "222");
  const before = world.epochs;
  world.run(60_000);
  assert.deepEqual(world.epochs, before, "no further choice");
});

test("a daemon that states that it accepts no writes is replaced immediately, and not named again", () => {
  const world = settled("12");
  const { service } = world.node("1");
  world.node("1").service = { ...service, acceptsWrites: false };
  world.run(4 * TICK_MS);
  assert.equal(world.names, "22");
  world.node("1").service = service;
  world.run(SETTLED_MS);
  assert.equal(world.names, "22");
});

test("no daemon is named while none accepts writes", () => {
  const world = settled("12");
  const [one, two] = world.nodes as [Node, Node];
  for (const node of world.nodes) node.service = { ...node.service, acceptsWrites: false };
  world.run(4 * TICK_MS);
  assert.equal(world.names, "--");
  two.service = { ...two.service, acceptsWrites: true };
  world.run(4 * TICK_MS);
  assert.equal(world.names, "22");
  one.service = { ...one.service, acceptsWrites: true };
  world.run(SETTLED_MS);
  assert.equal(world.names, "22");
});

test("a closed port ends the wait, but not while another member vouches for the daemon", () => {
  const world = settled("123");
  const { id } = world.node("1");
  world.kill("1");
  world.node("2").choice.refused(id);
  world.run(4 * TICK_MS);
  assert.equal(world.names, ".11");
  world.node("3").choice.refused(id);
  world.run(4 * TICK_MS);
  assert.equal(world.names, ".22");
  const pair = settled("12");
  pair.kill("1");
  pair.node("2").choice.refused(id);
  assert.equal(pair.names, ".2");
});

test("interruptions shorter than --sentinel-down-after change nothing", () => {
  const world = settled("12");
  for (let i = 0; i < 20; i++) {
    world.cutLink("1", "2", i % 2 === 0);
    world.run(DOWN_AFTER_MS - 2 * SERVICE_EVERY_MS);
    world.cut.clear();
    world.run(2 * TICK_MS + SERVICE_EVERY_MS);
  }
  assert.equal(world.names, "11");
  assert.deepEqual(world.epochs, [1, 1]);
});

test("a daemon without a link to the named one keeps it as long as another member has one", () => {
  const world = settled("123");
  world.cutLink("1", "3", true);
  world.run(10 * SETTLED_MS);
  assert.equal(world.names, "111");
  assert.equal(world.node("3").choice.current?.address.host, "10.0.0.1");
  world.kill("1");
  world.run(2 * SETTLED_MS);
  assert.equal(world.names, ".22");
});

test("members do not keep a dead daemon alive for each other over slow links", () => {
  for (const delay of [300, 1000]) {
    const world = settled("12345");
    world.delay = delay;
    world.run(SETTLED_MS);
    assert.equal(world.names, "11111");
    world.node("1").isRunning = false;
    world.run(SETTLED_MS + 4 * delay);
    assert.equal(world.names, ".2222");
  }
});

test("a daemon whose listeners start slowly still waits for the choice of its members", () => {
  const [id, other] = ["1".repeat(32), "2".repeat(32)];
  let own: OwnService | null = null;
  let now = 0;
  const parts = { id, hasPeers: () => true, own: () => own, downAfterMs: () => DOWN_AFTER_MS, startedAt: 1 };
  const choice = new NamedDaemon({ ...parts, uptime: () => now });

  for (; now < 5 * DOWN_AFTER_MS; now += TICK_MS) choice.update();
  own = { acceptsWrites: true, resp: { host: "10.0.0.1", port: 6379 }, sentinel: null };
  choice.update();
  assert.equal(choice.epoch, 0);

  const address = { host: "10.0.0.2", port: 6379 };
  const statement: ServiceMessage = {
    ...{ kind: "service", serial: 1, epoch: 1, named: other, seen: 1, address },
    ...{ acceptsWrites: true, resp: address, sentinel: null },
  };
  choice.receive(other, statement, "10.0.0.2:1");
  assert.equal(choice.current?.id, other);
});

test("the address that the named daemon states itself counts more than how another member sees it", () => {
  const world = new World("123");
  const [one, two, three] = world.nodes as [Node, Node, Node];
  const stated = { ...(two.choice.statement() as ServiceMessage), acceptsWrites: false };
  one.choice.receive(two.id, stated, "10.0.0.2:1");
  const local = { host: "127.0.0.1", port: 6379 };
  const relayed = {
    ...(three.choice.statement() as ServiceMessage),
    epoch: 9,
    named: two.id,
    address: local,
  };
  one.choice.receive(two.id, { ...stated, acceptsWrites: true }, "10.0.0.2:1");
  one.choice.receive(three.id, { ...relayed, seen: 1 }, "10.0.0.3:1");
  assert.equal(one.choice.epoch, 9);
  assert.equal(one.choice.current?.address.host, "10.0.0.2");
});

test("each side of a cut names its own daemon, and all name the same one afterwards", () => {
  const world = settled("123");
  world.cutLink("1", "2");
  world.cutLink("1", "3");
  world.run(SETTLED_MS);
  assert.equal(world.names, "122");
  world.cut.clear();
  world.run(SETTLED_MS);
  assert.equal(world.names, "222");
});

test("a daemon that starts waits for the choice of its members", () => {
  const world = settled("12");
  world.kill("1");
  world.run(SETTLED_MS);
  world.start("1");
  world.node("1").choice.update();
  assert.equal(world.node("1").named, null);
  world.run(SETTLED_MS);
  assert.equal(world.names, "22");
});

test("a daemon that stood still does not consider the others down", () => {
  const world = settled("12");
  const other = world.node("2");
  other.isRunning = false;
  const until = world.now + 5 * DOWN_AFTER_MS;
  for (; world.now < until; world.scheduler.time += TICK_MS) world.node("1").choice.update();
  other.isRunning = true;
  other.choice.update();
  assert.equal(other.named, "1");
  world.run(SETTLED_MS);
  assert.equal(world.names, "11");
});

test("a loopback address of another machine is not used, and an empty host is the one of the connection", () => {
  const world = new World("12");
  const [{ choice }, { id, choice: other }] = world.nodes as [Node, Node];
  const statement = other.statement() as ServiceMessage;
  const local = { ...statement, resp: { host: "127.0.0.1", port: 6379 } };
  assert.equal(choice.receive(id, local, "10.0.0.2:1"), false);
  assert.deepEqual(
    choice.others.filter((one) => one.id === id),
    [],
  );
  assert.equal(choice.receive(id, local, "127.0.0.1:1"), true);
  choice.receive(id, { ...statement, resp: { host: "", port: 6379 } }, "[::ffff:10.0.0.2]:1");
  assert.equal(choice.others.find((one) => one.id === id)?.address.host, "10.0.0.2");
});

test("a statement raises the epoch by a limited number, so choices remain possible", () => {
  const world = settled("12");
  const [{ choice }, { id, choice: other, service }] = world.nodes as [Node, Node];
  const statement = other.statement() as ServiceMessage;
  const lie = { epoch: Number.MAX_SAFE_INTEGER, named: id, seen: 0, address: service.resp };
  choice.receive(id, { ...statement, ...lie }, "10.0.0.2:1");
  assert.equal(world.node("1").named, "2");
  assert.ok(choice.epoch <= 2 ** 20 + 1);
  world.kill("2");
  world.run(SETTLED_MS);
  assert.equal(world.names, "1.");
});

test("a daemon without an address for Redis clients names others, and is never named", () => {
  const world = new World("123");
  const one = world.node("1");
  one.service = { ...one.service, resp: null };
  world.run(SETTLED_MS);
  assert.equal(world.names, "222");
  assert.equal(one.choice.sentinels.length, 2);
  const two = world.node("2");
  two.service = { ...two.service, resp: null };
  world.run(SETTLED_MS);
  assert.equal(world.names, "333");
  world.kill("3");
  world.run(SETTLED_MS);
  assert.equal(world.names, "--.");
});

test("a statement that has already counted does not bring back a daemon that is down", () => {
  const world = settled("12");
  const [one, two] = world.nodes as [Node, Node];
  const { seen } = two.choice.statement() as ServiceMessage;
  one.isRunning = false;
  two.service = { ...two.service, acceptsWrites: false };
  world.run(SETTLED_MS);
  assert.equal(two.named, null);
  const statement = two.choice.statement() as ServiceMessage;
  const claim = { ...statement, epoch: 9, named: one.id, address: one.service.resp };
  two.choice.receive("3".repeat(32), { ...claim, seen }, "10.0.0.3:1");
  assert.equal(two.named, null);
  two.choice.receive("3".repeat(32), { ...claim, seen: seen + SETTLED_MS }, "10.0.0.3:1");
  assert.equal(two.named, "1");
  world.run(SETTLED_MS);
  assert.equal(two.named, null);
});

test("a refusal over a link that became silent does not count against what other members see", () => {
  const world = settled("123");
  const one = world.node("1");
  one.service = { ...one.service, acceptsWrites: false };
  world.run(4 * TICK_MS);
  assert.equal(world.names, "222");
  world.cutLink("1", "3");
  one.service = { ...one.service, acceptsWrites: true };
  world.node("2").service = { ...world.node("2").service, acceptsWrites: false };
  world.node("3").service = { ...world.node("3").service, acceptsWrites: false };
  world.run(2 * SETTLED_MS);
  assert.equal(world.names, "111");
});

/** Applies a random fault or repair. */
function disturb(world: World, random: SeededRandom): void {
  const node = random.oneOf(world.nodes);
  const other = random.oneOf(world.nodes);
  const kind = random.below(5);
  if (kind === 0 && node.isRunning) world.kill(node.name);
  else if (kind === 1 && !node.isRunning) world.start(node.name);
  else if (kind === 2 && node !== other) world.cutLink(node.name, other.name, random.chance(0.5));
  else if (kind === 3) world.cut.delete(world.link(node.name, other.name));
  else node.service = { ...node.service, acceptsWrites: random.chance(0.7) };
}

/** Returns the daemons that are connected with each other, directly or through others. */
function groupsOf(world: World): Node[][] {
  const groups: Node[][] = [];
  const rest = new Set(world.nodes.filter(({ isRunning }) => isRunning));
  for (const first of rest) {
    const group = [first];
    rest.delete(first);
    for (const one of group)
      for (const other of [...rest]) if (world.isUp(one, other) && rest.delete(other)) group.push(other);
    groups.push(group);
  }
  return groups;
}

test(`after random faults, all connected daemons name the same one, and keep it (seed ${seedOfRun()})`, () => {
  const random = new SeededRandom(seedOfRun());
  for (let round = 0; round < amount(60, 500); round++) {
    const world = new World("12345".slice(0, random.between(2, 5)));
    world.delay = random.oneOf([0, 80, 300]);
    for (let fault = random.between(1, 12); fault > 0; fault--) {
      disturb(world, random);
      world.run(random.between(0, 3000));
    }
    world.run(2 * SETTLED_MS + 10 * world.delay);
    const before = world.names;
    for (const group of groupsOf(world)) {
      const text = `round ${round}: ${before}, links cut: ${[...world.cut]}`;
      const [name = null, ...more] = new Set(group.map(({ named }) => named));
      assert.deepEqual(more, [], text);
      const accepting = group.filter(({ service }) => service.acceptsWrites).map((node) => node.name);
      if (name === null) assert.deepEqual(accepting, [], text);
      else assert.ok(accepting.includes(name), text);
    }
    world.run(10_000);
    assert.equal(world.names, before, `round ${round}: it changes without a fault`);
  }
});
