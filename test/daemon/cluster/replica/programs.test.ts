/** Tests programs (scripts) that are recorded together with other units: what they see, and what is recorded. */
import assert from "node:assert/strict";
import { test } from "node:test";
import "../../../support/all-families.js";
import type { EntryRecorder } from "../../../../daemon/cluster/replica/entry-recorder.js";
import { Gateway } from "../../../../daemon/cluster/replica/gateway.js";
import { choicesOf } from "../../../../daemon/cluster/replica/recorded-choices.js";
import type { ReplicaContext } from "../../../../daemon/cluster/replica/replica-context.js";
import type { GatewayAnswer } from "../../../../daemon/cluster/replica/waiting-group.js";
import { notApplied, type Refused, refused } from "../../../../daemon/engine/answers/request.js";
import type { StepRunner } from "../../../../daemon/engine/backends/command-path.js";
import type { KeyChangeObservers } from "../../../../daemon/engine/backends/key-change-observers.js";
import { makeIdentity } from "../../../../daemon/engine/trust/identity.js";
import { loadSigners } from "../../../../daemon/engine/trust/load-signers.js";
import { realEnvironment } from "../../../../daemon/net/process/clock-and-randomness.js";
import { findCommand } from "../../../../daemon/store/command-table.js";
import { Database } from "../../../../daemon/store/database.js";
import type { Command } from "../../../../daemon/store/rows/command-row.js";
import type { Entry } from "../../../../daemon/timeline/entries/entry.js";
import { mayChange } from "../../../../daemon/timeline/entries/recorded-envelopes.js";
import { array, NIL_ARRAY, type Reply, status } from "../../../../protocol/reply.js";
import { TURN_MS } from "../../../../protocol/steps.js";
import {
  type Condition,
  commandsIn,
  type Envelope,
  unitsIn,
} from "../../../../protocol/version-2/envelope.js";
import { unitId } from "../../../../protocol/version-2/unit-names.js";
import { shown } from "../../../conformance/resp2-fold.js";
import { double } from "../../../support/double.js";
import { makeKeyPair } from "../../../support/envelope-client.js";
import { log } from "../../program/scene.js";

const NOW = 1_790_000_000_000;
const STEPS_MAX = 100_000;
const ELEMENTS = 500;
const LIST = ["RPUSH", "l", ...Array.from({ length: ELEMENTS }, (_, i) => String(i))];
const pair = makeKeyPair();

/** A gateway before a database that applies what is recorded, and the envelopes. */
function fixture({ appliesImmediately = true } = {}) {
  const database = new Database();
  const entries: Entry[] = [];
  const state = {
    refusal: null as Refused | null,
    isFailing: false,
    uptime: 0,
    /** The decision of the members of a list on the conditions of units; null: there is no list. */
    outcome: null as "applied" | "unmet" | null,
  };

  const signers = loadSigners({ signKey: [pair.file], rootKey: [], clusterName: "dbsync" }, log);
  const apply = ({ id, envelope }: Entry, between: ((applied: number) => void) | null) =>
    unitsIn(envelope).map((range, i) => {
      const { at, seq, db, multi, choices, expiries } = envelope;
      const { index } = range;
      const origin = { at, seq, db, id: unitId(id, index), envelope: id, index, choices, expiries };
      const reply = database.executeMulti(commandsIn(envelope, range), origin);
      const isSingle = range.length === 1 && !multi && reply.kind === "array";
      between?.(i + 1);
      const own = isSingle ? (reply.items[0] as Reply) : reply;
      return { reply: own, outcome: "applied", late: false } as const;
    });

  const trialState = { database, stepsMax: STEPS_MAX, unitId: () => "~".repeat(36) };
  const recorder: EntryRecorder = {
    ...{ appliesImmediately, ring: signers.ring, newest: { at: 0, seq: 0 }, floor: 0, trialState },
    commonClock: NOW,
    records: mayChange,
    get decides() {
      return state.outcome !== null;
    },
    async decide(entry) {
      const orderKey = { at: NOW, seq: 0, id: entry.id };
      if (state.outcome === "unmet")
        return { orderKey, answers: [{ reply: NIL_ARRAY, outcome: "unmet", late: false }] };
      entries.push(entry);
      return { orderKey, answers: apply(entry, null) };
    },
    sendToPeers() {},
    confirm: async () => true,
    refusal: () => state.refusal,
    choicesOf: (unsigned, date) => choicesOf(unsigned, date, trialState),
    record(entry, between = null) {
      if (entry.envelope.commands[0]?.[0] === "CLUSTER") {
        const { at } = entry.envelope;
        for (const argv of entry.envelope.commands)
          signers.ring.execute(argv, { at, db: 0, id: "" }, signers.ring.find(pair.id) ?? assert.fail());
        return { answers: [], flushed: null };
      }
      if (state.isFailing) return notApplied(entry.id, refused("storage-failed", "no space"));
      entries.push(entry);
      return { answers: apply(entry, between), flushed: Promise.resolve() };
    },
  };

  const context = double<ReplicaContext>({
    identity: makeIdentity(),
    log,
    signers,
    environment: { ...realEnvironment, clock: () => NOW, uptime: () => state.uptime },
    settings: { window: { future: 6001 } },
  });

  const gateway = new Gateway(recorder, context, double<KeyChangeObservers>({ senders: null }));
  const lastWrite = { orderKey: null, unapplied: 0, deciding: null, following: 0 };
  const user = { db: 0, now: NOW, as: null, isStable: false, readsAll: true, lastWrite };
  const run = (body: (call: Call) => Reply, db = 0, conditions: readonly Condition[] = []): Promise<string> =>
    new Promise((resolve) => {
      const sender = { ...user, db };
      let reply: Reply | null = null;
      const answered = (answer: GatewayAnswer) =>
        resolve(answer.kind === "refused" ? answer.code : plain(reply ?? answer));
      gateway.sendProgram(
        {
          ...{ sender, isStable: false, replicated: undefined, lastWrite, answered },
          run: (step) => body((text, at = db) => call(step, text, at)),
          recording: (_, __, own) => void (reply = own),
          hasRead: (own) => resolve(`read ${plain(own)}`),
        },
        conditions,
      );
    });

  const send = async (text: string, db = 0): Promise<string> => {
    const answer = await gateway.execute(text.split(" "), { ...user, db });
    return answer.kind === "refused" ? answer.code : plain(answer);
  };
  const together = (...lines: readonly string[]): Promise<string> =>
    new Promise((resolve) =>
      gateway.sendTogether(
        { commands: lines.map((line) => line.split(" ")), conditions: [] },
        user,
        (answer) => resolve(answer.kind === "refused" ? answer.code : plain(answer)),
      ),
    );

  const envelopes = () => entries.map(({ envelope }) => textOf(envelope));
  return { database, gateway, entries, state, run, send, together, envelopes, lastWrite, user };
}

type Call = (text: string, db?: number) => Reply;

function call(run: StepRunner, text: string, db: number): Reply {
  const argv = text.split(" ");
  return run(findCommand(argv[0] as string) as Command, argv, db);
}

/** Returns a reply as text, without the marks of its kinds. */
const plain = (reply: Reply): string =>
  shown(reply)
    .replace(/^\+"OK"$/, "OK")
    .replace(/:(?=\d)/g, "");

/** Returns the commands of each unit. */
const textOf = (envelope: Envelope): string =>
  unitsIn(envelope)
    .map((range) =>
      commandsIn(envelope, range)
        .map((argv) => argv.join(" "))
        .join("; "),
    )
    .join(" | ");

const incremented = (call: Call) => call("INCR n");

test("a program is recorded with the conditions of its transaction, in an envelope of its own", async () => {
  const { run, entries } = fixture();
  const conditions = [{ db: 0, key: "n", writer: "" }];
  await Promise.all([run(incremented), run(incremented, 0, conditions), run(incremented)]);
  assert.deepEqual(
    entries.map(({ envelope }) => envelope.if),
    [null, conditions, null],
  );
});

test("a program whose conditions the members decide on answers its own reply, or nil if nothing of it is applied", async () => {
  const { run, send, state, entries, database, lastWrite } = fixture();
  const conditions = [{ db: 0, key: "n", writer: "" }];
  const own = (call: Call) => {
    call("INCR n");
    return status("own");
  };
  state.outcome = "applied";
  assert.equal(await run(own, 0, conditions), '+"own"');
  const [{ envelope }] = entries as [Entry];
  assert.deepEqual([envelope.decide, envelope.multi, envelope.if], [true, true, conditions]);
  state.outcome = "unmet";
  assert.equal(await run(own, 0, conditions), "read nil-array");
  assert.equal(await send("INCR n"), "2");
  assert.equal(shown(database.execute(["GET", "n"], { at: NOW, db: 0, id: "u" })), '"2"');
  assert.equal(lastWrite.unapplied, 0);
});

test("programs and commands that are in flight together are recorded in one envelope, in their order", async () => {
  const { run, send, together, entries, envelopes, gateway, user, lastWrite } = fixture();
  const reads: string[] = [];

  const answers = [run(incremented), send("INCR n")];
  const read = () => ({ run: () => void reads.push(JSON.stringify(lastWrite.unapplied)), end() {} });
  gateway.readAfter(user, read());
  answers.push(
    run((call) => array([call("INCR n"), call("INCR other"), call("GET n")])),
    together("INCR n", "GET n"),
    together("INCR n"),
    run((call) => call("GET n")),
    run(incremented),
  );
  gateway.readAfter(user, read());

  assert.deepEqual(await Promise.all(answers), ["1", "2", '[3 1 "3"]', '[4 "4"]', "[5]", 'read "5"', "6"]);
  assert.deepEqual(envelopes(), ["INCR n | INCR n | INCR n; INCR other | INCR n; GET n | INCR n | INCR n"]);
  assert.deepEqual(entries[0]?.envelope.units, [1, 1, 2, 2, 1, 1]);
  assert.deepEqual([reads.length, lastWrite.unapplied], [2, 0]);
});

test("units of single commands need no header field, and a unit of several commands alone is multi", async () => {
  const { run, entries } = fixture();
  await Promise.all([run(incremented), run(incremented)]);
  await run((call) => array([call("INCR n"), call("INCR n")]));
  assert.deepEqual(
    entries.map(({ envelope: { multi, units } }) => [multi, units]),
    [
      [false, null],
      [true, null],
    ],
  );
});

test("a refused program leaves nothing for those after it", async () => {
  const { run, send, together, envelopes, database } = fixture();
  database.execute(LIST, { at: NOW - 1, db: 0, id: "u" });
  const sorts = new Array<string>(STEPS_MAX / ELEMENTS).fill("SORT l STORE sorted");
  const answers = await Promise.all([
    send("SET n 1"),
    run((call) => array([call("INCR n"), call("SET m 1", 1)])),
    run((call) => array(["INCR n", ...sorts].map((line) => call(line)))),
    together("INCR n", ...sorts),
    run(incremented),
  ]);
  assert.match(answers[1] ?? "", /can write to only one database/);
  assert.match(answers[2] ?? "", /TOOMUCH/);
  assert.deepEqual([answers[0], ...answers.slice(3)], ["OK", "too-much", "2"]);
  assert.deepEqual(envelopes(), ["SET n 1 | INCR n"]);
});

test("a program that writes to another database is recorded separately, and runs once", async () => {
  const { run, entries, envelopes } = fixture();
  let runs = 0;
  const answers = await Promise.all([
    run(incremented),
    run((call) => {
      runs++;
      return call("INCR n", 3);
    }),
    run(incremented),
  ]);
  assert.deepEqual(answers, ["1", "1", "2"]);
  assert.equal(runs, 1);
  assert.deepEqual(envelopes(), ["INCR n", "INCR n", "INCR n"]);
  assert.deepEqual(
    entries.map(({ envelope }) => envelope.db),
    [0, 3, 0],
  );
});

test("a program sees the final ids of the stream entries that its sender has added before", async () => {
  const { run, send, envelopes, database } = fixture();
  await send("XGROUP CREATE s g 0 MKSTREAM");
  const [added, taken] = await Promise.all([
    send("XADD s * f v"),
    run((call) => call("XREADGROUP GROUP g c STREAMS s >")),
  ]);
  assert.ok(taken?.includes(added ?? ""), `${taken} does not contain ${added}`);
  assert.equal(envelopes().length, 2);

  const together = await Promise.all([
    run((call) => call("INCR n")),
    send("XADD s * f w"),
    send("XREADGROUP GROUP g c STREAMS s >"),
  ]);
  assert.match(together[2] ?? "", /"w"/);
  assert.equal(envelopes().length, 3);
  const pending = database.execute(["XPENDING", "s", "g"], { at: NOW + 9, db: 0, id: "u" });
  assert.match(plain(pending), /^\[2 /);
});

test("what a program takes is recorded at the index of its command", async () => {
  const { run, send, entries } = fixture();
  await send("RPUSH l a b c");
  await Promise.all([
    send("LPOP l"),
    run((call) => array([call("SET k v"), call("LPOP l")])),
    send("LPOP l"),
  ]);
  const choices = entries[1]?.envelope.choices ?? new Map();
  assert.deepEqual(
    [...choices],
    [
      [0, ["a"]],
      [2, ["b"]],
      [3, ["c"]],
    ],
  );
});

test("a program that only reads is answered while writes are refused", async () => {
  const { run, send, state, envelopes } = fixture();
  await send("SET n 1");
  state.refusal = refused("catching-up", "");
  const answers = await Promise.all([
    send("SET n 5"),
    run(incremented),
    run((call) => call("GET n")),
    run((call) => call("RPOP jobs")),
  ]);
  const nothingTaken = "a command that may write is refused, also if it would change nothing here";
  assert.deepEqual(answers, ["catching-up", "catching-up", 'read "1"', "catching-up"], nothingTaken);
  assert.equal(envelopes().length, 1);
});

test("if an envelope is not recorded, the units after it are refused, because they may have read its effects", async () => {
  const { run, state, lastWrite } = fixture();
  await run(incremented);
  state.isFailing = true;
  const answers = await Promise.all([
    run(incremented),
    run((call) => call("INCR n", 3)),
    run((call) => call("GET n")),
  ]);
  assert.deepEqual(answers, ["storage-failed", "storage-failed", "storage-failed"]);
  assert.equal(lastWrite.unapplied, 0);
});

test("many programs are divided into envelopes by their steps, and none exceeds the limit of an envelope", async () => {
  const { run, envelopes, database } = fixture();
  const costly = (call: Call) => call(`SORT l STORE sorted`);
  database.execute(LIST, { at: NOW - 1, db: 0, id: "u" });
  const answers = await Promise.all(Array.from({ length: 60 }, () => run(costly)));
  assert.deepEqual(new Set(answers), new Set([String(ELEMENTS)]));
  assert.ok(envelopes().length > 1, "together, they exceed the steps of one envelope");
});

test("if writes are applied later, each program is recorded alone", async () => {
  const { run, send, envelopes } = fixture({ appliesImmediately: false });
  await Promise.all([send("SET a 1"), run(incremented), run(incremented), send("SET b 1")]);
  assert.deepEqual(envelopes(), ["SET a 1", "INCR n", "INCR n", "SET b 1"]);
});

test("programs that take longer than a turn continue in later turns", async () => {
  const { run, send, state, envelopes } = fixture();
  const slow = (call: Call) => {
    state.uptime += TURN_MS - 1;
    return call("INCR n");
  };
  const answers = [run(slow), run(slow), run(slow), run(slow), send("INCR n"), run(slow)];
  assert.deepEqual(await Promise.all(answers), ["1", "2", "3", "4", "5", "6"]);
  assert.deepEqual(envelopes(), ["INCR n | INCR n", "INCR n | INCR n", "INCR n | INCR n"]);
});

const OK = status("OK");

test("a program without commands is a read", async () => {
  const { run } = fixture();
  assert.equal(await run(() => OK), "read OK");
});
