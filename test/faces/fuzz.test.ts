/**
 * Sends mutated requests to each listener of a real daemon. Each request may end only its own connection. DBSYNC_SEED
 * repeats a run.
 */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { openClient, pair } from "../../faces/web/test/scene.js";
import { clientsOf, LISTENER_CASES } from "../support/all-listener-cases.js";
import { amount, isFull } from "../support/amount.js";
import { startDaemon } from "../support/daemon-process.js";
import { makeKeyPair } from "../support/envelope-client.js";
import type { ListenerCases } from "../support/listener-cases.js";
import { SeededRandom, seedOfRun } from "../support/seeded-random.js";

/** The number of inputs to each listener. */
const INPUTS = amount(80, 1_500);
const CONNECTIONS = 8;
const CHANGES_MAX = 4;
/** Milliseconds after which the test closes a connection that neither side has closed. */
const OPEN_MS_MAX = 30;

const bytesOf = (input: Buffer | string) =>
  typeof input === "string" ? Buffer.from(input, "latin1") : input;

/** Changes, removes or duplicates a few bytes. */
function mutated(bytes: Buffer, random: SeededRandom): Buffer {
  let result = Buffer.from(bytes);
  for (let remaining = random.below(CHANGES_MAX + 1); remaining > 0 && result.length > 0; remaining--) {
    const at = random.below(result.length);
    const kind = random.below(4);
    if (kind === 0) result[at] = random.below(256);
    else if (kind === 1) result[at] = (result[at] as number) ^ (1 << random.below(8));
    else if (kind === 2)
      result = Buffer.concat([result.subarray(0, at), result.subarray(random.below(result.length))]);
    else result = Buffer.concat([result, result.subarray(at)]);
  }
  return result;
}

/** Sends an input in one or two pieces, and ends the connection in a random way. */
function send(port: number, { inputs, opening }: ListenerCases, random: SeededRandom): Promise<void> {
  const count = random.between(1, 3);
  const bytes = Buffer.concat(
    Array.from({ length: count }, () => mutated(bytesOf(random.oneOf(inputs)), random)),
  );
  const start = bytesOf(random.chance(0.5) && opening !== undefined ? opening[0] : "");
  const [at, isAbrupt] = [random.below(bytes.length + 1), random.chance(0.5)];

  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true });
    const timer = setTimeout(() => socket.destroy(), OPEN_MS_MAX);
    socket.on("error", () => {}).resume();
    socket.on("close", () => {
      clearTimeout(timer);
      resolve();
    });
    socket.write(Buffer.concat([start, bytes.subarray(0, at)]), () => {
      socket.write(bytes.subarray(at));
      if (isAbrupt) setImmediate(() => socket.destroy());
      else socket.end();
    });
  });
}

/** The listeners that share a daemon: each has its own in full runs. */
const GROUPS = isFull ? LISTENER_CASES.map((cases) => [cases]) : [LISTENER_CASES];

for (const group of GROUPS)
  test(`${INPUTS} mutated inputs to ${group.map(({ option }) => `--${option}`).join(", ")} end only their own connections, seed ${seedOfRun()}`, async () => {
    const root = makeKeyPair();
    // A sentinel needs Redis clients whose daemon it names.
    const names = group.map(({ option }) => option);
    const served = new Set(names.includes("sentinel") ? [...names, "resp"] : names);
    const flags = [...served].flatMap((name) => (name === "ws" ? [] : [`--${name}`, "0"]));
    const keys = ["-s", pair.file, "--root-key", root.file];
    await using daemon = await startDaemon([...keys, "--ws", "0", ...flags]);
    using other = await openClient(await daemon.portOf("WebSocket clients"));

    for (const cases of group) {
      const port = await daemon.portOf(clientsOf(cases));
      const random = new SeededRandom(seedOfRun());
      let remaining = INPUTS;
      const worker = async () => {
        while (remaining-- > 0) await send(port, cases, random);
      };
      await Promise.all(Array.from({ length: CONNECTIONS }, worker));

      const answer = await other.replies([["PING"]]).catch((cause: Error) => cause.message);
      assert.deepEqual(answer, [{ kind: "status", text: "PONG" }], cases.option);
    }

    const { code, stderr } = await daemon.stop();
    assert.deepEqual([code, stderr], [0, ""]);
  });
