/**
 * Tests the order of a connection's commands if the members decide on some of them. Source:
 * docs/decisions/0081-decided-keys.md.
 */
import "../../../support/installed-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import type { DecisionResult, EntryRecorder } from "../../../../daemon/cluster/replica/entry-recorder.js";
import { Gateway } from "../../../../daemon/cluster/replica/gateway.js";
import { GatewayPath } from "../../../../daemon/cluster/replica/gateway-path.js";
import { ProgramTurns } from "../../../../daemon/cluster/replica/program-turns.js";
import { NOTHING_CHOSEN } from "../../../../daemon/cluster/replica/recorded-choices.js";
import type { ReplicaContext } from "../../../../daemon/cluster/replica/replica-context.js";
import type { TimelineBackend } from "../../../../daemon/cluster/replica/timeline-backend.js";
import {
  notApplied,
  type Refused,
  type RefusedEnvelope,
  refused,
  unknown,
} from "../../../../daemon/engine/answers/request.js";
import type {
  CommandSender,
  LastWrite,
  StepRunner,
} from "../../../../daemon/engine/backends/command-path.js";
import type { KeyChangeObservers } from "../../../../daemon/engine/backends/key-change-observers.js";
import type { LocalUnit, LocalUnits } from "../../../../daemon/engine/backends/local-units.js";
import { makeIdentity } from "../../../../daemon/engine/trust/identity.js";
import { loadSigners } from "../../../../daemon/engine/trust/load-signers.js";
import { type Environment, realEnvironment } from "../../../../daemon/net/process/clock-and-randomness.js";
import { commandTable } from "../../../../daemon/store/command-table.js";
import { Database } from "../../../../daemon/store/database.js";
import type { Command } from "../../../../daemon/store/rows/command-row.js";
import type { Entry } from "../../../../daemon/timeline/entries/entry.js";
import { mayChange } from "../../../../daemon/timeline/entries/recorded-envelopes.js";
import { array, bulk, NIL_ARRAY, type Reply } from "../../../../protocol/reply.js";
import type { Envelope } from "../../../../protocol/version-2/envelope.js";
import { double } from "../../../support/double.js";
import { makeKeyPair } from "../../../support/envelope-client.js";
import { pause } from "../../../support/pause.js";
import { nextTurn, until } from "../../../support/until.js";
import { log } from "../../program/scene.js";

const pair = makeKeyPair();
const NOW = 1_790_000_000_000;

const shown = ({ envelope: { commands, multi, choices } }: Entry): string => {
  const text = commands.map((argv) => argv.join(" ")).join("; ");
  return `${multi ? `(${text})` : text}${choices === null ? "" : " with choices"}`;
};

/** A command path whose decisions the test makes, and what it has done in order. */
function scene() {
  const done: string[] = [];
  const decisions: {
    readonly entry: Entry;
    readonly end: (decided: DecisionResult | RefusedEnvelope) => void;
  }[] = [];
  const signers = loadSigners({ signKey: [pair.file], rootKey: [], clusterName: "dbsync" }, log);
  const identity = makeIdentity();
  const { ring } = signers;
  ring.patterns = ring.patterns.with({ glob: "d:*", db: null, announcedAt: 1, isBegun: false });
  const state = {
    flushed: Promise.resolve(),
    refusal: null as Refused | null,
    clock: NOW,
    commonClock: NOW,
    newest: 0,
    uptime: 0,
    timers: [] as number[],
    /** Whether no timer ends. */
    isTimeStopped: false,
  };
  const setTimer: Environment["setTimer"] = (milliseconds, step) =>
    state.isTimeStopped ? () => {} : realEnvironment.setTimer(milliseconds, step);
  const turns = new ProgramTurns({
    uptime: () => (state.isTimeStopped ? 0 : realEnvironment.uptime()),
    setTimer,
  });
  const recorder = double<EntryRecorder>({
    appliesImmediately: true,
    ring,
    records: mayChange,
    decides: true,
    get newest() {
      return { at: state.newest, seq: 0, id: "" };
    },
    floor: 0,
    get commonClock() {
      return state.commonClock;
    },
    refusal: () => state.refusal,
    sendToPeers: () => {},
    choicesOf: ({ commands }) =>
      commands[0]?.[0] === "LPOP"
        ? { ...NOTHING_CHOSEN, choices: new Map([[0, ["chosen"]]]) }
        : NOTHING_CHOSEN,
    programTurns: turns,
    trialState: { database: new Database(), stepsMax: 1_000_000, unitId: () => "u".repeat(36) },
    decide(entry, { isPatient, isTried } = {}) {
      assert.ok(!isTried || entry.envelope.multi, "commands have not run before");
      done.push(`decide ${shown(entry)}${isPatient ? " patiently" : ""}`);
      return new Promise((end) => decisions.push({ entry, end }));
    },
    record(entry) {
      const { commands, at, multi } = entry.envelope;
      for (const argv of commands)
        if (argv[0] === "CLUSTER")
          ring.execute(argv, { at, db: 0, id: "" }, ring.find(pair.id) ?? assert.fail());
      if (commands[0]?.[0] !== "CLUSTER") done.push(`record ${shown(entry)}`);
      const replies = commands.map((argv) => bulk(argv.join(" ")));
      const one = (reply: Reply) => ({ reply, outcome: "applied", late: false }) as const;
      return { answers: multi ? [one(array(replies))] : replies.map(one), flushed: state.flushed };
    },
  });
  const context = double<ReplicaContext>({
    identity,
    log,
    signers,
    environment: {
      ...realEnvironment,
      clock: () => state.clock,
      // Each turn has room for all programs.
      uptime: () => state.uptime,
      setTimer(milliseconds, step) {
        state.timers.push(milliseconds);
        return setTimer(milliseconds, step);
      },
    },
    settings: { window: { future: 6001 } },
  });
  const gateway = new Gateway(
    recorder,
    context,
    double<KeyChangeObservers>({ senders: null, areObserved: false }),
  );
  const backend = double<TimelineBackend>({
    observer: null,
    standstill: null,
    flushing: null,
    shows: () => true,
    readFromNow: () => {},
    database: double<Database>({ runUncounted: <Result>(read: () => Result) => read() }),
    run: (_: Command, argv: readonly string[]) => {
      done.push(`read ${argv.join(" ")}`);
      return bulk(argv.join(" "));
    },
  });
  const path = new GatewayPath(
    backend,
    gateway,
    double<LocalUnits>({ joined: () => double<LocalUnit>({}) }),
    () => null,
  );

  const isAuthorized = () => ring.find(identity.id) !== undefined;
  const sender = (): CommandSender & { readonly lastWrite: LastWrite } => ({
    ...{ db: 0, as: "ann", now: NOW, isStable: false, readsAll: true },
    lastWrite: { orderKey: null, unapplied: 0, deciding: null, following: 0 },
  });
  const checked = (line: string) => {
    const argv = line.split(" ");
    return { command: commandTable.resolve(argv) as Command, argv };
  };
  const textOf = (reply: Reply): string =>
    (reply.kind === "error" ? reply.text.split(" ")[0] : reply.kind) as string;
  const send = async (by: CommandSender, line: string): Promise<string> => {
    const { command, argv } = checked(line);
    return textOf(await path.execute(command, argv, by));
  };
  const exec = async (by: CommandSender, ...lines: string[]): Promise<string> =>
    textOf(await path.executeTogether(lines.map(checked), [], by));

  /** Runs a program that executes commands, and notes each run. @param keys  the keys that its client declares */
  const script = async (
    by: CommandSender,
    lines: readonly string[],
    { keys = [] as readonly string[], readsOnly = false } = {},
  ): Promise<string> => {
    let runs = 0;
    const program = (run: StepRunner) => {
      done.push(`run ${lines.join("; ")}`);
      for (const { command, argv } of lines.map(checked)) run(command, argv, 0);
      return bulk(`run ${++runs}`);
    };
    const reply = await path.executeInSteps(program, [], by, { readsOnly, keys: () => keys });
    return reply.kind === "bulk" ? String(reply.bytes) : textOf(reply);
  };

  /** Waits until a decision is requested, and ends it. */
  const decide = async (end?: (entry: Entry) => RefusedEnvelope | DecisionResult | null): Promise<void> => {
    await until("a decision is requested", () => decisions.length > 0, { pause: nextTurn });
    const decision = decisions.shift() ?? assert.fail();
    const { entry } = decision;
    done.push("decided");
    const { commands, multi } = entry.envelope;
    const replies = commands.map((argv) => bulk(argv.join(" ")));
    const one = (reply: Reply) => ({ reply, outcome: "applied", late: false }) as const;
    const answers = multi ? [one(array(replies))] : replies.map(one);
    decision.end(end?.(entry) ?? { orderKey: { at: NOW + 9, seq: 0, id: entry.id }, answers });
  };
  return { done, decisions, decide, send, exec, script, sender, state, path, turns, identity, isAuthorized };
}

const undecided = ({ id }: Entry) => unknown(notApplied(id, refused("undecided", "not in time")));
const unmetDecision = ({ id }: Entry): DecisionResult => ({
  orderKey: { at: NOW + 5, seq: 0, id },
  answers: [{ reply: NIL_ARRAY, outcome: "unmet", late: false }],
});
const refusedDecision = ({ id }: Entry) => notApplied(id, refused("cannot-decide", "too few members"));

test("the commands of a connection take effect in the order in which they were sent", async () => {
  const { done, decide, send, exec, sender } = scene();
  const by = sender();
  const answers = [
    ...["SET a 1", "INCR d:x", "INCR d:y", "GET d:x", "INCR d:x", "SET b 1"].map((line) => send(by, line)),
    exec(by, "INCR d:z", "SET c 1"),
    ...["GET a", "INCR d:x", "SET e 1", "GET e", "INCR d:x"].map((line) => send(by, line)),
  ];

  for (let i = 0; i < 5; i++) await decide();
  await Promise.all(answers);
  assert.deepEqual(done, [
    ...[
      "record SET a 1",
      "decide INCR d:x; INCR d:y",
      "decided",
      "read GET d:x",
      "decide INCR d:x",
      "decided",
    ],
    ...[
      "record SET b 1",
      "decide (INCR d:z; SET c 1)",
      "decided",
      "read GET a",
      "decide INCR d:x",
      "decided",
    ],
    ...["record SET e 1", "read GET e", "decide INCR d:x", "decided"],
  ]);

  assert.deepEqual([by.lastWrite.unapplied, by.lastWrite.following, by.lastWrite.deciding], [0, 0, null]);
});

test("a decided command is requested after the earlier commands of its connection are signed", async () => {
  const { done, decide, send, sender, state } = scene();
  const by = sender();
  let flushed: () => void = () => {};
  state.flushed = new Promise((resolve) => {
    flushed = resolve;
  });

  const first = send(by, "SET first 1");
  await nextTurn();
  await nextTurn();
  // The next envelope waits for the disk.
  const answers = [first, send(by, "SET a 1"), send(by, "COPY a d:a"), send(by, "INCR d:a")];
  for (let i = 0; i < 5; i++) await nextTurn();

  const other = send(sender(), "INCR d:b");
  await decide();
  assert.deepEqual(done.slice(1), ["decide INCR d:b", "decided"]);

  flushed();
  await decide();
  await Promise.all([...answers, other]);
  assert.deepEqual(done.slice(3), ["record SET a 1", "decide COPY a d:a; INCR d:a", "decided"]);
});

test("an envelope to decide is dated before the median clock, but not before the writes of its senders", async () => {
  const { decisions, decide, send, exec, sender, state } = scene();
  const dates: number[] = [];
  const decideDated = async (): Promise<void> => {
    await until("a decision is requested", () => decisions.length > 0, { pause: nextTurn });
    dates.push((decisions[0]?.entry.envelope.at ?? 0) - NOW);
    await decide();
  };

  state.clock = NOW - 5_000;
  await send(sender(), "SET a 0");
  state.clock = NOW;
  await send(sender(), "SET a 0");

  // This machine's clock is ahead of those of the others, which date the decisions.
  state.commonClock = NOW - 1_900;
  const by = sender();
  for (const sent of [() => send(by, "INCR d:x"), () => send(by, "INCR d:x"), () => exec(by, "INCR d:x")]) {
    const answer = sent();
    await decideDated();
    await answer;
    by.lastWrite.orderKey = { at: NOW - 2_000, seq: 0, id: "" };
  }
  assert.deepEqual(
    dates.splice(0),
    [0, -1_901, -1_901],
    "of a new connection, the last write of the daemon counts",
  );

  const answers = [send(by, "SET a 1"), send(by, "INCR d:x")];
  await decideDated();
  answers.push(send(by, "SET a 2"), exec(by, "INCR d:x"));
  await decideDated();
  await Promise.all(answers);
  const [first = 0, second = 0] = dates;
  assert.ok(first >= 0 && second >= first, dates.join());
});

test("entries that clients date ahead delay no decision of a connection that has written nothing", async () => {
  const { decisions, decide, send, sender, state } = scene();
  const first = send(sender(), "SET a 1");
  await first;
  state.newest = NOW + 4_000;
  await send(sender(), "SET a 2");
  const answer = send(sender(), "INCR d:x");
  await until("a decision is requested", () => decisions.length > 0, { pause: nextTurn });
  assert.equal(decisions[0]?.entry.envelope.at, NOW);
  await decide();
  await answer;
});

test("no decision is dated before the authorization of the daemon's key", async () => {
  const { decisions, decide, send, sender, state } = scene();
  state.newest = NOW + 4_000;
  const answer = send(sender(), "INCR d:x");
  await until("a decision is requested", () => decisions.length > 0, { pause: nextTurn });
  assert.equal(decisions[0]?.entry.envelope.at, NOW + 4_000);
  await decide();
  await answer;
});

test("a connection whose last write is dated ahead delays no other one, and its commands keep their order", async () => {
  const { decisions, decide, send, sender, state } = scene();
  const [by, other] = [sender(), sender()];
  await send(other, "SET a 1");
  by.lastWrite.orderKey = { at: NOW + 4_000, seq: 0, id: "" };
  const requested = () => decisions.map(({ entry }) => `${entry.envelope.at - NOW} ${shown(entry)}`);

  const answers = [send(by, "INCR d:1"), send(other, "INCR d:2")];
  await until("both are requested", () => decisions.length === 2, { pause: nextTurn });
  assert.deepEqual(requested(), ["4000 INCR d:1", "0 INCR d:2"]);

  state.commonClock = NOW + 4_000;
  answers.push(send(by, "INCR d:3"), send(sender(), "INCR d:4"));
  await decide();
  await decide();
  await until("the next ones are requested", () => decisions.length === 2, { pause: nextTurn });
  assert.deepEqual(
    requested()
      .map((one) => one.split(" ").slice(1).join(" "))
      .sort(),
    ["INCR d:3", "INCR d:4"],
  );

  await decide();
  await decide();
  await Promise.all(answers);
});

test("commands that need too many steps together are decided in smaller envelopes", async () => {
  const { done, decide, send, sender } = scene();
  const tooMuch = ({ id }: Entry) => notApplied(id, refused("too-much", "on this daemon's state"));
  const lines = Array.from({ length: 10 }, (_, i) => (i === 1 ? "SETRANGE d:a 9 x" : `INCR d:${i}`));

  const by = sender();
  const answers = lines.map((line) => send(by, line));
  const sizes = [10, 5, 3, 2, 1, 2, 1, 1, 2, 3, 2];
  for (const _ of sizes)
    await decide((entry) => (/SETRANGE|(;.*){3}/.test(shown(entry)) ? tooMuch(entry) : null));

  assert.deepEqual(
    await Promise.all(answers),
    lines.map((line) => (line.startsWith("SETRANGE") ? "TOOMUCH" : "bulk")),
  );
  const requests = done.filter((one) => one.startsWith("decide "));
  assert.deepEqual(
    requests.map((one) => one.split(";").length),
    sizes,
  );
});

test("commands that arrive while the members decide share the next envelope", async () => {
  const { done, decide, send, sender } = scene();
  const by = sender();
  const first = send(by, "INCR d:0");
  await nextTurn();
  await nextTurn();
  const rest = Array.from({ length: 600 }, (_, i) => send(i % 2 === 0 ? by : sender(), `INCR d:${i}`));
  for (let i = 0; i < 4; i++) await decide();
  await Promise.all([first, ...rest]);
  const requests = done.filter((one) => one.startsWith("decide "));
  assert.deepEqual(
    requests.map((one) => one.split(";").length),
    [1, 256, 256, 88],
  );
});

test("the next commands of clients that have just been answered share an envelope with those that wait", async () => {
  const { done, decide, send, script, sender, state } = scene();
  state.isTimeStopped = true;
  const [ann, bob] = [sender(), sender()];

  const first = send(ann, "INCR d:0");
  await nextTurn();
  await nextTurn();
  const waiting = send(bob, "INCR d:1");
  await decide();
  await first;
  await nextTurn();
  await nextTurn();

  const again = send(ann, "INCR d:2");
  await decide();
  await Promise.all([waiting, again]);

  const scripts = [ann, bob].map((by, n) => script(by, [`SET d:${n} 1`], { keys: [`d:${n}`] }));
  await decide();
  await Promise.all(scripts);

  const requests = done.filter((one) => one.startsWith("decide "));
  assert.deepEqual(requests, [
    "decide INCR d:0",
    "decide INCR d:1; INCR d:2",
    "decide (SET d:0 1; SET d:1 1)",
  ]);
});

test("after an unknown effect the commands that the connection has already sent are not executed", async () => {
  const { done, decide, send, exec, sender } = scene();
  const [by, other] = [sender(), sender()];

  const answers = [send(by, "INCR d:x")];
  await nextTurn();
  await nextTurn();
  answers.push(
    ...["INCR d:y", "SET a 1", "GET a", "INCR d:z"].map((line) => send(by, line)),
    exec(by, "INCR d:x"),
  );
  const ofOther = send(other, "INCR d:o");
  await decide(undecided);
  await decide();

  assert.deepEqual(await Promise.all(answers), ["MAYBEAPPLIED", ...Array(5).fill("NOTAPPLIED")]);
  assert.equal(await ofOther, "bulk");
  assert.deepEqual(done, ["decide INCR d:x", "decided", "decide INCR d:o", "decided"]);
  assert.deepEqual([by.lastWrite.unapplied, by.lastWrite.following, by.lastWrite.deciding], [0, 0, null]);
  assert.equal(await send(by, "SET a 2"), "bulk");
});

test("after an unknown effect of a transaction the commands after it are not executed", async () => {
  const { decide, send, exec, sender } = scene();
  const by = sender();
  const answers = [exec(by, "INCR d:x"), send(by, "INCR d:y"), send(by, "SET a 1")];
  await decide(undecided);
  assert.deepEqual(await Promise.all(answers), ["MAYBEAPPLIED", "NOTAPPLIED", "NOTAPPLIED"]);
});

test("after a decided command without an effect the commands after it are executed", async () => {
  const { done, decide, send, sender } = scene();
  const by = sender();
  const answers = [send(by, "INCR d:x"), send(by, "SET a 1")];
  await decide(refusedDecision);
  assert.deepEqual(await Promise.all(answers), ["NOTAPPLIED", "bulk"]);
  assert.deepEqual(done, ["decide INCR d:x", "decided", "record SET a 1"]);
});

test("what a daemon has of a key may be outdated if it is decided, or if the daemon accepts no writes", () => {
  const { path, sender, state, isAuthorized } = scene();
  const by = sender();
  assert.deepEqual([path.mayBeOutdated("d:x", by), path.mayBeOutdated("a", by)], [true, false]);
  assert.ok(!isAuthorized(), "the check signs nothing");
  state.refusal = refused("catching-up", "it is empty");
  assert.ok(path.mayBeOutdated("a", by));
});

test("a command whose client waits for data neither delays other clients nor overtakes its own", async () => {
  const { done, decide, send, sender } = scene();
  const waiting = () => ({ ...sender(), isPatient: true });
  const first = [send(waiting(), "LPOP d:q"), send(sender(), "INCR d:x")];
  await until("both are requested", () => done.length === 2, { pause: nextTurn });

  // The command of another waiting client is requested first, because INCR d:y waits for the decision on INCR d:x.
  const client = waiting();
  const later = [send({ ...client, isPatient: false }, "INCR d:y"), send(client, "LPOP d:q")];
  const other = send(waiting(), "LPOP d:r");
  await decide();
  await until("the other one is requested", () => done.length === 4, { pause: nextTurn });
  for (let i = 0; i < 4; i++) await decide();
  await Promise.all([...first, ...later, other]);
  assert.deepEqual(done, [
    ...["decide LPOP d:q patiently", "decide INCR d:x", "decided", "decide LPOP d:r patiently"],
    ...["decided", "decided", "decide INCR d:y", "decided", "decide LPOP d:q patiently", "decided"],
  ]);
});

test("only the key of a daemon has turns in serving waiting clients", async () => {
  const { path, send, sender } = scene();
  const { decided } = path;
  await send(sender(), "SET a 1");
  assert.deepEqual([decided.signer, pair.id, "unknown"].map(decided.isOfDaemon), [true, false, false]);
});

test("a command or a transaction that writes decided keys takes elements only from such keys", async () => {
  const { done, decide, send, exec, sender } = scene();
  const by = sender();
  for (const line of [
    "LMOVE a d:a LEFT LEFT",
    "LMPOP 2 a d:a LEFT",
    "XREADGROUP GROUP g c STREAMS a d:a > >",
  ])
    assert.equal(await send(by, line), "ERR", line);

  assert.equal(await exec(by, "LPOP a", "SET d:a 1"), "ERR");
  assert.equal(await exec(by, "LMOVE a d:b LEFT LEFT"), "ERR");
  assert.deepEqual(done, []);

  const answers = [send(by, "LMOVE d:a a LEFT LEFT"), exec(by, "LPOP d:a", "LPUSH a 1")];
  await decide();
  await decide();
  assert.deepEqual(await Promise.all(answers), ["bulk", "array"]);
  // What it takes follows from its position.
  assert.equal(done.at(-2), "decide (LPOP d:a; LPUSH a 1)");
  await exec(by, "LPOP a", "LPUSH a 1");
  assert.equal(done.at(-1), "record (LPOP a; LPUSH a 1) with choices");
});

test("a program on decided keys runs again until a decision lets it take effect", async () => {
  const { done, decide, script, send, sender } = scene();
  const ann = sender();
  const answer = script(ann, ["SET d:a 1"], { keys: ["d:a"] });
  const after = send(ann, "SET plain 2");
  await decide(unmetDecision);
  await decide(unmetDecision);
  await decide();
  assert.equal(await answer, "run 3");
  assert.equal(await after, "bulk");
  const round = ["run SET d:a 1", "decide (SET d:a 1)", "decided"];
  assert.deepEqual(done, [...round, ...round, ...round, "record SET plain 2"]);
});

test("a program whose keys others change all the time is answered, and its connection's commands follow", async () => {
  const { done, decide, script, send, sender, state } = scene();
  const ann = sender();
  const answers = [script(ann, ["SET d:a 1"], { keys: ["d:a"] }), send(ann, "INCR d:b")];
  for (const [at, uptime] of [29_999, 30_000].entries()) {
    await decide(unmetDecision);
    await until("it runs again", () => done.filter((step) => step.startsWith("run")).length === at + 2);
    state.uptime = uptime;
  }
  await decide(unmetDecision);
  await decide();
  assert.deepEqual(await Promise.all(answers), ["NOTAPPLIED", "bulk"]);
  const round = ["run SET d:a 1", "decide (SET d:a 1)", "decided"];
  assert.deepEqual(done, [...round, ...round, ...round, "decide INCR d:b", "decided"]);
});

test("what follows a refused program waits for the decision on the program before it", async () => {
  const { done, decide, script, send, sender } = scene();
  for (const [end, later] of [
    [undefined, ["bulk", "bulk"]],
    [undecided, ["NOTAPPLIED", "NOTAPPLIED"]],
  ] as const) {
    const ann = sender();
    done.length = 0;
    const first = script(ann, ["SET d:a 1"], { keys: ["d:a"] });
    const refused = script(ann, ["SET d:a 2", "LPOP plain"], { keys: ["d:a"] });
    const behind = [send(ann, "GET d:a"), send(ann, "SET plain 1")];
    assert.equal(await refused, "ERR", "it takes an element of a key on which the members do not decide");
    await nextTurn();
    assert.deepEqual(done.at(-1), "decide (SET d:a 1)");
    await decide(end);
    await first;
    assert.deepEqual(await Promise.all(behind), later);
  }
});

test("a program waits before it runs again if nobody has changed its keys since it ran last", async () => {
  const { decide, script, sender, state } = scene();
  const answer = script(sender(), ["SET d:a 1"], { keys: ["d:a"] });
  const pauses = () => state.timers.filter((milliseconds) => milliseconds === 20).length;
  await decide(unmetDecision);
  await decide(unmetDecision);
  await decide(unmetDecision);
  await decide();
  assert.equal(await answer, "run 4");
  assert.equal(pauses(), 2);
});

test("a program whose effect is unknown does not run again, and nothing of its connection follows", async () => {
  const { done, decide, script, send, sender } = scene();
  const ann = sender();
  const answer = script(ann, ["SET d:a 1"], { keys: ["d:a"] });
  const later = script(ann, ["SET d:b 1"], { keys: ["d:b"] });
  const plain = send(ann, "SET plain 2");
  const others = script(sender(), ["SET d:c 1"], { keys: ["d:c"] });

  await decide(unmetDecision);
  await decide(undecided);
  await decide();
  assert.deepEqual(await Promise.all([answer, later, plain, others]), [
    "MAYBEAPPLIED",
    "MAYBEAPPLIED",
    "NOTAPPLIED",
    "run 2",
  ]);
  assert.ok(!done.includes("record SET plain 2"));
});

test("a program is decided as soon as it touches decided keys, and its connection's later commands wait", async () => {
  const { done, decide, script, send, sender } = scene();
  const ann = sender();
  const answers = [script(ann, ["SET plain 1", "GET d:a"]), send(ann, "SET d:b 1"), send(ann, "SET plain 2")];
  await decide();
  await decide();
  assert.deepEqual(await Promise.all(answers), ["run 2", "bulk", "bulk"]);
  const program = "run SET plain 1; GET d:a";
  assert.deepEqual(done, [
    ...[program, program, "decide (SET plain 1)", "decided"],
    ...["decide SET d:b 1", "decided", "record SET plain 2"],
  ]);
});

test("a program that touches no decided keys delays the later ones of its connection only until it has run", async () => {
  const { done, script, sender, state } = scene();
  let flush = () => {};
  state.flushed = new Promise((resolve) => {
    flush = resolve;
  });
  const ann = sender();
  const answers = [script(ann, ["SET plain 1"]), script(ann, ["SET plain 2"])];
  await until("both are recorded", () => done.includes("record SET plain 2"), { pause: nextTurn });
  assert.deepEqual(done, [
    ...["run SET plain 1", "record SET plain 1"],
    ...["run SET plain 2", "record SET plain 2"],
  ]);
  flush();
  assert.deepEqual(await Promise.all(answers), ["run 1", "run 1"]);
});

test("a program that waits for those before it is checked once before and once after", async () => {
  const { path, sender } = scene();
  const ann = sender();
  let checks = 0;
  const keys = () => {
    checks++;
    return [];
  };
  const count = 30;
  const answers = Array.from({ length: count }, () =>
    path.executeInSteps(() => bulk("done"), [], ann, { readsOnly: false, keys }),
  );
  await Promise.all(answers);
  assert.ok(checks <= 2 * count, String(checks));
});

test("a program that only reads is answered from the state, also if it reads decided keys", async () => {
  const { done, script, sender } = scene();
  assert.equal(await script(sender(), ["GET d:a"], { keys: ["d:a"], readsOnly: true }), "run 1");
  assert.deepEqual(done, ["run GET d:a"]);
});

test("a program that writes nothing is decided if it reads decided keys", async () => {
  const { done, decide, script, sender } = scene();
  const answer = script(sender(), ["GET d:a"], { keys: ["d:a"] });
  await decide(unmetDecision);
  await decide();
  assert.equal(await answer, "run 2");
  const round = ["run GET d:a", "decide (EXISTS d:a)", "decided"];
  assert.deepEqual(done, [...round, ...round]);
});

/** Runs a program on a key for which another daemon has the turn, and one on another key. @returns the first answer */
async function contend(keys: readonly string[]): Promise<string> {
  const { decide, decisions, script, sender, turns, identity } = scene();
  const noted = (key: string, outcome: "applied" | "unmet") =>
    turns.decided(
      double<Envelope>({
        key,
        if: [{ db: 0, key: "d:a", writer: "" }],
        decided: { slot: 1, outcomes: [outcome], signed: { at: NOW, seq: 0 } },
      }),
    );

  noted("other", "unmet");
  noted(identity.id, "applied");

  const contested = script(sender(), ["SET d:a 1"], { keys });
  const free = script(sender(), ["SET d:b 1"], { keys: keys.length === 0 ? [] : ["d:b"] });
  await decide();
  assert.match(await free, /^run/);

  for (let n = 0; n < 500 && decisions.length === 0; n++) {
    noted("other", "unmet");
    await pause(10);
  }
  assert.equal(decisions.length, 1);
  await decide();
  return await contested;
}

test("programs wait for the turn of another daemon, but not again if that daemon does not use it", async () => {
  assert.match(await contend([]), /^run/);
});

test("a program whose client has declared its keys runs only in its turn, and those of other keys before", async () => {
  assert.equal(await contend(["d:a"]), "run 1");
});

test("a program that waits for its turn holds back only what its connection sends after it", async () => {
  const { decide, decisions, done, script, send, sender, state, turns, identity } = scene();
  state.isTimeStopped = true;
  const key = { db: 0, key: "d:a", writer: "" };
  const decided = { slot: 1, outcomes: ["applied"] as const, signed: { at: NOW, seq: 0 } };
  const takeTurn = (by: string) =>
    turns.decided(double<Envelope>({ key: by, if: [key], decided: { ...decided, outcomes: ["applied"] } }));
  for (const by of ["other", identity.id]) takeTurn(by);
  const patient = sender();
  const held = script(patient, ["SET d:a 1"], { keys: ["d:a"] });
  const following = send(patient, "INCR d:a");
  for (let n = 0; n < 4; n++) await nextTurn();
  assert.deepEqual([done, decisions.length], [[], 0]);

  const command = send(sender(), "INCR d:b");
  await decide();
  await command;
  const other = script(sender(), ["SET d:c 1"], { keys: ["d:c"] });
  await decide();
  assert.equal(await other, "run 1");

  takeTurn("other");
  state.isTimeStopped = false;
  await decide();
  assert.equal(await held, "run 1");
  await decide();
  await following;
  const requested = done.filter((step) => step.startsWith("decide "));
  assert.deepEqual(requested, [
    "decide INCR d:b",
    "decide (SET d:c 1)",
    "decide (SET d:a 1)",
    "decide INCR d:a",
  ]);
});

test("a program that waited for its turn does not overtake an earlier command of its connection", async () => {
  const { decide, done, script, send, sender, state, turns, identity } = scene();
  state.isTimeStopped = true;

  const key = { db: 0, key: "d:a", writer: "" };
  const decided = { slot: 1, outcomes: ["applied"] as const, signed: { at: NOW, seq: 0 } };
  const takeTurn = (by: string) => turns.decided(double<Envelope>({ key: by, if: [key], decided }));
  for (const by of ["other", identity.id]) takeTurn(by);

  const other = script(sender(), ["SET d:c 1"], { keys: ["d:c"] });
  const one = sender();
  const first = send(one, "INCR d:x");
  const second = script(one, ["SET d:a 1"], { keys: ["d:a"] });

  // The other client's program is decided alone, and the turn of the last program comes in the meantime.
  for (let n = 0; n < 4; n++) await nextTurn();
  takeTurn("other");
  state.isTimeStopped = false;

  await decide();
  await other;
  await decide();
  await first;
  await decide();

  assert.equal(await second, "run 1");
  const requested = done.filter((step) => step.startsWith("decide "));
  assert.deepEqual(requested, ["decide (SET d:c 1)", "decide INCR d:x", "decide (SET d:a 1)"]);
});

test("a program that waits for one turn after another is answered in the end", async () => {
  const { script, sender, state, turns, identity } = scene();
  state.isTimeStopped = true;
  const key = { db: 0, key: "d:a", writer: "" };
  const decided = { slot: 1, outcomes: ["applied"] as const, signed: { at: NOW, seq: 0 } };
  for (const by of ["other", identity.id]) turns.decided(double<Envelope>({ key: by, if: [key], decided }));
  const held = script(sender(), ["SET d:a 1"], { keys: ["d:a"] });
  for (let n = 0; n < 4; n++) await nextTurn();
  state.uptime += 31_000;
  const other = script(sender(), ["SET d:a 2"], { keys: ["d:a"] });
  assert.equal(await held, "NOTAPPLIED");
  state.uptime += 31_000;
  void script(sender(), ["SET d:a 3"], { keys: ["d:a"] });
  assert.equal(await other, "NOTAPPLIED");
});

test("programs on different keys wait for their turns at the same time", async () => {
  const { decide, decisions, script, sender, state, turns, identity } = scene();
  state.isTimeStopped = true;
  const decided = { slot: 1, outcomes: ["applied"] as const, signed: { at: NOW, seq: 0 } };
  const takeTurn = (by: string, key: string) =>
    turns.decided(double<Envelope>({ key: by, if: [{ db: 0, key, writer: "" }], decided }));
  for (const key of ["d:a", "d:b"]) for (const by of ["other", identity.id]) takeTurn(by, key);
  void script(sender(), ["SET d:a 1"], { keys: ["d:a"] });
  const second = script(sender(), ["SET d:b 1"], { keys: ["d:b"] });
  for (let n = 0; n < 4; n++) await nextTurn();
  assert.equal(decisions.length, 0);
  takeTurn("other", "d:b");
  await decide();
  assert.equal(await second, "run 1", "although the turn of the first one has not come");
});

test("a program that alone has to wait for the turn of another daemon does not run before", async () => {
  const { decide, decisions, done, script, sender, state, turns, identity } = scene();
  state.isTimeStopped = true;
  const key = { db: 0, key: "d:a", writer: "" };
  const decided = { slot: 1, outcomes: ["applied"] as const, signed: { at: NOW, seq: 0 } };
  for (const by of ["other", identity.id])
    turns.decided(double<Envelope>({ key: by, if: [key], decided: { ...decided, outcomes: ["applied"] } }));
  const answer = script(sender(), ["SET d:a 1"], { keys: ["d:a"] });
  for (let n = 0; n < 4; n++) await nextTurn();
  assert.deepEqual([done, decisions.length], [[], 0]);
  turns.decided(
    double<Envelope>({ key: "other", if: [key], decided: { ...decided, outcomes: ["applied"] } }),
  );
  await decide();
  assert.equal(await answer, "run 1");
});
