/** Tests commands without a signature of version 2, on their way into the timeline. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type {
  DecidedUnits,
  EntryRecorder,
  Recorded,
} from "../../../../daemon/cluster/replica/entry-recorder.js";
import { Gateway, type GatewayUser, type Together } from "../../../../daemon/cluster/replica/gateway.js";
import { NOTHING_CHOSEN } from "../../../../daemon/cluster/replica/recorded-choices.js";
import type { ReplicaContext } from "../../../../daemon/cluster/replica/replica-context.js";
import type { GatewayAnswer } from "../../../../daemon/cluster/replica/waiting-group.js";
import {
  notApplied,
  type Refused,
  type RefusedEnvelope,
  refused,
  unknown,
} from "../../../../daemon/engine/answers/request.js";
import { newLastWrite } from "../../../../daemon/engine/backends/command-path.js";
import type { KeyChangeObservers } from "../../../../daemon/engine/backends/key-change-observers.js";
import { RING_BODY_BYTES_MAX } from "../../../../daemon/engine/pipeline/envelope-checks.js";
import { makeIdentity } from "../../../../daemon/engine/trust/identity.js";
import { loadSigners } from "../../../../daemon/engine/trust/load-signers.js";
import { realEnvironment } from "../../../../daemon/net/process/clock-and-randomness.js";
import { LIMITS } from "../../../../daemon/options/limits.js";
import { Database } from "../../../../daemon/store/database.js";
import type { Entry } from "../../../../daemon/timeline/entries/entry.js";
import { mayChange } from "../../../../daemon/timeline/entries/recorded-envelopes.js";
import type { UnitAnswer } from "../../../../daemon/timeline/fold/fold.js";
import { array, bulk, NIL_ARRAY, type Reply } from "../../../../protocol/reply.js";
import {
  type Choices,
  type Envelope,
  NO_CHOICES,
  readBody,
  unitsIn,
} from "../../../../protocol/version-2/envelope.js";
import { double } from "../../../support/double.js";
import { makeKeyPair } from "../../../support/envelope-client.js";
import { nextTurn, until } from "../../../support/until.js";
import { log } from "../../program/scene.js";

const pair = makeKeyPair();
const root = makeKeyPair();
const NOW = 1_790_000_000_000;

interface Fixture {
  readonly gateway: Gateway;
  readonly entries: Entry[];
  readonly sent: Entry[];
  readonly state: {
    /** Returns what commands choose. */
    choices: (commands: Envelope["commands"]) => Choices;
    now: number;
    /** The uptime in milliseconds; null: the real one. */
    uptime: number | null;
    watermark: number;
    newest: { at: number; seq: number };
    refusal: Refused | null;
    record: ((entry: Entry) => Recorded | RefusedEnvelope) | null;
    /** The decisions of the members of a list; null: there is no list. */
    decide: ((entry: Entry) => Promise<DecidedUnits | RefusedEnvelope>) | null;
    /** Whether results that wait for finality become final. */
    final: Promise<boolean>;
  };
}

/** @param defer  runs a step in the next turn; default: in the next turn of the event loop */
function fixture(rootKey: readonly string[] = [], defer?: (step: () => void) => void): Fixture {
  const entries: Entry[] = [];
  const sent: Entry[] = [];
  const state: Fixture["state"] = {
    choices: () => NO_CHOICES,
    now: NOW,
    uptime: null,
    watermark: 0,
    newest: { at: 0, seq: 0 },
    refusal: null,
    record: null,
    decide: null,
    final: Promise.resolve(true),
  };

  const signers = loadSigners({ signKey: [pair.file], rootKey, clusterName: "dbsync" }, log);
  const identity = makeIdentity();

  const recorder: EntryRecorder = {
    appliesImmediately: true,
    ring: signers.ring,
    records: mayChange,
    get decides() {
      return state.decide !== null;
    },
    decide: (entry) => state.decide?.(entry) ?? assert.fail(),
    get newest() {
      return state.newest;
    },
    get floor() {
      return state.watermark;
    },
    commonClock: NOW,
    sendToPeers: (entry) => void sent.push(entry),
    confirm: () => state.final,
    refusal: () => state.refusal,
    choicesOf: ({ commands }) => ({ ...NOTHING_CHOSEN, ...state.choices(commands) }),
    trialState: { database: new Database(), stepsMax: 1_000_000, unitId: () => "u".repeat(36) },
    record(entry) {
      if (state.record !== null) return state.record(entry);
      entries.push(entry);
      const { commands, at, multi } = entry.envelope;
      for (const argv of commands)
        if (argv[0] === "CLUSTER")
          signers.ring.execute(argv, { at, db: 0, id: "" }, signers.ring.find(pair.id) ?? assert.fail());

      const one = (reply: Reply) => ({ reply, outcome: "applied", late: false }) as const;
      const replies = commands.map((argv) => bulk(argv.join(" ")));
      const answers = unitsIn(entry.envelope).map(({ index, length }) =>
        one(multi || length > 1 ? array(replies.slice(index, index + length)) : (replies[index] as Reply)),
      );
      return { answers, flushed: Promise.resolve() };
    },
  };

  const context = double<ReplicaContext>({
    identity,
    log,
    signers,
    environment: {
      ...realEnvironment,
      clock: () => state.now,
      uptime: () => state.uptime ?? realEnvironment.uptime(),
    },
    settings: { window: { future: 6001 } },
  });
  const gateway = new Gateway(recorder, context, double<KeyChangeObservers>({ senders: null }), defer);
  return { gateway, entries, sent, state };
}

/** A user, of whom each call comes from another connection. */
const user = {
  db: 0,
  as: "ann",
  get lastWrite() {
    return newLastWrite();
  },
};
const together = (
  gateway: Gateway,
  commands: Together["commands"],
  conditions: Together["conditions"],
  by: GatewayUser,
  isDecided?: boolean,
) =>
  new Promise<GatewayAnswer>((resolve) =>
    gateway.sendTogether(
      { commands, conditions, ...(isDecided === undefined ? {} : { isDecided }) },
      by,
      resolve,
    ),
  );
const commandsOf = (entries: readonly Entry[]) =>
  entries.map(({ envelope: { as, db, commands } }) => [as, db, commands.map((argv) => argv.join(" "))]);

test("the daemon's key authorizes itself first; commands of one turn are one envelope for each user", async () => {
  const { gateway, entries, sent } = fixture();
  const answers = await Promise.all([
    gateway.execute(["SET", "a", "1"], user),
    gateway.execute(["SET", "b", "2"], { ...user, as: "bob" }),
    gateway.execute(["SET", "c", "3"], user),
  ]);
  assert.deepEqual(answers, [bulk("SET a 1"), bulk("SET b 2"), bulk("SET c 3")]);
  assert.equal(entries[0]?.envelope.commands[0]?.[0], "CLUSTER");
  assert.deepEqual(commandsOf(entries.slice(1)), [
    ["ann", 0, ["SET a 1", "SET c 3"]],
    ["bob", 0, ["SET b 2"]],
  ]);
  assert.deepEqual(sent, entries);
  await gateway.execute(["SET", "d", "4"], { ...user, as: null });
  assert.deepEqual(commandsOf(entries.slice(3)), [[null, 0, ["SET d 4"]]]);
});

test("commands of the key ring are signed separately, and refused if members would not accept them", async () => {
  const { gateway, entries } = fixture();
  const run = (...argv: string[]) => gateway.execute(argv, user);
  const long = `~${"k".repeat(RING_BODY_BYTES_MAX)}`;

  const answers = await Promise.all([
    ...[run("SET", "a", "1"), run("KEY", "LIST"), run("KEY", "ADD", "x"), run("SET", "b", "2")],
    run("KEY", "RULES", long),
    together(
      gateway,
      [
        ["SET", "c", "3"],
        ["cluster", "ADD", "x"],
      ],
      [],
      user,
    ),
  ]);

  assert.deepEqual(commandsOf(entries.slice(1)), [
    ["ann", 0, ["SET a 1"]],
    ["ann", 0, ["KEY LIST", "KEY ADD x"]],
    ["ann", 0, ["SET b 2"]],
  ]);
  const codes = answers.map((answer) => ("code" in answer ? answer.code : answer.kind));
  assert.deepEqual(codes, ["bulk", "bulk", "bulk", "bulk", "ring-too-long", "not-alone"]);
});

test("commands that arrive while an envelope is being flushed form one envelope, in the order of arrival", async () => {
  const { gateway, entries, state } = fixture();
  await gateway.execute(["SET", "before", "1"], user);

  const written: (() => void)[] = [];
  state.record = (entry) => {
    entries.push(entry);
    const { commands } = entry.envelope;
    const answers = commands.map(
      (argv) => ({ reply: bulk(argv.join(" ")), outcome: "applied", late: false }) as const,
    );
    return { answers, flushed: new Promise((resolve) => written.push(resolve)) };
  };

  const answers = [gateway.execute(["SET", "a", "1"], user)];
  await nextTurn();
  for (const key of ["b", "c"]) {
    answers.push(gateway.execute(["SET", key, "1"], user));
    await nextTurn();
    await nextTurn();
  }

  assert.equal(entries.length, 3, "the later envelopes wait for the disk");
  written.shift()?.();
  assert.deepEqual(await answers[0], bulk("SET a 1"));
  await until("the later envelopes are on the disk", () => written.length > 0, { pause: nextTurn });
  written.shift()?.();
  assert.deepEqual(await Promise.all(answers), [bulk("SET a 1"), bulk("SET b 1"), bulk("SET c 1")]);
  assert.deepEqual(
    commandsOf(entries.slice(2)).map(([, , commands]) => commands),
    [["SET a 1"], ["SET b 1", "SET c 1"]],
  );
});

test("a user's commands keep their order across databases", async () => {
  const { gateway, entries } = fixture();
  const dbs = [0, 1, 0];
  await Promise.all(dbs.map((db, i) => gateway.execute(["SET", "k", String(i)], { ...user, db })));
  assert.deepEqual(commandsOf(entries.slice(1)), [
    ["ann", 0, ["SET k 0"]],
    ["ann", 1, ["SET k 1"]],
    ["ann", 0, ["SET k 2"]],
  ]);
});

const WATCHED = [{ db: 0, key: "k", writer: "w".repeat(36) }];
const decidedBy = (entry: Entry, answer: UnitAnswer): DecidedUnits => ({
  orderKey: { at: NOW + 9, seq: 0, id: `decision of ${entry.envelope.commands[0]?.join(" ")}` },
  answers: [answer],
});

test("the members decide on a unit with watched keys, which is not recorded, and no other unit waits for it", async () => {
  const { gateway, entries, state } = fixture();
  const asked: Entry[] = [];
  const decide: ((decided: DecidedUnits | RefusedEnvelope) => void)[] = [];
  state.decide = (entry) => {
    asked.push(entry);
    return new Promise((resolve) => decide.push(resolve));
  };
  const lastWrite = newLastWrite();
  const one = together(gateway, [["SETNX", "other", "1"]], WATCHED, { ...user, lastWrite });
  const two = ["2", "3"].map((n) => ["SET", "k", n]);
  const [unmet, refusedUnit] = [together(gateway, two, WATCHED, user), together(gateway, two, WATCHED, user)];
  assert.deepEqual(await gateway.execute(["SET", "a", "1"], user), bulk("SET a 1"));
  assert.deepEqual(await together(gateway, two, [], user), array([bulk("SET k 2"), bulk("SET k 3")]));
  assert.deepEqual(
    asked.map(({ envelope: { decide, multi, if: conditions, as } }) => ({ decide, multi, conditions, as })),
    asked.map(() => ({ decide: true, multi: true, conditions: WATCHED, as: "ann" })),
    "a single command is a unit as well, whose own condition is not decided",
  );
  assert.equal(asked.length, 3);
  assert.deepEqual(
    asked.map(({ body }) => readBody(body)),
    asked.map(({ envelope }) => envelope),
  );
  assert.equal(lastWrite.unapplied, 1, "its sender's next command waits");

  const [first, second, third] = asked as [Entry, Entry, Entry];
  const decided = decidedBy(first, { reply: array([bulk("0")]), outcome: "applied", late: false });
  decide[0]?.(decided);
  assert.deepEqual(await one, array([bulk("0")]));
  assert.deepEqual(lastWrite, { orderKey: decided.orderKey, unapplied: 0, deciding: null, following: 0 });
  decide[1]?.(decidedBy(second, { reply: NIL_ARRAY, outcome: "unmet", late: false }));
  assert.equal(await unmet, NIL_ARRAY);
  const refusal = notApplied(third.id, refused("cannot-decide", "too many units wait"));
  decide[2]?.(refusal);
  assert.equal(await refusedUnit, refusal);
  assert.deepEqual(
    commandsOf(entries.slice(1)).map(([, , commands]) => commands),
    [["SET a 1"], ["SET k 2", "SET k 3"]],
  );
});

test("a unit that the members may have applied is not answered with a failure of this daemon's disk", async () => {
  const { gateway, state } = fixture();
  state.decide = ({ id }) => Promise.resolve(unknown(notApplied(id, refused("storage-failed", "no space"))));
  const answer = await together(gateway, [["SET", "k", "1"]], WATCHED, user);
  assert.equal(answer.kind === "refused" && answer.code, "undecided");
});

test("a unit with watched keys is recorded if there is no list, if the listener repeats it, or if it concerns the key ring", async () => {
  const { gateway, entries, state } = fixture();
  const set = [["SET", "k", "1"]];
  await together(gateway, set, WATCHED, user);
  state.decide = () => assert.fail();
  await together(gateway, set, WATCHED, user, false);
  await together(gateway, [["KEY", "LIST"]], WATCHED, user);
  assert.deepEqual(
    entries
      .slice(1)
      .map(({ envelope: { decide, multi, if: conditions } }) => ({ decide, multi, conditions })),
    Array.from({ length: 3 }, () => ({ decide: false, multi: false, conditions: WATCHED })),
  );
});

test("a unit of several commands shares an envelope with others, unless it has watched keys", async () => {
  const { gateway, entries } = fixture();
  const watched = { db: 0, key: "k", writer: "" };
  const answers = await Promise.all([
    gateway.execute(["SET", "a", "1"], user),
    together(
      gateway,
      [
        ["GET", "a"],
        ["DEL", "a"],
      ],
      [watched],
      user,
    ),
    gateway.execute(["SET", "b", "2"], user),
    together(
      gateway,
      ["2", "3"].map((n) => ["INCRBY", "b", n]),
      [],
      user,
    ),
    together(gateway, [["DEL", "b"]], [], user),
    together(gateway, [["DEL", "c"]], [], { ...user, db: 1 }),
    together(
      gateway,
      ["4", "5"].map((n) => ["INCRBY", "c", n]),
      [],
      { ...user, db: 2 },
    ),
  ]);

  assert.deepEqual(answers, [
    bulk("SET a 1"),
    array([bulk("GET a"), bulk("DEL a")]),
    bulk("SET b 2"),
    array([bulk("INCRBY b 2"), bulk("INCRBY b 3")]),
    array([bulk("DEL b")]),
    array([bulk("DEL c")]),
    array([bulk("INCRBY c 4"), bulk("INCRBY c 5")]),
  ]);

  assert.deepEqual(
    entries.slice(1).map(({ envelope: { multi, units, if: conditions } }) => [multi, units, conditions]),
    [
      [false, null, null],
      [true, null, [watched]],
      [false, [1, 2, 1], null],
      [false, null, null],
      [true, null, null],
    ],
  );
  assert.deepEqual(
    commandsOf(entries.slice(1)).map(([, , commands]) => commands),
    [
      ["SET a 1"],
      ["GET a", "DEL a"],
      ["SET b 2", "INCRBY b 2", "INCRBY b 3", "DEL b"],
      ["DEL c"],
      ["INCRBY c 4", "INCRBY c 5"],
    ],
  );
});

test("an answer that has to be final waits; the other answers of its envelope do not", async () => {
  const { gateway, entries, state } = fixture();
  let come: (isFinal: boolean) => void = () => {};
  state.final = new Promise((resolve) => {
    come = resolve;
  });

  let isStable = false;
  const stable = gateway.execute(["SET", "a", "1"], { ...user, isStable: true }).finally(() => {
    isStable = true;
  });

  assert.deepEqual(await gateway.execute(["SET", "b", "2"], user), bulk("SET b 2"));
  assert.equal(entries.length, 2);
  assert.equal(isStable, false);
  come(true);
  assert.deepEqual(await stable, bulk("SET a 1"));

  state.final = Promise.resolve(false);
  const late = await gateway.execute(["SET", "c", "3"], { ...user, isStable: true });
  assert.equal(late.kind === "refused" && late.code, "not-stable");
});

test("the gateway dates envelopes after its last one, all applied entries and the watermark", async () => {
  const { gateway, entries, state } = fixture();
  const write = () => gateway.execute(["SET", "k", "v"], user);
  const date = () => {
    const { at, seq } = entries.at(-1)?.envelope ?? assert.fail();
    return [at - NOW, seq];
  };

  await write();
  assert.deepEqual(date(), [0, 1], "the date follows that of the authorization");

  state.now += 10;
  await write();
  assert.deepEqual(date(), [10, 0]);

  state.now -= 1000;
  await write();
  assert.deepEqual(date(), [10, 1], "a clock that goes back");

  state.newest = { at: NOW + 3000, seq: 65_535 };
  await write();
  assert.deepEqual(date(), [3001, 0], "a client that dated ahead");

  state.watermark = NOW + 5000;
  await write();
  assert.deepEqual(date(), [5001, 0], "nothing at or before the watermark would be accepted");
});

test("the gateway answers commands with the refusal of their envelope, or a disk failure", async () => {
  const { gateway, state } = fixture();
  state.refusal = refused("catching-up", "");
  assert.deepEqual(await gateway.execute(["SET", "k", "v"], user), state.refusal);
  state.refusal = null;
  state.record = ({ id }) => ({ ...refused("too-old", ""), id, effect: "not-applied" });
  const refusal = await gateway.execute(["SET", "k", "v"], user);
  assert.equal(refusal.kind === "refused" && refusal.code, "too-old");
  const flushed = Promise.reject(new Error("no space"));
  flushed.catch(() => {});
  state.record = ({ envelope }) => ({
    answers: envelope.commands.map(() => ({ reply: bulk(""), outcome: "applied", late: false }) as const),
    flushed,
  });
  const lost = await gateway.execute(["SET", "k", "v"], user);
  assert.equal(lost.kind === "refused" && lost.code, "storage-failed");
});

test("if there are administrators, one of them has to authorize the key", async () => {
  const { gateway, entries } = fixture([root.file]);
  const refusal = await gateway.execute(["SET", "k", "v"], user);
  assert.ok(refusal.kind === "refused" && refusal.code === "not-let-in");
  assert.match(
    refusal.detail,
    /^As administrator run: dbsync send -k root-private\.pem CLUSTER ADD [A-Za-z0-9+/=]+$/,
  );
  assert.deepEqual(entries, []);
});

test("the gateway divides many commands of one turn into several envelopes", async () => {
  const { gateway, entries } = fixture();
  const value = "v".repeat(100_000);
  await Promise.all([1, 2, 3, 4].map((i) => gateway.execute(["SET", `k${i}`, value], user)));
  assert.deepEqual(
    entries.slice(1).map(({ envelope }) => envelope.commands.length),
    [3, 1],
  );
});

test("no envelope is dated further ahead of the clock than a client may date", async () => {
  const { gateway, entries, state } = fixture();
  await gateway.execute(["SET", "k", "v"], user);
  state.newest = { at: NOW + 6002, seq: 0 };
  const refusal = await gateway.execute(["SET", "k", "v"], user);
  assert.deepEqual(refusal, refused("clock-off", "its date would be 6002 ms ahead of the clock"));
  assert.equal(entries.length, 2);
  state.now += 1;
  assert.equal((await gateway.execute(["SET", "k", "v"], user)).kind, "bulk");
});

test("a command that would be longer than other daemons accept, once signed, is refused", async () => {
  const { gateway, entries } = fixture();
  const long = "x".repeat(LIMITS.maxRequestBytes.max / 2);
  const answer = await gateway.execute(["RPUSH", "k", long, long], user);
  assert.equal("code" in answer && answer.code, "command-too-long");
  assert.deepEqual(entries, []);
});

test("watched keys count towards the length of a transaction", async () => {
  const { gateway, entries } = fixture();
  const key = "x".repeat(LIMITS.maxRequestBytes.max / 2);
  const conditions = [1, 2, 3].map((db) => ({ db, key, writer: "" }));
  const answer = await together(gateway, [["SET", "k", "v"]], conditions, user);
  assert.equal("code" in answer && answer.code, "command-too-long");
  assert.deepEqual(entries, []);
});

test("a command that would be longer than any string, once encoded, is refused", async () => {
  const { gateway } = fixture();
  const long = "x".repeat(LIMITS.maxRequestBytes.max);
  const answer = await gateway.execute(["RPUSH", "k", long, long, long], user);
  assert.equal("code" in answer && answer.code, "command-too-long");
});

test("a claim that takes more than other daemons accept, once signed, is refused before it takes anything", async () => {
  const { gateway, entries, state } = fixture();
  await gateway.execute(["SET", "first", "1"], user);
  const recorded = entries.length;

  const long = "x".repeat(LIMITS.maxRequestBytes.max / 2);
  state.choices = (commands) => {
    const choices = commands.flatMap(([name], i) => (name === "LPOP" ? [[i, [long, long]] as const] : []));
    return { choices: choices.length > 0 ? new Map(choices) : null, expiries: null };
  };

  const lines = [
    ["SET", "a", "1"],
    ["LPOP", "k", "2"],
    ["SET", "b", "2"],
  ];
  const answers = await Promise.all(lines.map((argv) => gateway.execute(argv, user)));
  const codes = answers.map((answer) => ("code" in answer ? answer.code : answer.kind));
  assert.deepEqual(codes, ["bulk", "command-too-long", "bulk"]);

  const answer = await together(gateway, lines, [], user);
  assert.equal("code" in answer && answer.code, "command-too-long");

  const names = entries.slice(recorded).flatMap(({ envelope }) => envelope.commands.map((argv) => argv[1]));
  assert.deepEqual(names, ["a", "b"]);
});

test("reads that follow a claim that takes too much run, and its sender's later commands do not wait for it", async () => {
  const { gateway, state } = fixture();
  const long = "x".repeat(LIMITS.maxRequestBytes.max / 2);
  state.choices = () => ({ choices: new Map([[0, [long, long]]]), expiries: null });
  const lastWrite = newLastWrite();
  const sender = { ...user, lastWrite };
  const steps: string[] = [];
  const answer = gateway.execute(["LPOP", "k", "2"], sender);
  gateway.readAfter(sender, { run: () => void steps.push("run"), end: () => void steps.push("end") });
  const refused = await answer;
  assert.equal("code" in refused && refused.code, "command-too-long");
  await together(gateway, [["LPOP", "k", "2"]], [], sender);
  assert.deepEqual({ steps, unapplied: lastWrite.unapplied }, { steps: ["run", "end"], unapplied: 0 });
});

test("reads that no unit of their group precedes run and end once", async () => {
  const { gateway } = fixture();
  const steps: string[] = [];
  for (const name of ["a", "b"])
    gateway.readAfter(user, {
      run: () => void steps.push(`run ${name}`),
      end: () => void steps.push(`end ${name}`),
    });
  await gateway.execute(["SET", "k", "v"], user);
  assert.deepEqual(steps, ["run a", "run b", "end a", "end b"]);
});

test("commands that are too costly as one envelope are recorded one by one, and only the costly one is refused", async () => {
  const { gateway, entries, sent, state } = fixture();
  await gateway.execute(["SET", "first", "1"], user);

  const signed: string[][] = [];
  state.record = (entry) => {
    const lines = entry.envelope.commands.map((argv) => argv.join(" "));
    signed.push(lines);
    if (lines.some((line) => line.includes("large")))
      return notApplied(entry.id, refused("too-much", "on this daemon's state"));
    entries.push(entry);
    const answers = lines.map((line) => ({ reply: bulk(line), outcome: "applied", late: false }) as const);
    return { answers, flushed: Promise.resolve() };
  };

  const before = sent.length;
  const names = ["a", "large", "b"];
  const answers = await Promise.all(names.map((name) => gateway.execute(["SET", name, "1"], user)));

  assert.deepEqual(signed[0], ["SET a 1", "SET large 1", "SET b 1"]);
  assert.deepEqual(signed.slice(1), [["SET a 1"], ["SET large 1"], ["SET b 1"]]);
  assert.deepEqual([answers[0], answers[2]], [bulk("SET a 1"), bulk("SET b 1")]);
  assert.match(JSON.stringify(answers[1]), /too-much|TOOMUCH/i);
  assert.equal(sent.length - before, 2);
});

for (const { what, elapsed, users, expected } of [
  { what: "of several users in one turn", elapsed: 2, users: ["a", "b", "c"], expected: [3] },
  { what: "of several users until 5 ms have passed", elapsed: 5, users: ["a", "b", "c"], expected: [2, 1] },
  { what: "of one user in each turn if it takes longer", elapsed: 6, users: ["a", "b"], expected: [1, 1] },
  { what: "that are too costly together in a turn each", elapsed: 0, users: ["a", "a"], expected: [0, 1, 1] },
])
  test(`the gateway signs commands ${what}`, async () => {
    const steps: (() => void)[] = [];
    const turn = () => {
      for (const step of steps.splice(0)) step();
    };
    const { gateway, entries, state } = fixture([], (step) => void steps.push(step));
    const first = gateway.execute(["SET", "first", "1"], user);
    turn();
    await first;

    let uptime = 0;
    state.uptime = uptime;
    state.record = (entry) => {
      const { commands } = entry.envelope;
      if (commands.length > 1) return notApplied(entry.id, refused("too-much", "on this daemon's state"));
      entries.push(entry);
      state.uptime = uptime += elapsed;
      return { answers: [{ reply: bulk(""), outcome: "applied", late: false }], flushed: Promise.resolve() };
    };
    const answers = Promise.all(users.map((as) => gateway.execute(["SET", "k", "1"], { ...user, as })));
    const signed: number[] = [];
    while (steps.length > 0) {
      const before = entries.length;
      turn();
      signed.push(entries.length - before);
    }
    assert.deepEqual(signed, expected);
    assert.ok((await answers).every(({ kind }) => kind === "bulk"));
  });

test("a transaction that is too costly is refused completely, and not signed again", async () => {
  const { gateway, state } = fixture();
  await gateway.execute(["SET", "first", "1"], user);
  let signed = 0;
  state.record = (entry) => {
    signed++;
    return notApplied(entry.id, refused("too-much", "on this daemon's state"));
  };
  const answer = await together(
    gateway,
    [
      ["SET", "a", "1"],
      ["SET", "large", "1"],
    ],
    [],
    user,
  );
  assert.match(JSON.stringify(answer), /too-much|TOOMUCH/i);
  assert.equal(signed, 1);
});
