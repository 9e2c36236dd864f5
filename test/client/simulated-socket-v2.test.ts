/** Tests an assumption of the simulation's order check: like a real connection, a simulated one has no gaps. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { writeFrame } from "../../protocol/frame.js";
import { writeCommand } from "../../protocol/resp/resp-writer.js";
import { writeBody } from "../../protocol/version-2/envelope-body.js";
import { writeCommandMessage } from "../../protocol/version-2/messages-v2.js";
import { SeededRandom } from "../support/seeded-random.js";
import { FakeDaemon } from "./fake-daemon-v2.js";
import { type Mood, type SimulatedServer, SimulatedWorld } from "./simulated-world.js";

/** With this seed, the slow answer and then the end of the connection arrive after all writes. */
const SEED = 1;

test("a simulated daemon that closes on an envelope accepts no later one, even if its mood has changed", async () => {
  const world = new SimulatedWorld(new SeededRandom(SEED));
  const daemon = new FakeDaemon({ id: 1, clock: () => world.wallClock() });
  const server: SimulatedServer = { mood: "answer", daemon, received: [] };
  world.servers.set("a", server);
  let isClosed = false;
  const events = { opened: () => {}, received: () => {}, closed: () => void (isClosed = true) };
  const socket = world.openSocket({ host: "a", port: 1, tls: null }, events);

  const say = (mood: Mood, command: string) => {
    server.mood = mood;
    socket.write(envelopeOf(command, daemon, world.wallClock()));
  };

  world.at(100, () => say("slow", "SET first"));
  world.at(200, () => say("close", "SET second"));
  world.at(300, () => say("answer", "SET third"));
  await world.runUntil(10_000, () => {});
  assert.deepEqual(server.received, ["SET first"]);
  assert.ok(isClosed);
});

function envelopeOf(command: string, { cluster }: FakeDaemon, at: number): Buffer {
  const header = { key: "k".repeat(32), cluster, at, seq: 0, nonce: "n".repeat(16) };
  const body = writeBody(header, [writeCommand(command.split(" "))]);
  return Buffer.from(writeFrame(writeCommandMessage(body, "s".repeat(64)), 2), "latin1");
}
