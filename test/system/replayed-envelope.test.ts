/** Attack: replay a recorded envelope to a daemon with a Redis, after it was restarted with its clock set back. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { freePort } from "../support/free-port.js";
import { startRedis } from "../support/redis-server.js";
import { skipWithout } from "../support/requirements.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { until } from "../support/until.js";
import { Client } from "./attacker/client.js";
import { Connection } from "./attacker/connection.js";
import { makeKey } from "./attacker/key.js";
import { startWorkshop } from "./attacker/workshop.js";

const options = { timeout: 300_000, skip: skipWithout("redis-server") };

/**
 * Milliseconds by which the clock is set back. By this clock the daemon would accept the recorded envelope: its date
 * is neither too early for a daemon that has just started, nor too far in the future.
 */
const BEHIND_MS = 8_000;

/** Reads a key directly from Redis, with an inline command. */
async function valueIn(port: number, name: string): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1" });
  socket.write(`GET ${name}\r\n`);
  const [reply] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  return reply.toString().split("\r\n")[1] ?? "";
}

test(
  "a daemon with a Redis applies an envelope only once, even if it restarts with its clock set back",
  options,
  async () => {
    await using redis = await startRedis();
    using scratch = new ScratchFolder();

    const key = makeKey();
    const port = await freePort();
    const file = scratch.file("public.pem", key.pem);
    const args = ["-p", String(port), "-s", file, "-d", `redis:127.0.0.1:${redis.port}`];

    let recorded: Buffer = Buffer.alloc(0);
    {
      await using _daemon = await startWorkshop(args, {});
      using client = await Client.open(port, key);
      // The daemon refuses envelopes with a date before its start.
      await until(
        "the daemon accepts writes",
        async () => (await client.ask([["SET", "visits", "0"]])).refused === null,
      );
      const envelope = client.sign([["INCR", "visits"]]);
      assert.deepEqual((await client.send(envelope)).replies, [1]);
      recorded = envelope.frame;
    }

    await using _restarted = await startWorkshop(args, { clockOffMs: -BEHIND_MS });
    // At first the daemon may refuse every envelope. The attacker waits until it accepts one.
    using other = await Client.open(port, key);
    await until("the restarted daemon accepts writes", async () => {
      const { clock } = await other.hello();
      return (await other.ask([["SET", "other", "1"]], { at: clock })).refused === null;
    });

    using replayer = await Connection.open(port);
    replayer.write(recorded);
    await replayer.until(() => replayer.messages.length > 0);
    assert.equal(await valueIn(redis.port, "visits"), "1");
  },
);
