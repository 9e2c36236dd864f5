/** Tests which calls on which members decide share an envelope, and that each keeps its own conditions and rule. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { OutboxClient } from "../../../client/outbox-client.js";
import { EMPTY_ARRAY, integer, NIL, NIL_ARRAY, OK, ONE, type Reply, ZERO } from "../../../protocol/reply.js";
import { conditionsOf, type Envelope, hexOf } from "../../../protocol/version-2/envelope.js";
import { KNOWS_DECISIONS, KNOWS_SIGNED } from "../../../protocol/version-2/messages-v2.js";
import { until } from "../../support/until.js";
import type { FakeDaemon } from "../fake-daemon-v2.js";
import { HandClock } from "../hand-clock.js";
import { client2Of, ServedDaemon } from "../served-daemon.js";
import { errorOf } from "../test-client.js";

type Three = [ServedDaemon, ServedDaemon, ServedDaemon];
type CallOptions = NonNullable<Parameters<OutboxClient["send"]>[1]>;

interface Scene extends AsyncDisposable {
  readonly daemons: Three;
  readonly client: OutboxClient;
}

/**
 * Starts three daemons, and a client that knows whether they are members of a list.
 * @param deciding  how many of them report that they are
 */
async function start(options: Parameters<typeof client2Of>[1] = {}, deciding = 3): Promise<Scene> {
  const daemons = (await Promise.all([1, 2, 3].map((id) => ServedDaemon.start({ id })))) as Three;
  for (const [index, { daemon }] of daemons.entries()) {
    daemon.knows = index < deciding ? [KNOWS_SIGNED, KNOWS_DECISIONS] : [KNOWS_SIGNED];
    daemon.members = 2;
  }
  const client = client2Of(daemons, { versions: "2", ...options });
  const end = async () => {
    client.close();
    await Promise.all(daemons.map((daemon) => daemon[Symbol.asyncDispose]()));
  };
  await client.send("PING", { policy: "all" });
  return { daemons, client, [Symbol.asyncDispose]: end };
}

const absent = (key: string, db?: number) => ({
  if: [{ key, writer: null, ...(db === undefined ? {} : { db }) }],
});

/** Returns the keys of the conditions of each unit, and whether the members decide. */
function shown(envelope: Envelope): string {
  const units = envelope.commands.map((argv, index) => {
    const conditions = conditionsOf(envelope, index)?.map(({ db, key }) => `${db}:${key}`);
    return argv.join(" ") + (conditions === undefined ? "" : ` if ${conditions.join()}`);
  });
  return `${envelope.decide ? "decide " : ""}${units.join(", ")}`;
}

/** Returns the envelopes that a daemon has applied, except those of PING. */
const envelopesAt = ({ daemon }: ServedDaemon): Envelope[] =>
  daemon.applied.flatMap(({ envelope }) => (envelope.commands[0]?.[0] === "PING" ? [] : [envelope]));

async function untilApplied(daemons: readonly ServedDaemon[], units: number): Promise<void> {
  for (const daemon of daemons)
    await until("all units", () => envelopesAt(daemon).flatMap(({ commands }) => commands).length === units);
}

test("calls of one turn share an envelope, in which each has its own conditions", async () => {
  await using scene = await start();
  const { client, daemons } = scene;

  await Promise.all([
    client.send("SET a v NX"),
    client.send("SET b v", absent("b")),
    client.send("INCR c", { ...absent("other"), policy: "majority" }),
    client.send("DEL d", {
      if: [
        { key: "d", writer: "11".repeat(36) },
        { key: "e", writer: null },
      ],
    }),
    client.send(["HSETNX", "h", "f", "v"]),
  ]);

  await untilApplied(daemons, 5);
  for (const daemon of daemons) {
    const [envelope, ...others] = envelopesAt(daemon);
    assert.ok(envelope !== undefined && others.length === 0);
    assert.equal(
      shown(envelope),
      "decide SET a v NX, SET b v if 0:b, INCR c if 0:other, DEL d if 0:d,0:e, HSETNX h f v",
    );
    assert.equal(envelope.if, null);
    assert.deepEqual([...(envelope.ifs?.keys() ?? [])], [1, 2, 3]);
    assert.deepEqual(envelope.ifs?.get(3)?.[0]?.writer, "\x11".repeat(36));
  }
});

test("a lone call has its conditions in `if`, and several calls without conditions have none", async () => {
  await using scene = await start();
  const { client, daemons } = scene;
  await client.send("SET a v", absent("a"));
  await Promise.all([client.send("SETNX b v"), client.send("SET c v XX")]);
  await untilApplied(daemons, 3);
  const [lone, several] = envelopesAt(daemons[0]) as [Envelope, Envelope];
  assert.deepEqual([lone.if?.length, lone.ifs, lone.decide], [1, null, true]);
  assert.deepEqual([several.if, several.ifs, several.decide, several.commands.length], [null, null, true, 2]);
});

/** Calls that share no envelope with a SET NX before and after them, as their daemon receives them. */
const APART: readonly [what: string, line: string, options: CallOptions, received: string][] = [
  ["another database", "SET x v NX", { db: 1 }, "decide SET x v NX"],
  ["`after`", "SET x v NX", { after: "00".repeat(46) }, "decide SET x v NX"],
  ["`replicated`", "SET x v NX", { replicated: 1 }, "decide SET x v NX"],
  ["`stable`", "SET x v", { ...absent("x"), stable: true }, "decide SET x v if 0:x"],
  ["the policy `first`", "SET x v NX", { policy: "first" }, "SET x v NX"],
  ["the policy `first` and a condition", "SET x v", { ...absent("x"), policy: "first" }, "SET x v if 0:x"],
  ["no condition", "SET x v", {}, "SET x v"],
  ["a command of unbounded cost", "SPOP x", absent("x"), "decide SPOP x if 0:x"],
  ["a command that is no write", "EVAL return 0", absent("x"), "EVAL return 0 if 0:x"],
  ["a command that the client does not know", "NEW x", absent("x"), "decide NEW x if 0:x"],
  [
    "more than 1 KiB of conditions",
    "SET x v",
    absent("x".repeat(1000)),
    `decide SET x v if 0:${"x".repeat(1000)}`,
  ],
];

for (const [what, line, options, received] of APART)
  test(`a call with ${what} shares no envelope`, async () => {
    await using scene = await start();
    const { client, daemons } = scene;
    const before = client.send("SET a v NX");
    const apart = client.send(line, options);
    await Promise.all([before, apart, client.send("SET b v NX"), client.send("SET c v", absent("c"))]);
    await untilApplied(daemons, 4);
    assert.deepEqual(envelopesAt(daemons[1]).map(shown), [
      "decide SET a v NX",
      received,
      "decide SET b v NX, SET c v if 0:c",
    ]);
  });

test("a unit of several commands, and a call for one daemon, share no envelope", async () => {
  await using scene = await start();
  const { client, daemons } = scene;
  const only = hexOf(daemons[0].daemon.id);
  await Promise.all([
    client.send("SET a v NX"),
    client.multi(["SET b v", "SET c v"], absent("b")),
    client.send("SET d v NX"),
    client.send("SET e v NX", { only, policy: "first" }),
    client.send("SET f v NX"),
  ]);
  await until("all units", () => envelopesAt(daemons[0]).length === 5);
  const [, unit, , alone] = envelopesAt(daemons[0]) as Envelope[];
  assert.deepEqual([unit?.multi, unit?.decide, unit?.if?.length, unit?.ifs], [true, true, 1, null]);
  assert.deepEqual([alone?.commands.length, alone?.decide], [1, false]);
});

test("calls for one database share an envelope for it, unless a condition concerns another one", async () => {
  await using scene = await start();
  const { client, daemons } = scene;
  await Promise.all([
    client.send("SET a v NX", { db: 5 }),
    client.send("SET b v", { db: 5, ...absent("b") }),
    client.send("SET c v", { db: 5, ...absent("c", 0) }),
  ]);
  await untilApplied(daemons, 3);
  const [envelope, alone] = envelopesAt(daemons[2]) as [Envelope, Envelope];
  assert.deepEqual([envelope.db, alone.db], [5, 5]);
  assert.equal(shown(envelope), "decide SET a v NX, SET b v if 5:b");
  assert.deepEqual(alone.if, [{ db: 0, key: "c", writer: "" }]);
});

test("an envelope has at most 256 units on which members decide", async () => {
  await using scene = await start();
  const { client, daemons } = scene;
  const calls = Array.from({ length: 300 }, (_, call) =>
    call % 2 === 0 ? client.send(`SET k${call} v NX`) : client.send(`SET k${call} v`, absent(`k${call}`)),
  );

  await Promise.all(calls);
  await untilApplied(daemons, 300);
  for (const daemon of daemons) {
    const envelopes = envelopesAt(daemon);
    assert.deepEqual(
      envelopes.map(({ commands, ifs }) => [commands.length, ifs?.size]),
      [
        [256, 128],
        [44, 22],
      ],
    );
    for (const envelope of envelopes)
      for (const [index, [, key = ""]] of envelope.commands.entries())
        assert.deepEqual(
          conditionsOf(envelope, index)?.map((condition) => condition.key),
          Number(key.slice(1)) % 2 === 0 ? undefined : [key],
        );
  }
});

test("if no members decide, a call with conditions is alone, and no call requests a decision", async () => {
  await using scene = await start({}, 0);
  const { client, daemons } = scene;
  await Promise.all([
    client.send("SET a v NX"),
    client.send("SET b v", absent("b")),
    client.send("SET c v", absent("c")),
    client.send("SET d v NX"),
    client.send("SET e v"),
  ]);
  await untilApplied(daemons, 5);
  assert.deepEqual(envelopesAt(daemons[0]).map(shown), [
    "SET a v NX",
    "SET b v if 0:b",
    "SET c v if 0:c",
    "SET d v NX, SET e v",
  ]);
});

test("before a daemon has reported whether members decide, no calls share an envelope", async () => {
  for (const isDeciding of [true, false]) {
    const daemons = (await Promise.all([1, 2, 3].map((id) => ServedDaemon.start({ id })))) as Three;
    if (isDeciding) for (const { daemon } of daemons) daemon.knows = [KNOWS_SIGNED, KNOWS_DECISIONS];
    await using client = client2Of(daemons, { versions: "2", cluster: "63".repeat(32) });
    await Promise.all([
      client.send("SET a v NX"),
      client.send("SET b v", absent("b")),
      client.send("SET c v", absent("c")),
    ]);
    await untilApplied(daemons, 3);
    const decide = isDeciding ? "decide " : "";
    assert.deepEqual(envelopesAt(daemons[0]).map(shown), [
      `${decide}SET a v NX`,
      `${decide}SET b v if 0:b`,
      `${decide}SET c v if 0:c`,
    ]);
    for (const daemon of daemons) await daemon[Symbol.asyncDispose]();
  }
});

test("each call of an envelope has its own rule and answer", async () => {
  await using scene = await start();
  const { client, daemons } = scene;

  const replies: Readonly<Record<string, readonly [Reply, Reply, Reply]>> = {
    nx: [OK, OK, NIL],
    held: [NIL, NIL, NIL],
    both: [OK, OK, OK],
    unmet: [NIL_ARRAY, NIL_ARRAY, NIL_ARRAY],
    counted: [integer(1), integer(2), integer(3)],
    added: [integer(1), integer(2), integer(3)],
    wrong: [OK, NIL, { kind: "error", text: "ERR wrong" }],
  };

  for (const [index, { daemon }] of daemons.entries())
    daemon.reply = ([, key = ""]) => replies[key]?.[index] ?? OK;

  const [nx, held, both, unmet, counted, added, wrong] = await Promise.all([
    client.send("SET nx v NX"),
    client.send("SET held v NX"),
    client.send("SET both v", absent("both")),
    client.send("SET unmet v", absent("unmet")),
    // Its answer shows that it was applied, whatever else its daemons have.
    client.send("INCR counted", absent("counted")),
    errorOf(client.send("SETNX added v")),
    errorOf(client.send("SET wrong v NX")),
  ]);

  assert.deepEqual([nx, held, both, unmet], ["OK", null, "OK", null]);
  assert.ok(["1", "2", "3"].includes(counted ?? ""));
  assert.deepEqual([added.code, wrong.code], ["answers-differ", "answers-differ"]);
  assert.equal(envelopesAt(daemons[0]).length, 1);
});

test("one daemon alone acknowledges no call of an envelope on which members decide", async () => {
  const clock = new HandClock();
  await using scene = await start({ clock, timeout: 1000 });
  const { client, daemons } = scene;
  const [, second, third] = daemons;
  for (const daemon of [second, third]) daemon.passes = () => [];

  const calls = [errorOf(client.send("SET a v NX")), errorOf(client.send("SET b v", absent("b")))];
  let settled = 0;
  for (const call of calls) call.then(() => settled++);
  await untilApplied(daemons, 2);
  await client.send("PING");
  assert.equal(settled, 0);

  clock.advance(1000);
  assert.deepEqual(
    (await Promise.all(calls)).map(({ code }) => code),
    ["too-few-answers", "too-few-answers"],
  );
});

test("a call that is aborted before the signature leaves the conditions of the others in their place", async () => {
  await using scene = await start();
  const { client, daemons } = scene;

  const aborting = (line: string, options: CallOptions = {}) => {
    const controller = new AbortController();
    const failed = errorOf(client.send(line, { ...options, signal: controller.signal }));
    return { failed, abort: () => controller.abort() };
  };
  const rounds = async (...calls: readonly [string, CallOptions?][]) => {
    const aborted = aborting("SET aborted v", absent("aborted"));
    const kept = calls.map(([line, options]) => client.send(line, options));
    aborted.abort();
    await Promise.all(kept);
    assert.equal((await aborted.failed).code, "aborted");
  };

  await rounds(["SET a v", absent("a")]);
  await rounds(["SET b v NX"], ["SET c v", absent("c")]);
  await rounds(["SET d v NX"]);

  await untilApplied(daemons, 4);
  assert.deepEqual(envelopesAt(daemons[0]).map(shown), [
    "decide SET a v if 0:a",
    "decide SET b v NX, SET c v if 0:c",
    "decide SET d v NX",
  ]);
  const [lone] = envelopesAt(daemons[0]) as [Envelope];
  assert.deepEqual([lone.if?.length, lone.ifs], [1, null]);
});

/** Sends calls whose first envelope is refused by all daemons, and returns the envelopes that they apply. */
async function sendRefused(
  scene: Scene,
  refuse: (daemon: ServedDaemon["daemon"], isRefusing: boolean) => void,
  send: () => Promise<unknown>[],
  meanwhile = () => {},
): Promise<string[]> {
  const { daemons } = scene;
  const arrived = daemons.map(({ daemon }) => daemon.arrived.length);
  for (const { daemon } of daemons) refuse(daemon, true);

  const calls = send();
  for (const [index, { daemon }] of daemons.entries()) {
    const passes = daemons[index]?.passes;
    assert.ok(passes !== undefined);
    // The refusals arrive once the daemons accept the next envelope.
    const held: Buffer[] = [];
    const served = daemons[index] as ServedDaemon;
    served.passes = (answers) => {
      if (daemon.arrived.length === (arrived[index] ?? 0) + 1) {
        held.push(...answers);
        refuse(daemon, false);
        meanwhile();
        served.passes = passes;
        return held;
      }
      return answers;
    };
  }

  await Promise.allSettled(calls);
  for (const [index, { daemon }] of daemons.entries())
    await until(
      "an envelope that was signed again",
      () => daemon.arrived.length >= (arrived[index] ?? 0) + 2,
    );
  return envelopesAt(daemons[0]).map(shown);
}

test("calls keep their conditions when their envelope is signed again with another date", async () => {
  await using scene = await start();
  const { client } = scene;
  const applied = await sendRefused(
    scene,
    (daemon, isRefusing) => {
      daemon.clock = isRefusing ? () => Date.now() + 3_600_000 : Date.now;
    },
    () => [
      client.send("SET a v", absent("a")),
      client.send("SET b v NX"),
      client.send("SET c v", absent("c")),
    ],
  );
  assert.deepEqual(applied, ["decide SET a v if 0:a, SET b v NX, SET c v if 0:c"]);
});

test("the last call of an envelope that is signed again keeps its conditions after the others are aborted", async () => {
  await using scene = await start();
  const { client } = scene;
  const controller = new AbortController();
  const applied = await sendRefused(
    scene,
    (daemon, isRefusing) => {
      daemon.clock = isRefusing ? () => Date.now() + 3_600_000 : Date.now;
    },
    () => [
      client.send("SET a v NX", { signal: controller.signal }),
      client.send("SET b v", absent("b")),
      client.send("SET c v", { ...absent("c"), signal: controller.signal }),
    ],
    () => controller.abort(),
  );
  assert.deepEqual(applied, ["decide SET b v if 0:b"]);
});

test("an envelope with conditions of several calls requests a decision, although no daemon of its cluster decides", async () => {
  await using scene = await start({}, 1);
  const { client, daemons } = scene;
  const [first, ...others] = daemons;
  first.daemon.refusal = { code: "cannot-decide", effect: "not-applied" };
  for (const { daemon } of others) daemon.cluster = "d".repeat(32);
  await Promise.allSettled([client.send("SET a v", absent("a")), client.send("SET b v NX")]);
  assert.deepEqual(envelopesAt(first), []);
  for (const daemon of others)
    assert.deepEqual(envelopesAt(daemon).map(shown), ["decide SET a v if 0:a, SET b v NX"]);
  // The client no longer assumes that members decide.
  await client.send("SET c v NX");
  for (const daemon of others) await until("the plain write", () => envelopesAt(daemon).length === 2);
  assert.deepEqual(envelopesAt(others[0]).slice(1).map(shown), ["SET c v NX"]);
});

test("an envelope with conditions of one of its calls names the session's last write", async () => {
  await using scene = await start({ isSession: true });
  const { client, daemons } = scene;
  const third = daemons[2];
  const passes = third.passes;
  third.passes = () => [];
  await client.send("SET k v");
  third.passes = passes;
  await Promise.all([client.send("SET a v NX"), client.send("SET b v NX")]);
  const write = client.lastWrite ?? assert.fail();
  assert.match(write, /0000000[01]$/);
  await Promise.all([client.send("SET c v NX"), client.send("SET d v", absent("d"))]);
  await until("all envelopes", () => envelopesAt(daemons[0]).length === 3);
  const [, without, having] = envelopesAt(daemons[0]) as Envelope[];
  assert.deepEqual([without?.after, having?.ifs?.size], [null, 1]);
  assert.equal(hexOf(having?.after ?? ""), write);
});

const replyOf = (...items: readonly Reply[]): Reply => ({ kind: "array", items });

/** Replies that contradict the flags of a unit of one command that was not applied, and of one that was. */
const CONTRADICTIONS: readonly [flags: string, honest: Reply, lies: readonly Reply[]][] = [
  ["decided unmet", NIL_ARRAY, [replyOf(OK), OK, EMPTY_ARRAY]],
  ["decided", replyOf(OK), [NIL_ARRAY, NIL, EMPTY_ARRAY, OK, replyOf(OK, OK)]],
];

test("a daemon whose reply contradicts its flags counts for no outcome", async () => {
  await using scene = await start();
  const { client, daemons } = scene;
  const [first, second, liar] = daemons.map(({ daemon }) => daemon) as [FakeDaemon, FakeDaemon, FakeDaemon];
  const lock = () => client.multi(["SET lock me"], absent("lock"));

  for (const [flags, honest, lies] of CONTRADICTIONS) {
    for (const lie of lies) {
      for (const daemon of [first, second]) daemon.unit = () => ({ reply: honest, flags });
      liar.unit = () => ({ reply: lie, flags });
      second.refusal = null;
      assert.deepEqual(await lock(), honest === NIL_ARRAY ? null : ["OK"]);

      second.refusal = { code: "cannot-decide", effect: "not-applied" };
      assert.equal((await errorOf(lock())).code, "too-few-answers", "the client does not use the lie");
    }
  }
});

test("one daemon that lies about a reply neither gives a lock nor takes it", async () => {
  await using scene = await start();
  const { client, daemons } = scene;
  const [first, second, liar] = daemons.map(({ daemon }) => daemon) as [FakeDaemon, FakeDaemon, FakeDaemon];
  const calls = [
    { call: () => client.send("SET lock me NX", absent("a")), owned: OK, free: NIL, results: ["OK", null] },
    { call: () => client.send("SETNX lock me", absent("a")), owned: ONE, free: ZERO, results: ["1", "0"] },
    {
      call: () => client.multi(["SET lock me NX"], absent("a")),
      owned: replyOf(OK),
      free: replyOf(NIL),
      results: [["OK"], [null]],
    },
  ];

  for (const { call, owned, free, results } of calls) {
    for (const [index, [honest, lie]] of [[owned, free] as const, [free, owned] as const].entries()) {
      for (const daemon of [first, second]) daemon.unit = () => ({ reply: honest, flags: "decided" });
      liar.unit = () => ({ reply: lie, flags: "decided" });
      second.refusal = null;
      assert.deepEqual(await call(), results[index]);

      second.refusal = { code: "cannot-decide", effect: "not-applied" };
      assert.equal((await errorOf(call())).code, "answers-differ");
    }
  }
});
