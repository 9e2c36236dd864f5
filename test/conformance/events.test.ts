/**
 * Compares the events of random commands with redis-server's keyspace notifications, in order, and the numbers of hits
 * and misses. DBSYNC_SEED replays a run.
 */
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { KeyChangeObservers } from "../../daemon/engine/backends/key-change-observers.js";
import { findCommand } from "../../daemon/store/command-table.js";
import { Database } from "../../daemon/store/database.js";
import type { Command } from "../../daemon/store/rows/command-row.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { finishReply } from "../../protocol/lazy-replies.js";
import type { Reply } from "../../protocol/reply.js";
import { amount } from "../support/amount.js";
import { RedisConnection } from "../support/redis-connection.js";
import { type RedisServer, startRedis } from "../support/redis-server.js";
import { ReplyReader } from "../support/reply-reader.js";
import { skipWithout } from "../support/requirements.js";
import { seedOfRun } from "../support/seeded-random.js";
import { inTime } from "../support/until.js";
import { episode, type Step } from "./episode.js";
import { otherEvents } from "./other-events.js";

const EPISODE_CALLS = 500;
const COMMANDS_FULL = 30_000;

const seed = seedOfRun();
const skip = skipWithout("redis-server");
let server: RedisServer;
before(async () => {
  if (skip === false) server = await startRedis();
});
after(() => server?.stop());

/** The events and look-ups of a command. */
interface Reported {
  readonly events: readonly string[];
  readonly looked: string;
  readonly isError: boolean;
}

/** The events of redis-server, of each command. */
class RedisEvents implements Disposable {
  readonly #redis: RedisConnection;
  readonly #subscriber: Socket;
  readonly #reader = new ReplyReader();
  #messages: (readonly ByteString[])[] = [];
  #come: () => void = () => {};
  #marks = 0;

  private constructor(redis: RedisConnection, subscriber: Socket) {
    this.#redis = redis;
    this.#subscriber = subscriber;
    subscriber.on("data", (chunk) => {
      for (const reply of this.#reader.push(chunk)) this.#messages.push(textsOf(reply));
      this.#come();
    });
  }

  static async open(port: number): Promise<RedisEvents> {
    const redis = await RedisConnection.open(port);
    await redis.call("FLUSHALL");
    await redis.call("CONFIG", "SET", "notify-keyspace-events", "AnmE");
    const announced = new RedisEvents(redis, connect({ port, host: "127.0.0.1" }));
    announced.#subscriber.write("PSUBSCRIBE mark __keyevent@*__:*\r\n");
    await announced.#until(() => announced.#messages.length === 2);
    announced.#messages = [];
    return announced;
  }

  async tell({ argv, db }: Step, mayWait: boolean): Promise<Reported> {
    const call = mayWait ? [["MULTI"], argv, ["EXEC"]] : [argv];
    const before = [
      ["CONFIG", "RESETSTAT"],
      ["SELECT", String(db)],
    ];
    for (const each of [...before, ...call, ["INFO", "stats"]]) this.#redis.queue(each);
    const [reply, info] = (await this.#redis.flush()).slice(-2);
    const text = info?.kind === "bulk" ? info.bytes : "";
    const of = (name: string) => new RegExp(`${name}:(\\d+)`).exec(text)?.[1];
    const looked = `${of("keyspace_hits")} hits, ${of("keyspace_misses")} misses`;
    return { events: await this.#events(), looked, isError: reply?.kind === "error" };
  }

  async #events(): Promise<readonly string[]> {
    const mark = `mark ${this.#marks++}`;
    await this.#redis.call("PUBLISH", "mark", mark);
    await this.#until(() => this.#messages.at(-1)?.[3] === mark);
    const messages = this.#messages.slice(0, -1);
    this.#messages = [];
    return messages.map(([, , channel = "", key]) => {
      const [, db, name] = /^__keyevent@(\d+)__:(.*)$/.exec(channel) ?? [];
      return `${db} ${name} ${JSON.stringify(key)}`;
    });
  }

  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo())
      await inTime(
        () => "redis-server publishes no further event",
        new Promise<void>((resolve) => void (this.#come = resolve)),
      );
  }

  [Symbol.dispose](): void {
    this.#redis[Symbol.dispose]();
    this.#subscriber.destroy();
  }
}

const textsOf = (reply: Reply) =>
  (reply.kind === "array" ? reply.items : []).map((item) => (item.kind === "bulk" ? item.bytes : ""));

/** The events of the store, of each command. */
class StoreEvents {
  readonly #database = new Database();
  readonly #changes = new KeyChangeObservers({ database: this.#database });
  #events: string[] = [];

  constructor() {
    this.#changes.observeEvents({
      event: (_, name, db, key) => this.#events.push(`${db} ${name} ${JSON.stringify(key)}`),
    });
  }

  tell({ argv, db, at, id }: Step): Reported {
    this.#events = [];
    const { hits, misses } = this.#database.lookups;
    const { kind } = finishReply(this.#database.execute(argv, { db, at, id }));
    const after = this.#database.lookups;
    const looked = `${after.hits - hits} hits, ${after.misses - misses} misses`;
    return { events: this.#events, looked, isError: kind === "error" };
  }
}

/** Whether a command concerns keys and exists on both sides. */
function isCompared({ reads, writes, group }: Command, step: Step): boolean {
  if (!(reads || writes) || group === "scripting" || group === "server") return false;
  const other = otherOf(step);
  return other === null || other.ofLookups === true;
}

function otherOf({ argv }: Step) {
  const words = argv.map((word) => word.toUpperCase());
  const other = otherEvents[words[0] ?? ""];
  return other?.isSo(words) === true ? other : null;
}

test(`events are the same as redis-server's (seed ${seed})`, { skip }, async () => {
  for (let number = 0; number < amount(3000, COMMANDS_FULL) / EPISODE_CALLS; number++) {
    using redis = await RedisEvents.open(server.port);
    const ours = new StoreEvents();
    const now = Date.now();
    for (const step of episode(seed, number, { calls: EPISODE_CALLS, now }).steps) {
      const command = findCommand(step.name) as Command;
      // From here on, keys may have expired. Each server reports an expired key when it finds that key, which may be at
      // different steps, so the comparison ends.
      if (step.at !== now || step.id.startsWith("expiry.")) break;
      if (!isCompared(command, step)) continue;
      const actual = ours.tell(step);
      const theirs = await redis.tell(step, command.flags.includes("blocking"));
      const where = `${step.db}> ${JSON.stringify(step.argv)}, episode ${number}, seed ${seed}`;
      // redis-server may have looked up some of several keys before it found the error.
      const areLookupsSame = !actual.isError && otherOf(step) === null;
      const isTold = (event: string) => areLookupsSame || !event.includes(" keymiss ");
      assert.deepEqual(actual.events.filter(isTold), theirs.events.filter(isTold), where);
      if (areLookupsSame) assert.equal(actual.looked, theirs.looked, where);
    }
  }
});
