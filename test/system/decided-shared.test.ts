/**
 * Tests units that share an envelope, with real daemons and an RSA key. The members decide on each unit separately,
 * also while a daemon is stopped, and all daemons have the same answers, state and entries, also after a restart.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { unitsIn } from "../../protocol/version-2/envelope.js";
import { verifyFolder } from "../../tools/history/verification/timeline-verification.js";
import { double } from "../support/double.js";
import { EnvelopeClient, makeKeyPair } from "../support/envelope-client.js";
import { Trio } from "../support/trio.js";
import { readFolder } from "./folder-contents.js";

const CALLS = 50;
const ROUNDS = ["all", "stopped", "two"] as const;
/** The number of groups of calls, of which only one can be applied, and how many of them are locks and fields. */
const GROUPS = 10;
const [LOCKS, FIELDS] = [4, 3];
const LEVEL_MS = 60_000;
const majority = { policy: "majority" } as const;

const groupsFrom = (start: number, end: number) =>
  Array.from({ length: end - start }, (_, index) => String(start + index));
const locks = groupsFrom(0, LOCKS);
const fields = groupsFrom(LOCKS, LOCKS + FIELDS);
const texts = groupsFrom(LOCKS + FIELDS, GROUPS);

/** Returns the commands that read the groups of a round, in their order. */
const readsOf = (round: string) => [
  ["MGET", ...locks.map((group) => `${round}:${group}`)],
  ["HMGET", `${round}:hash`, ...fields],
  ["MGET", ...texts.map((group) => `${round}:${group}`)],
];

test("of the units of envelopes that compete, exactly one is applied, also while a daemon is stopped", async () => {
  await using trio = await Trio.start([], 3, { app: makeKeyPair("rsa") });
  await trio.list();
  await trio.untilNoneIsLate();
  const clients = [trio.client(), trio.client()] as const;
  await using one = clients[0];
  await using _two = clients[1];
  // From these calls on, the clients know that the members decide.
  const first = await Promise.all(
    clients.map((client) => client.call(["SET", "first", "x", "NX"], majority)),
  );
  assert.deepEqual(first.toSorted(), ["OK", null]);

  /** Sends the calls of both clients in one turn, and checks which of them are applied. */
  const compete = async (round: string, meanwhile: () => Promise<unknown>): Promise<void> => {
    const send = (call: number): Promise<unknown> => {
      const client = clients[Math.floor(call / GROUPS) % clients.length] ?? assert.fail();
      const group = String(call % GROUPS);
      const [key, value] = [`${round}:${group}`, String(call)];
      if (locks.includes(group)) return client.call(["SET", key, value, "NX"], majority);
      if (fields.includes(group)) return client.call(["HSETNX", `${round}:hash`, group, value], majority);
      return client.call(["SET", key, value], { ...majority, if: [{ key, writer: null }] });
    };

    const calls = Array.from({ length: CALLS }, (_, call) => send(call));
    const [answers] = await Promise.all([Promise.all(calls), meanwhile()]);

    const applied = Array.from({ length: GROUPS }, (_, group) =>
      answers.flatMap((answer, call) =>
        call % GROUPS === group && (answer === "OK" || answer === 1) ? [String(call)] : [],
      ),
    );

    const values = await Promise.all(readsOf(round).map((read) => one.call<string[]>(read, majority)));
    assert.deepEqual(
      applied,
      values.flat().map((value) => [value]),
    );

    const isExpected = (answer: unknown) =>
      answer === "OK" || answer === null || answer === 1 || answer === 0;
    assert.ok(answers.every(isExpected), JSON.stringify(answers));
  };

  const [all, stopped, two] = ROUNDS;
  await compete(all, async () => {});
  await compete(stopped, () => trio.end(2, "SIGKILL"));
  await compete(two, async () => {});
  await trio.start(2);
  await trio.level(LEVEL_MS);
  await trio.untilNoneIsLate();

  const answered = await answersOfAll(trio);
  for (const answers of answered) assert.deepEqual(answers, ANSWERS);
  const state = await stateOf(trio, 0);
  for (const index of trio.ports.keys()) assert.deepEqual(await stateOf(trio, index), state);
  await trio.endAll();
  const units = clients.length + ROUNDS.length * CALLS + ANSWERS.length;
  for (const index of trio.ports.keys()) await checkEntries(trio, index, units);
  await trio.startAll();
  await trio.level(LEVEL_MS);
  for (const index of trio.ports.keys()) assert.deepEqual(await stateOf(trio, index), state);
});

/** Returns what a daemon has stored of all rounds. */
async function stateOf(trio: Trio, index: number): Promise<unknown[]> {
  await using client = trio.client([index]);
  const reads = [...ROUNDS.flatMap(readsOf), ["GET", "lock"], ["HGETALL", "hash"], ["GET", "text"]];
  return await Promise.all(reads.map((read) => client.call(read)));
}

/** Checks that the members have decided on each unit, and that the units share a few entries. */
async function checkEntries(trio: Trio, index: number, units: number): Promise<void> {
  const keys = { signKey: [trio.app.file], rootKey: [trio.root.file], clusterName: "dbsync" };
  const settings = double<Parameters<typeof verifyFolder>[0]>(keys);
  const { faults } = await verifyFolder(settings, trio.folder(index), () => {});
  assert.deepEqual(faults, []);
  const entries = [...(await readFolder(trio.folder(index))).values()];
  const decided = entries.flatMap((entry) => (entry?.envelope.decided?.signed ? [entry.envelope] : []));
  assert.equal(decided.flatMap(unitsIn).length, units);
  assert.ok(decided.length <= units / 10, `${decided.length} entries`);
}

/** The answers to the units of `answersOfAll`, with their flags. */
const ANSWERS = [
  [{ kind: "status", text: "OK" }, "decided"],
  [{ kind: "nil" }, "decided"],
  [{ kind: "integer", value: 1 }, "decided"],
  [{ kind: "integer", value: 0 }, "decided"],
  [{ kind: "status", text: "OK" }, "decided"],
  [{ kind: "nil-array" }, "decided unmet"],
];

/** Sends one envelope to each daemon. @returns the answers of each daemon to its units */
async function answersOfAll(trio: Trio): Promise<unknown[][]> {
  const absent = [{ db: 0, key: "text", writer: "" }];
  const opened = await Promise.all(trio.ports.map((port) => EnvelopeClient.open(port, trio.app)));
  const commands = [
    ["SET", "lock", "a", "NX"],
    ["SET", "lock", "b", "NX"],
    ["HSETNX", "hash", "field", "a"],
    ["HSETNX", "hash", "field", "b"],
    ["SET", "text", "a"],
    ["SET", "text", "b"],
  ];

  const ifs = new Map([4, 5].map((index) => [index, absent]));
  const { frame } = (opened[0] ?? assert.fail()).sign(commands, { decide: true, ifs });
  return await Promise.all(
    opened.map(async (client) => {
      using daemon = client;
      const answer = await daemon.exchange(frame);
      assert.equal(answer.kind, "result");
      return "replies" in answer ? answer.replies.map((reply, index) => [reply, answer.flags[index]]) : [];
    }),
  );
}
