/**
 * Tests that a lock with a lifetime, on which the members decide, has one holder at a time although the members' clocks
 * are 1.9 s apart. A holder counts the lifetime from when it sent the command, and stops earlier by the largest error.
 * Source: docs/consistency.md "Leases".
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ByteString } from "../../protocol/byte-string.js";
import { amount, some } from "../support/amount.js";
import { SeededRandom, seedOfRun } from "../support/seeded-random.js";
import { randomBytes } from "./cast.js";
import { type SimulatedKey, sign } from "./signatures.js";
import { startMembers } from "./started-members.js";
import type { Host, World } from "./world.js";

const LIFETIME_MS = 3_000;
/**
 * Milliseconds by which a lease may end too early: the decision that finds it expired may be dated 250 ms ahead, and
 * members know each other's clocks up to half a round trip.
 */
const ERROR_MS = 250 + 10;
const WORK_MS = amount(18_000, 90_000);
const RIVALS = 4;
/** Milliseconds between two attempts of a client, and the latest answer of a decision for which it waits. */
const RETRY_MS: readonly [number, number] = [50, 400];
const ANSWER_MS_MAX = 10_000;
/** Plain writes are dated by the clock of one member, in every second period of this length. */
const PERIOD_MS = 7_000;
const PLAIN_EVERY_MS = 50;

/** Milliseconds for which each member is suspended in turn, and between two times, so that each becomes the keeper. */
const PAUSE_MS = 1_500;
const PAUSE_EVERY_MS = 5_500;

/** Milliseconds by which each member's clock is ahead. */
const CLOCKS: readonly (readonly number[])[] = [
  [0, 0, 1_900],
  [0, 0, -1_900],
  [-950, 0, 950],
  [0, 1_900, 1_900, 0, 0],
];

/** The clients of a lock and of plain keys. */
class Clients {
  readonly overlaps: string[] = [];
  taken = 0;
  plain = 0;
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #key: SimulatedKey;
  /** The holders that have not stopped yet, and when they stop; milliseconds of the run. */
  readonly #holders = new Map<string, number>();
  /** The dates of the decisions that took the lock, by the id of the unit. */
  readonly dates: number[] = [];

  constructor(world: World, seed: number) {
    this.#world = world;
    this.#random = new SeededRandom(seed, 20);
    this.#key = world.genesis.contender ?? assert.fail();
  }

  start(): void {
    for (let number = 0; number < RIVALS; number++) this.#compete(`rival ${number}`);
    for (const host of this.#world.hosts) this.#write(host);
  }

  /** Suspends each member in turn. */
  suspend(number = 0): void {
    const { scheduler, hosts } = this.#world;
    const { processor } = hosts[number % hosts.length] as Host;
    processor.busyUntil = scheduler.time + PAUSE_MS;
    scheduler.after(PAUSE_EVERY_MS, null, () => this.suspend(number + 1));
  }

  /** Takes the lock again and again, and never releases it. */
  #compete(name: string): void {
    const { scheduler, hosts } = this.#world;
    const sentAt = scheduler.time;
    const until = sentAt + LIFETIME_MS - ERROR_MS;
    let isOver = false;
    const again = (): void => {
      if (isOver) return;
      isOver = true;
      scheduler.after(this.#random.between(...RETRY_MS), null, () => this.#compete(name));
    };
    this.#send(["SET", "lock", name, "PX", String(LIFETIME_MS), "NX"], this.#median, hosts, true, (reply) => {
      if (reply.startsWith("+OK") && !isOver && scheduler.time < until) this.#hold(name, until);
      again();
    });
    scheduler.after(ANSWER_MS_MAX, null, again);
  }

  #hold(name: string, until: number): void {
    const { time } = this.#world.scheduler;
    for (const [other, end] of this.#holders)
      if (end > time) this.overlaps.push(`${name} at ${time}, although ${other} holds it until ${end}`);
    this.#holders.set(name, until);
    this.taken++;
  }

  /** Writes a key of its own from time to time, by the clock of one member. */
  #write(host: Host): void {
    const { scheduler } = this.#world;
    scheduler.after(PLAIN_EVERY_MS, null, () => this.#write(host));
    if (Math.floor(scheduler.time / PERIOD_MS) % 2 === 0) return;
    this.#send(["INCR", host.name], host.clock(), [host], false, () => void this.plain++);
  }

  get #median(): number {
    const clocks = this.#world.hosts.map((host) => host.clock()).sort((a, b) => a - b);
    return clocks[(clocks.length - 1) >> 1] as number;
  }

  #send(
    argv: readonly ByteString[],
    at: number,
    to: readonly Host[],
    decide: boolean,
    answered: (reply: ByteString) => void,
  ): void {
    const { genesis, ledger, network } = this.#world;
    const header = { cluster: genesis.cluster, nonce: randomBytes(this.#random, 16), at, seq: 0, decide };
    const entry = sign(this.#key, header, [argv]);
    ledger.sent.set(entry.id, { entry, isRead: false, outcomes: [] });
    for (const host of to)
      network.send("client", host.name, () =>
        host.send(entry, undefined, (answer) => {
          if (answer.kind === "result") network.send(host.name, "client", () => answered(answer.replies));
        }),
      );
  }
}

const seed = seedOfRun();
for (const clocks of some(CLOCKS))
  test(`a lease has one holder at a time, with clocks ${clocks.join(", ")} ms ahead (seed ${seed})`, async (t) => {
    const world = await startMembers(seed, clocks);
    const { scheduler, ledger } = world;
    const clients = new Clients(world, seed);
    clients.start();
    clients.suspend();
    await scheduler.runUntil(scheduler.time + WORK_MS);
    t.diagnostic(`${clients.taken} holders, ${clients.plain} plain writes`);
    assert.deepEqual(clients.overlaps, []);
    assert.deepEqual(ledger.violations, []);
    assert.ok(clients.plain > 100);
    assert.ok(clients.taken > (0.5 * WORK_MS) / (LIFETIME_MS + 2 * RETRY_MS[1]), `${clients.taken} holders`);
  });
