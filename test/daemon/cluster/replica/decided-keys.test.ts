/**
 * Tests the order of a connection's commands if the members decide on some of them. Source:
 * docs/decisions/0081-decided-keys.md.
 */
import "../../../support/installed-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import type { DecidedUnits, EntryRecorder } from "../../../../daemon/cluster/replica/entry-recorder.js";
import { Gateway } from "../../../../daemon/cluster/replica/gateway.js";
import { NOTHING_CHOSEN } from "../../../../daemon/cluster/replica/recorded-choices.js";
import { RecordedPath } from "../../../../daemon/cluster/replica/recorded-command-path.js";
import type { ReplicaContext } from "../../../../daemon/cluster/replica/replica-context.js";
import type { TimelineBackend } from "../../../../daemon/cluster/replica/timeline-backend.js";
import {
  notApplied,
  type RefusedEnvelope,
  refused,
  unknown,
} from "../../../../daemon/engine/answers/request.js";
import {
  type CommandSender,
  type LastWrite,
  newLastWrite,
} from "../../../../daemon/engine/backends/command-path.js";
import type { KeyChangeObservers } from "../../../../daemon/engine/backends/key-change-observers.js";
import type { LocalUnit, LocalUnits } from "../../../../daemon/engine/backends/local-units.js";
import { makeIdentity } from "../../../../daemon/engine/trust/identity.js";
import { loadSigners } from "../../../../daemon/engine/trust/load-signers.js";
import { realEnvironment } from "../../../../daemon/net/process/clock-and-randomness.js";
import { commandTable } from "../../../../daemon/store/command-table.js";
import { Database } from "../../../../daemon/store/database.js";
import type { Command } from "../../../../daemon/store/rows/command-row.js";
import type { Entry } from "../../../../daemon/timeline/entries/entry.js";
import { mayChange } from "../../../../daemon/timeline/entries/recorded-envelopes.js";
import { array, bulk, type Reply } from "../../../../protocol/reply.js";
import { DECIDED_UNITS_MAX } from "../../../../protocol/version-2/envelope.js";
import { double } from "../../../support/double.js";
import { makeKeyPair } from "../../../support/envelope-client.js";
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
    readonly end: (decided: DecidedUnits | RefusedEnvelope) => void;
  }[] = [];
  const signers = loadSigners({ signKey: [pair.file], rootKey: [], clusterName: "dbsync" }, log);
  const identity = makeIdentity();
  const { ring } = signers;
  ring.patterns = ring.patterns.with({ glob: "d:*", db: null, announcedAt: 1, isBegun: false });
  const state = { flushed: Promise.resolve(), clock: NOW, commonClock: NOW, newest: 0 };
  const recorder = double<EntryRecorder>({
    appliesImmediately: true,
    ring,
    records: mayChange,
    decides: true,
    get newest() {
      return { at: state.newest, seq: 0 };
    },
    floor: 0,
    get commonClock() {
      return state.commonClock;
    },
    refusal: () => null,
    sendToPeers: () => {},
    choicesOf: ({ commands }) =>
      commands[0]?.[0] === "LPOP"
        ? { ...NOTHING_CHOSEN, choices: new Map([[0, ["chosen"]]]) }
        : NOTHING_CHOSEN,
    trialState: { database: new Database(), stepsMax: 1_000_000, unitId: () => "u".repeat(36) },
    decide(entry) {
      done.push(`decide ${shown(entry)}`);
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
    environment: { ...realEnvironment, clock: () => state.clock },
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
    database: double<Database>({ aside: <Result>(read: () => Result) => read() }),
    run: (_: Command, argv: readonly string[]) => {
      done.push(`read ${argv.join(" ")}`);
      return bulk(argv.join(" "));
    },
  });
  const path = new RecordedPath(
    backend,
    gateway,
    double<LocalUnits>({ joined: () => double<LocalUnit>({}) }),
    () => null,
  );

  const sender = (): CommandSender & { readonly lastWrite: LastWrite } => ({
    ...{ db: 0, as: "ann", now: NOW, isStable: false, readsAll: true },
    lastWrite: newLastWrite(),
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
  /** Sends a transaction with a condition on the last writer of a key. */
  const execIf = async (by: CommandSender, key: string, ...lines: string[]): Promise<string> =>
    textOf(await path.executeTogether(lines.map(checked), [{ db: 0, key, writer: "" }], by));

  /** Waits until a decision is requested, and ends it. */
  const decide = async (end?: (entry: Entry) => RefusedEnvelope | null): Promise<void> => {
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
  return { done, decisions, decide, send, exec, execIf, sender, state };
}

const tooMuch = ({ id }: Entry) => notApplied(id, refused("too-much", "on this daemon's state"));
const undecided = ({ id }: Entry) => unknown(notApplied(id, refused("undecided", "not in time")));
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

test("a decision is requested before the median clock, but not before the writes of its senders", async () => {
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

  // This machine's clock is ahead of those of the other members, which date the decisions.
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
    "a new connection follows the last write of the daemon",
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
  await send(sender(), "SET a 1");
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

  // Its next command is not dated ahead any longer, and waits in the same line.
  state.commonClock = NOW + 4_000;
  answers.push(send(by, "INCR d:3"), send(sender(), "INCR d:4"));
  await nextTurn();
  await nextTurn();
  assert.equal(decisions.length, 2);
  await decide();
  await decide();
  await until("the next ones are requested", () => decisions.length === 2, { pause: nextTurn });
  const commands = decisions.map(({ entry }) => shown(entry));
  assert.deepEqual(commands.sort(), ["INCR d:3", "INCR d:4"]);

  await decide();
  await decide();
  await Promise.all(answers);
});

test("connections that wait for different dates do not wait for each other", async () => {
  const { decisions, decide, send, sender } = scene();
  await send(sender(), "SET a 1");
  const answers = [5_000, 130, 4_930, 4_899].map((ahead, index) => {
    const by = sender();
    by.lastWrite.orderKey = { at: NOW + ahead, seq: 0, id: "" };
    return send(by, `INCR d:${index}`);
  });
  await until("all are requested", () => decisions.length === 3, { pause: nextTurn });
  const requested = decisions.map(({ entry }) => `${entry.envelope.at - NOW} ${shown(entry)}`);
  assert.deepEqual(requested, ["5000 INCR d:0; INCR d:2", "130 INCR d:1", "4899 INCR d:3"]);

  for (const _ of requested) await decide();
  await Promise.all(answers);
});

test("commands that wait for a date after a decision are requested once their number permits it", async () => {
  const { decisions, decide, send, sender, state } = scene();
  await send(sender(), "SET a 1");
  const answers = Array.from({ length: 300 }, (_, index) => {
    const by = sender();
    by.lastWrite.orderKey = { at: NOW + 4_900, seq: 0, id: "" };
    return send(by, `INCR d:${index}`);
  });
  await decide();

  // Those that do not fit into the first envelope do not wait for their date again.
  state.clock = state.commonClock = NOW + 4_901;
  await until("the rest is requested", () => decisions.length === 1, { pause: nextTurn });
  const [{ entry }] = decisions as [(typeof decisions)[number]];
  assert.deepEqual(
    [entry.envelope.at - NOW, entry.envelope.commands.length],
    [4_900, 300 - DECIDED_UNITS_MAX],
  );
  await decide();
  await Promise.all(answers);
});

test("a command that waits in the line follows what the daemon had signed when it arrived", async () => {
  const { decisions, decide, send, sender, state } = scene();
  await send(sender(), "SET a 1");
  const first = send(sender(), "INCR d:0");
  await until("it is requested", () => decisions.length === 1, { pause: nextTurn });
  const answers = [first, send(sender(), "INCR d:1")];

  state.clock = NOW + 1_900;
  await send(sender(), "SET a 2");
  await decide();
  await until("the next one is requested", () => decisions.length === 1, { pause: nextTurn });
  assert.equal(decisions[0]?.entry.envelope.at, NOW);
  await decide();
  await Promise.all(answers);
});

test("commands wait for the decision on a condition of their connection, also on keys without a pattern", async () => {
  const { done, decide, send, execIf, sender } = scene();
  const by = sender();
  await send(by, "SET a 1");
  const answers = [execIf(by, "k", "SET k 1"), send(by, "GET k"), send(by, "INCR d:x"), send(by, "SET a 2")];
  await decide();
  await decide();
  await Promise.all(answers);
  assert.deepEqual(done.slice(1), [
    ...["decide (SET k 1)", "decided", "read GET k", "decide INCR d:x", "decided", "record SET a 2"],
  ]);
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

test("commands that need too many steps together are decided in smaller envelopes, in order", async () => {
  const { done, decide, send, sender } = scene();
  const lines = Array.from({ length: 10 }, (_, i) => (i === 1 ? "SETRANGE d:a 9 x" : `INCR d:${i}`));
  const by = sender();
  const answers = lines.map((line) => send(by, line));

  // More than three commands, or SETRANGE, need too many steps.
  let isAnswered = false;
  void Promise.all(answers).then(() => {
    isAnswered = true;
  });
  const applied: string[] = [];
  while (!isAnswered) {
    await decide((entry) => {
      const commands = entry.envelope.commands.map((argv) => argv.join(" "));
      if (commands.length > 3 || commands.some((line) => line.startsWith("SETRANGE"))) return tooMuch(entry);
      applied.push(...commands);
      return null;
    });
    await nextTurn();
  }

  assert.deepEqual(
    await Promise.all(answers),
    lines.map((line) => (line.startsWith("SETRANGE") ? "TOOMUCH" : "bulk")),
  );
  assert.deepEqual(
    applied,
    lines.filter((line) => !line.startsWith("SETRANGE")),
  );
  const sizes = done.filter((one) => one.startsWith("decide ")).map((one) => one.split(";").length);
  assert.deepEqual(sizes, [10, 5, 2, 1, 2, 1, 1, 2, 4, 2, 3]);
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
