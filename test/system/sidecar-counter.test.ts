/**
 * Clients of one sidecar increment a counter while daemons hang, are killed and return.
 * The counter equals the number of acknowledged EXECs, and no connection reads a lower value than the last one that
 * an acknowledged EXEC of this connection has written.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { some } from "../support/amount.js";
import { freePort } from "../support/free-port.js";
import { pause } from "../support/pause.js";
import { RedisConnection } from "../support/redis-connection.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { seed } from "../support/seed.js";
import { SeededRandom } from "../support/seeded-random.js";
import { startSidecar } from "../support/start-sidecar.js";
import { Trio } from "../support/trio.js";
import { until } from "../support/until.js";
import { Increments } from "./increments.js";

const OTHER_CLIENTS = 8;
const HANG_MS = 9_000;
/** How long a daemon is away before it catches up. */
const AWAY_MS = 2_000;

type Fault = (trio: Trio, first: number, second: number) => Promise<void>;

async function hang(trio: Trio, index: number): Promise<void> {
  trio.daemon(index).kill("SIGSTOP");
  await pause(HANG_MS);
  trio.daemon(index).kill("SIGCONT");
}

const faults: Readonly<Record<string, Fault>> = {
  hang,
  "kill, hang and restart": async (trio, first, second) => {
    await trio.end(first, "SIGKILL");
    await hang(trio, second);
    await trio.start(first);
  },
  "hang while another one catches up": async (trio, first, second) => {
    await trio.end(first, "SIGKILL");
    await pause(AWAY_MS);
    trio.daemon(second).kill("SIGSTOP");
    await trio.start(first);
    await pause(HANG_MS);
    trio.daemon(second).kill("SIGCONT");
  },
};

/** Repeats a step on one connection until the test ends. */
async function repeat(
  port: number,
  isOver: () => boolean,
  act: (line: RedisConnection) => Promise<unknown>,
): Promise<void> {
  while (!isOver()) {
    using line = await RedisConnection.open(port);
    while (!isOver() && !line.closed) await act(line).catch(() => {});
  }
}

test("the counter equals the number of acknowledged EXECs while daemons hang or are killed", {
  timeout: 3_600_000,
}, async (context) => {
  const random = new SeededRandom(seed());
  await using trio = await Trio.start();
  await trio.untilNoneIsLate();
  using folder = new ScratchFolder();
  const resp = await freePort();
  await using _sidecar = await startSidecar(folder.privateKey(trio.app), trio.servers, [
    "--resp",
    String(resp),
  ]);
  for (const [round, [name, cause]] of some(Object.entries(faults)).entries()) {
    const first = random.below(trio.ports.length);
    const second = (first + 1 + random.below(trio.ports.length - 1)) % trio.ports.length;
    const increments = new Increments(`counter:${round}`);
    let over = false;
    const isOver = () => over;
    const clients = Array.from({ length: OTHER_CLIENTS }, (_, number) =>
      repeat(resp, isOver, (line) => line.value("SET", `other:${number}`, "x".repeat(random.below(200)))),
    );
    clients.push(repeat(resp, isOver, (line) => increments.add(line)));
    await until("EXECs are acknowledged", () => increments.acknowledged > 20);
    await cause(trio, first, second);
    await pause(500);
    over = true;
    await Promise.all(clients);
    await trio.level(120_000);
    context.diagnostic(`${name}: ${increments.acknowledged} acknowledged, ${increments.unknown} unknown`);
    await using client = trio.client();
    increments.check(Number(await client.call(`GET counter:${round}`)));
  }
  assert.deepEqual(trio.errors, []);
});
