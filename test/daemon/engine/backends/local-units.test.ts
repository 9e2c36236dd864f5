/**
 * Tests the ids of local units. The daemon assigns few of them, so that keys use little memory, yet every change
 * remains visible.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { newLastWrite } from "../../../../daemon/engine/backends/command-path.js";
import { LocalUnits, NewestDate } from "../../../../daemon/engine/backends/local-units.js";
import { MemoryBackend } from "../../../../daemon/engine/backends/memory-backend.js";
import { realEnvironment } from "../../../../daemon/net/process/clock-and-randomness.js";
import { commandTable } from "../../../../daemon/store/command-table.js";
import type { Command } from "../../../../daemon/store/rows/command-row.js";
import { LocalPath } from "../../../../faces/users/user-listeners.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { Reply } from "../../../../protocol/reply.js";
import { writeReply } from "../../../../protocol/resp/resp-writer.js";
import { makeKeyPair } from "../../../support/envelope-client.js";
import { makeScene } from "../../program/scene.js";

const NOW = 1_790_000_000_000;
const SENDER = { db: 0, now: NOW, as: null, readsAll: false, isStable: false, lastWrite: newLastWrite() };

function makePath() {
  const backend = new MemoryBackend(realEnvironment);
  const units = new LocalUnits(realEnvironment, new NewestDate());
  const path = new LocalPath(backend, units);
  const call = (...argv: readonly ByteString[]): Reply =>
    path.execute(commandTable.resolve(argv) as Command, argv, SENDER) as Reply;
  return { backend, units, path, call };
}

test("keys that are written one after the other share the id of a unit", () => {
  const { backend, call } = makePath();
  for (let i = 0; i < 100; i++) call("SET", `k${i}`, "v");
  const names = Array.from({ length: 100 }, (_, i) => backend.writerOf(0, `k${i}`));
  assert.equal(names[0]?.length, 36);
  assert.equal(new Set(names).size, 1);
});

test("a key that changes after WATCH gets a different writer", () => {
  const { path, call } = makePath();
  call("SET", "k", "1");
  const condition = { db: 0, key: "k", writer: path.writersOf(0, ["k"])[0] ?? "" };
  assert.ok(path.hold([condition]));
  call("GET", "k");
  call("SET", "other", "1");
  assert.ok(path.hold([condition]), "a change to another key does not affect the condition");
  call("SET", "k", "1");
  assert.ok(!path.hold([condition]));
});

test("a key that changes after WRITERS gets a different writer", () => {
  const { call } = makePath();
  call("SET", "k", "1");
  const reported = writeReply(call("WRITERS", "k"));
  assert.equal(writeReply(call("WRITERS", "k")), reported);
  call("APPEND", "k", "1");
  assert.notEqual(writeReply(call("WRITERS", "k")), reported);
});

test("an envelope, which may request writers, separates the units before it from later ones", () => {
  const clock = { now: NOW };
  const scene = makeScene({ clock, pair: makeKeyPair() });
  clock.now++;
  const { localUnits } = scene.pipeline.recording;
  const sender = { ...SENDER, now: clock.now };
  const before = localUnits.joined(sender).id;
  assert.equal(localUnits.joined(sender).id, before);
  assert.equal(scene.codeOf(scene.sign([["WRITERS", "k"]])), "result");
  assert.notEqual(localUnits.joined(sender).id, before);
});

test("a unit with its own id, as in version 1, shares that id with no other unit", () => {
  const { units } = makePath();
  const names = [units.joined(SENDER).id, units.next(0).id, units.next(0).id, units.joined(SENDER).id];
  assert.equal(new Set(names).size, 4, JSON.stringify(names));
});

test("units that share an id make different random choices", () => {
  const { call } = makePath();
  const members = Array.from({ length: 100 }, (_, i) => `m${i}`);
  call("SADD", "s", ...members);
  call("MSET", ...members.flatMap((key) => [key, "v"]));
  for (const argv of [["SRANDMEMBER", "s"], ["RANDOMKEY"]]) {
    const chosen = new Set(members.map(() => writeReply(call(...argv))));
    assert.ok(chosen.size > 20, `${argv[0]} chose ${chosen.size} of 100 in 100 calls`);
  }
});
