/** An envelope that was recorded is sent again to a daemon in front of a Redis that was restarted with its clock behind. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { freePort } from "../support/free-port.js";
import { startRedis } from "../support/redis-server.js";
import { skipWithout } from "../support/requirements.js";
import { Client } from "./client.js";
import { Connection } from "./connection.js";
import { makeKey } from "./key.js";
import { Scratch, until } from "./victims.js";
import { startWorkshop } from "./workshop.js";

const options = { timeout: 300_000, skip: skipWithout("redis-server") };

/** Further than what a daemon refuses after its start, and not further than the envelope would be dated ahead then. */
const BEHIND_MS = 8_000;

/** What Redis says of a key, by an inline command. */
async function valueIn(port: number, name: string): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1" });
  socket.write(`GET ${name}\r\n`);
  const [reply] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  return reply.toString().split("\r\n")[1] ?? "";
}

test(
  "a daemon in front of a Redis applies an envelope once, though it comes back with its clock behind",
  options,
  async () => {
    await using redis = await startRedis();
    using scratch = new Scratch();
    const key = makeKey();
    const port = await freePort();
    const file = scratch.file("public.pem", key.pem);
    const args = ["-p", String(port), "-s", file, "-d", `redis:127.0.0.1:${redis.port}`];
    let recorded: Buffer = Buffer.alloc(0);
    {
      await using _daemon = await startWorkshop(args, {});
      using client = await Client.open(port, key);
      // What is dated by the start is refused.
      await until(async () => (await client.ask([["SET", "visits", "0"]])).refused === null);
      const envelope = client.sign([["INCR", "visits"]]);
      assert.deepEqual((await client.send(envelope)).replies, [1]);
      recorded = envelope.frame;
    }
    await using _again = await startWorkshop(args, { clockOffMs: -BEHIND_MS });
    // It may take nothing yet. As soon as it takes anything, the attacker is there.
    using other = await Client.open(port, key);
    await until(async () => {
      const { clock } = await other.hello();
      return (await other.ask([["SET", "other", "1"]], { at: clock })).refused === null;
    });
    using replayer = await Connection.open(port);
    replayer.write(recorded);
    await replayer.until(() => replayer.heard.length > 0);
    assert.equal(await valueIn(redis.port, "visits"), "1");
  },
);
