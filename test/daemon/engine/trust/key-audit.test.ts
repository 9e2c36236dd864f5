/**
 * Tests the log lines about changes to the key ring and about refused keys, and the errors for commands that envelopes
 * may not contain.
 */
import "../../../support/installed-families.js";
import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Logger } from "pino";
import { MemoryBackend } from "../../../../daemon/engine/backends/memory-backend.js";
import { logReceivedChanges } from "../../../../daemon/engine/trust/key-audit.js";
import { realEnvironment } from "../../../../daemon/net/process/clock-and-randomness.js";
import type { AddedEntry } from "../../../../daemon/timeline/entries/entry.js";
import { hexOf } from "../../../../protocol/version-2/envelope.js";
import { double } from "../../../support/double.js";
import { EnvelopeClient, makeKeyPair } from "../../../support/envelope-client.js";
import { startInProcess } from "../../program/in-process.js";

const pair = makeKeyPair();
const root = makeKeyPair();
const web = makeKeyPair();

async function start() {
  const daemon = await startInProcess({
    backends: [new MemoryBackend(realEnvironment)],
    keys: [pair.file],
    rootKeys: [root.file],
  });
  after(() => daemon[Symbol.asyncDispose]());
  const open = async (keyPair: typeof pair) => {
    const client = await EnvelopeClient.open(daemon.port, keyPair);
    after(() => client[Symbol.dispose]());
    return client;
  };
  const logged = (message: string) => daemon.log.filter(({ msg }) => msg === message);
  return { daemon, open, logged };
}

const ADD = ["KEY", "ADD", web.pem, "LABEL", "web", "RATE", "1", "RULES", "+@read", "~*"];

test("the audit log records each change, but not a command that changes nothing", async () => {
  const { open, logged } = await start();
  const client = await open(root);
  for (let i = 0; i < 2; i++) assert.equal((await client.replies([ADD]))[0]?.kind, "bulk");
  assert.equal(logged("the keys were changed").length, 1);
  for (let i = 0; i < 2; i++) await client.replies([["KEY", "REVOKE", hexOf(web.id)]]);
  assert.equal(logged("the keys were changed").length, 2);
  for (const line of logged("the keys were changed")) assert.equal(line["key"], hexOf(web.id));
});

test("the log line about a change that another daemon sent names the changed keys", () => {
  const lines: object[] = [];
  const entry = (...commands: string[][]) => ({
    ...{ id: "i".repeat(32), at: 1_790_000_000_000 },
    ring: { envelope: { key: root.id, commands } },
  });
  const entries = double<AddedEntry[]>([
    entry(ADD, ["KEY", "REVOKE", hexOf(pair.id)]),
    { ...entry(), ring: null },
  ]);
  logReceivedChanges(entries, double<Logger>({ warn: (facts: object) => void lines.push(facts) }));
  const [{ keys, by } = {}, ...others] = lines as { keys?: string[]; by?: string }[];
  assert.deepEqual([keys, by, others], [[hexOf(web.id), hexOf(pair.id)], hexOf(root.id), []]);
});

test("an entry of another daemon with an argument that is not a key is logged without it", () => {
  const lines: object[] = [];
  const invalid = [
    "KEY ADD typo!",
    `KEY ADD ${"A".repeat(8192)}`,
    "CLUSTER ADD -",
    "KEY REVOKE typo",
    "KEY ADD",
  ];
  const commands = [...invalid.map((line) => line.split(" ")), ADD];
  const ring = { envelope: { key: root.id, commands } };
  const entries = double<AddedEntry[]>([{ id: "i".repeat(32), at: 1_790_000_000_000, ring }]);
  logReceivedChanges(entries, double<Logger>({ warn: (facts: object) => void lines.push(facts) }));
  const [line, ...others] = lines as { keys?: string[] }[];
  assert.deepEqual([line?.keys, others], [[hexOf(web.id)], []]);
});

test("the log line about a denied KEY command names the key and its label", async () => {
  const { open, logged } = await start();
  const client = await open(pair);
  assert.equal((await client.replies([["KEY", "LIST"]]))[0]?.kind, "error");
  const [line] = logged("a KEY command was denied");
  assert.equal(line?.level, "warn");
  assert.deepEqual([line?.["command"], line?.["by"]], ["KEY LIST", hexOf(pair.id)]);
  assert.equal(typeof line?.["label"], "string");
  await client.replies([["CONFIG", "GET", "x"]]);
  assert.equal(logged("a KEY command was denied").length, 1);
});

test("a logged refusal names the key, and its label if it is known", async () => {
  const { daemon, open } = await start();
  const administrator = await open(root);
  await administrator.replies([ADD]);
  const client = await open(web);
  await client.ask([["GET", "k"]], { cluster: "c".repeat(32) });
  for (let i = 0; i < 2; i++) await client.ask([["GET", "k"]]);
  for (const reason of ["wrong-cluster", "over-rate"]) {
    const line = daemon.log.find((each) => each["reason"] === reason);
    assert.deepEqual([line?.["key"], line?.["label"]], [hexOf(web.id), "web"], reason);
  }
});

for (const [name, cure] of [
  ["MULTI", /multi/],
  ["exec", /multi/],
  ["DISCARD", /multi/],
  ["WATCH", /if/],
  ["UNWATCH", /if/],
] as const) {
  test(`${name} in an envelope is an error that names the alternative`, async () => {
    const { open } = await start();
    const client = await open(pair);
    const [reply] = await client.replies([[name, "k"]]);
    assert.ok(reply?.kind === "error");
    assert.match(reply.text, new RegExp(`^ERR ${name.toUpperCase()} is not permitted in an envelope: `));
    assert.match(reply.text, cure);
  });
}

test("the error for an unknown subcommand of KEY lists the subcommands", async () => {
  const { open } = await start();
  const [reply] = await (await open(root)).replies([["KEY", "HELP"]]);
  assert.ok(reply?.kind === "error");
  assert.match(reply.text, /There are ADD, DRYRUN, INFO, LIST, REVOKE, RULES\.$/);
});
