/**
 * Tests how often a command that may wait reaches the data, on each path of commands: in memory, recorded, recorded in
 * a stream (--order), through a sidecar, and in a Redis. The path of a sidecar cannot inspect the data before it sends
 * a command, so it must send each command once and return its first reply.
 */
import "../../../../test/support/all-families.js";
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { ForwardingClient } from "../../../../client/forwarding-client.js";
import { Gateway } from "../../../../daemon/cluster/replica/gateway.js";
import { MemoryBackend } from "../../../../daemon/engine/backends/memory-backend.js";
import { commands, findCommand } from "../../../../daemon/store/command-table.js";
import { Database } from "../../../../daemon/store/database.js";
import { type Command, waitsByOption } from "../../../../daemon/store/rows/command-row.js";
import type { Reply } from "../../../../protocol/reply.js";
import { randomCall } from "../../../../test/conformance/call.js";
import { commandGrammars } from "../../../../test/conformance/families.js";
import { Generator } from "../../../../test/conformance/grammar.js";
import { folded, shown } from "../../../../test/conformance/resp2-fold.js";
import { makeFolder, startReplica } from "../../../../test/daemon/program/replicas.js";
import { amount } from "../../../../test/support/amount.js";
import { EnvelopeClient, makeKeyPair } from "../../../../test/support/envelope-client.js";
import { NatsServer } from "../../../../test/support/nats-server.js";
import { RedisConnection } from "../../../../test/support/redis-connection.js";
import { startRedis } from "../../../../test/support/redis-server.js";
import { skipWithout } from "../../../../test/support/requirements.js";
import { ScratchFolder } from "../../../../test/support/scratch-folder.js";
import { SeededRandom, seedOfRun } from "../../../../test/support/seeded-random.js";
import { until } from "../../../../test/support/until.js";
import { ANSWERED_HERE, UNSUPPORTED_COMMANDS } from "../../../sidecar/signed-path.js";
import { sessionHandlers } from "../../commands/session-handlers.js";

const AT = Date.UTC(2026, 0, 1);
/** The number of random calls of each command through a sidecar. */
const CALLS = amount(2, 8);

type Argv = readonly string[];

/** The calls of one command, and what shows that its effect has occurred once. */
interface Case {
  /** Creates the keys without elements. */
  readonly empty?: readonly Argv[];
  /** Adds elements, of which the call takes fewer than there are. */
  readonly full: readonly Argv[];
  readonly calls: readonly Argv[];
  readonly rest: Argv;
}

const LIST = { full: [["RPUSH", "{k}l", "a", "b"]], rest: ["LRANGE", "{k}l", "0", "-1"] };
const ZSET = {
  full: [["ZADD", "{k}z", "1", "a", "2", "b"]],
  rest: ["ZRANGE", "{k}z", "0", "-1"],
};
const STREAM = [
  ["XADD", "{k}s", "1-1", "f", "v"],
  ["XADD", "{k}s", "1-2", "f", "w"],
];
const GROUP_READ = ["XREADGROUP", "GROUP", "g", "c", "COUNT", "1"];

/** The commands that may wait: the compiler cannot require a row of each, but a test does. */
const CASES: Readonly<Record<string, Case>> = {
  BLMOVE: { ...LIST, calls: [["BLMOVE", "{k}l", "{k}to", "LEFT", "RIGHT", "0.01"]] },
  BLMPOP: { ...LIST, calls: [["BLMPOP", "0.01", "2", "{k}none", "{k}l", "LEFT"]] },
  BLPOP: { ...LIST, calls: [["BLPOP", "{k}none", "{k}l", "0.01"]] },
  BRPOP: { ...LIST, calls: [["BRPOP", "{k}l", "0.01"]] },
  BRPOPLPUSH: { ...LIST, calls: [["BRPOPLPUSH", "{k}l", "{k}to", "0.01"]] },
  BZMPOP: { ...ZSET, calls: [["BZMPOP", "0.01", "1", "{k}z", "MIN"]] },
  BZPOPMAX: { ...ZSET, calls: [["BZPOPMAX", "{k}z", "0.01"]] },
  BZPOPMIN: { ...ZSET, calls: [["BZPOPMIN", "{k}z", "0.01"]] },
  XREAD: {
    full: STREAM,
    calls: [
      ["XREAD", "COUNT", "1", "STREAMS", "{k}s", "0"],
      ["XREAD", "COUNT", "1", "STREAMS", "{k}s", "$"],
      ["XREAD", "COUNT", "1", "BLOCK", "10", "STREAMS", "{k}s", "0"],
      ["XREAD", "COUNT", "1", "BLOCK", "10", "STREAMS", "{k}s", "$"],
    ],
    rest: ["XLEN", "{k}s"],
  },
  XREADGROUP: {
    empty: [["XGROUP", "CREATE", "{k}s", "g", "0", "MKSTREAM"]],
    full: STREAM,
    calls: [
      [...GROUP_READ, "STREAMS", "{k}s", ">"],
      [...GROUP_READ, "NOACK", "STREAMS", "{k}s", ">"],
      [...GROUP_READ, "BLOCK", "10", "STREAMS", "{k}s", ">"],
    ],
    rest: ["XPENDING", "{k}s", "g"],
  },
};

/** A daemon in the process of the test, and its client. */
interface Subject extends AsyncDisposable {
  call(...argv: string[]): Promise<Reply>;
  /** Returns how often a command has reached the data, the log, the daemons or the Redis. */
  reached(command: Command): number | Promise<number>;
  /** Whether a call is refused before it is sent. */
  refuses(command: Command, argv: Argv): boolean;
  /** The number of times that a call which finds nothing or something reaches its goal. */
  times(command: Command, finds: boolean): number;
}

const never = () => false;

/** Counts the calls of a method whose arguments begin with a command's arguments. */
function counting(
  t: TestContext,
  target: object,
  method: string,
  nameOf: (args: readonly unknown[]) => string,
): (command: Command) => number {
  const mock = t.mock.method(target as Record<string, (...args: unknown[]) => unknown>, method);
  return ({ name }) =>
    mock.mock.calls.filter((one) => nameOf(one.arguments as readonly unknown[]) === name.split("|")[0])
      .length;
}

const nameOfArgv = ([argv]: readonly unknown[]) => (argv as Argv)[0]?.toUpperCase() ?? "";

async function listening(args: readonly string[]) {
  const replica = await startReplica({ args: [...args, "--resp", "0"] });
  const client = await RedisConnection.open(replica.daemon.addressOf("resp")?.port ?? 0);
  return {
    replica,
    call: (...argv: string[]) => client.call(...argv),
    async close() {
      client[Symbol.dispose]();
      await replica[Symbol.asyncDispose]();
    },
  };
}

async function inMemory(t: TestContext): Promise<Subject> {
  // The preview of XREADGROUP has the same name, but does not write.
  const reached = counting(t, MemoryBackend.prototype, "run", ([command]) => (command as Command).name);
  const { call, close } = await listening([]);
  return { call, reached, refuses: never, times: () => 1, [Symbol.asyncDispose]: close };
}

async function recording(t: TestContext, args: readonly string[] = []): Promise<Subject> {
  const folder = makeFolder();
  const reached = counting(t, Gateway.prototype, "send", nameOfArgv);
  const { call, close } = await listening([...(args.length === 0 ? ["--data", folder.path] : args)]);
  return {
    call,
    reached,
    refuses: never,
    // Reads, and calls that would find nothing, are not recorded.
    times: ({ writes }, finds) => (writes && finds ? 1 : 0),
    async [Symbol.asyncDispose]() {
      await close();
      folder[Symbol.dispose]();
    },
  };
}

async function ordering(t: TestContext): Promise<Subject> {
  const nats = await NatsServer.start();
  const subject = await recording(t, ["--order", `nats://127.0.0.1:${nats.port}/writes`]);
  return {
    ...subject,
    async [Symbol.asyncDispose]() {
      await subject[Symbol.asyncDispose]();
      await nats[Symbol.asyncDispose]();
    },
  };
}

async function throughSidecar(t: TestContext): Promise<Subject> {
  const folder = new ScratchFolder();
  const pair = makeKeyPair();
  const daemon = await startReplica({ args: ["-s", pair.file] });
  const reached = counting(t, ForwardingClient.prototype, "send", nameOfArgv);
  const key = folder.privateKey(pair);
  const { call, close } = await listening(["-d", `dbsync:127.0.0.1:${daemon.port}`, "--key", key]);
  return {
    call,
    reached,
    refuses: ({ name, waitsFor }, argv) => UNSUPPORTED_COMMANDS.has(name) || waitsByOption(waitsFor, argv),
    times: () => 1,
    async [Symbol.asyncDispose]() {
      await close();
      await daemon[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}

async function inRedis(): Promise<Subject> {
  const redis = await startRedis();
  const pair = makeKeyPair();
  const daemon = await startReplica({ args: ["-s", pair.file, "-d", `redis:127.0.0.1:${redis.port}`] });
  await until("the daemon accepts envelopes", () => daemon.daemon.health.state === "live");

  const client = await EnvelopeClient.open(daemon.port, pair);
  const own = await RedisConnection.open(redis.port);

  return {
    async call(...argv) {
      const answer = await client.ask([argv]);
      return answer.kind === "result" ? (answer.replies[0] as Reply) : assert.fail(JSON.stringify(answer));
    },
    async reached({ name }) {
      const text = shown(await own.call("INFO", "commandstats"));
      return Number(new RegExp(`cmdstat_${name.toLowerCase()}:calls=(\\d+)`).exec(text)?.[1] ?? 0);
    },
    refuses: never,
    times: () => 1,
    async [Symbol.asyncDispose]() {
      own[Symbol.dispose]();
      client[Symbol.dispose]();
      await daemon[Symbol.asyncDispose]();
      await redis[Symbol.asyncDispose]();
    },
  };
}

/** Returns a reply in RESP2, in which both forms of nil mean the same. */
const plain = (reply: Reply): string => shown(folded(reply)).replace("nil-array", "nil");

/** Returns what a Database replies to the last of these commands, which all are executed once. */
function expected(all: readonly Argv[]): string {
  const database = new Database();
  const replies = all.map((argv) => database.execute(argv, { at: AT, db: 0, id: "" }));
  return plain(replies.at(-1) as Reply);
}

const PATHS: Readonly<
  Record<string, { readonly start: (t: TestContext) => Promise<Subject>; readonly needs?: string }>
> = {
  "in memory": { start: inMemory },
  recorded: { start: recording },
  "through a sidecar": { start: throughSidecar },
  "in Redis": { start: inRedis, needs: "redis-server" },
  "with --order": { start: ordering, needs: "nats-server" },
};

test("each command that may wait has a row here", () => {
  const waiting = commands.filter(({ waitsFor }) => waitsFor !== undefined).map(({ name }) => name);
  assert.deepEqual(Object.keys(CASES), waiting.sort());
  for (const name of ["XREAD", "XREADGROUP"])
    assert.deepEqual(
      new Set(CASES[name]?.calls.map((argv) => argv.includes("BLOCK"))),
      new Set([true, false]),
    );
});

for (const [path, { start, needs }] of Object.entries(PATHS))
  test(`a command that may wait reaches the data once: ${path}`, {
    skip: needs === undefined ? false : skipWithout(needs),
  }, async (t) => {
    await using subject = await start(t);
    let run = 0;
    for (const [name, { empty = [], full, calls, rest }] of Object.entries(CASES)) {
      const command = findCommand(name) as Command;
      for (const form of calls)
        for (const finds of [false, true]) {
          const prefix = `${run++}:`;
          const [argv = [], restArgv = [], ...before] = [form, rest, ...empty, ...(finds ? full : [])].map(
            (one) => one.map((word) => word.replace("{k}", prefix)),
          );
          for (const one of before) assert.notEqual((await subject.call(...one)).kind, "error");
          const shownCall = `${argv.join(" ")}, with ${finds ? "" : "no "}data`;
          const reachedBefore = await subject.reached(command);
          const reply = await subject.call(...argv);
          const times = (await subject.reached(command)) - reachedBefore;
          const isRefused = subject.refuses(command, argv);
          assert.equal(times, isRefused ? 0 : subject.times(command, finds), shownCall);
          if (isRefused) assert.equal(reply.kind, "error", shownCall);
          else assert.equal(plain(reply), expected([...before, argv]), shownCall);
          const after = isRefused ? [...before, restArgv] : [...before, argv, restArgv];
          assert.equal(plain(await subject.call(...restArgv)), expected(after), shownCall);
        }
    }
  });

test("a sidecar sends a transaction with commands that may wait once, and no command of it alone", async (t) => {
  await using subject = await throughSidecar(t);
  const together = counting(t, ForwardingClient.prototype, "sendTogether", ([all]) =>
    nameOfArgv(all as Argv[]),
  );
  await subject.call("XADD", "s", "1-1", "f", "v");
  await subject.call("XGROUP", "CREATE", "s", "g", "0");
  const argv = [...GROUP_READ, "BLOCK", "0", "STREAMS", "s", ">"];
  for (const one of [["MULTI"], argv, argv]) await subject.call(...one);
  const replies = await subject.call("EXEC");
  assert.equal(plain(replies), '[[["s" [["1-1" ["f" "v"]]]]] nil]');
  const command = findCommand("XREADGROUP") as Command;
  assert.deepEqual([together(command), subject.reached(command)], [1, 0]);
});

const seed = seedOfRun();

test(`a sidecar sends each command at most once, and each that it does not answer itself once (seed ${seed})`, async (t) => {
  await using subject = await throughSidecar(t);
  const g = new Generator({ random: new SeededRandom(seed), now: Date.now() });
  for (const grammar of commandGrammars) {
    const command = findCommand(grammar.name) as Command;
    // These commands end the connection, or change what the following commands mean.
    if (sessionHandlers.has(command.name) || command.connectionUse !== undefined) continue;
    for (let call = 0; call < CALLS; call++) {
      const argv = randomCall(g, grammar);
      const before = subject.reached(command);
      const reply = await subject.call(...argv);
      const times = (subject.reached(command) as number) - (before as number);
      const isOwn = subject.refuses(command, argv) || ANSWERED_HERE.has(command);
      assert.ok(
        times === (isOwn ? 0 : 1) || (times === 0 && reply.kind === "error"),
        `${times}: ${JSON.stringify(argv)}`,
      );
    }
  }
});
