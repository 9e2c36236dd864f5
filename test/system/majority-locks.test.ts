/** Attack: delay the command of a client. Two clients must never both believe that they have the lock. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createClient } from "../../client/public-api.js";
import { some } from "../support/amount.js";
import { Relay } from "./attacker/relay.js";
import { Victims } from "./attacker/victims.js";

const isCommand = (chunk: Buffer): boolean => chunk.includes("$7\r\ncommand\r\n");

describe("a lock by majority", { concurrency: true }, () => {
  for (const delayed of some([3, 2])) {
    test(`is acquired by only one client if the first command reaches ${delayed} of three daemons late`, {
      timeout: 300_000,
    }, async () => {
      await using victims = await Victims.start(3, { peers: "pinned" });
      await victims.allLive();
      const key = victims.application.privateKey.export({ type: "pkcs8", format: "pem" }).toString();

      let commands = 0;
      let allArrived = (): void => {};
      let release = (): void => {};
      const arrived = new Promise<void>((resolve) => (allArrived = resolve));
      const released = new Promise<void>((resolve) => (release = resolve));
      const relays = await Promise.all(
        victims.daemons.map(({ port }, index) =>
          Relay.start(port, async (chunk): Promise<"pass"> => {
            if (!isCommand(chunk)) return "pass";
            if (++commands === 3) allArrived();
            if (index < delayed) await released;
            return "pass";
          }),
        ),
      );
      const options = { key, cluster: victims.cluster.toString("hex") };
      const call = { policy: "majority", timeout: 20_000 } as const;
      const early = createClient({ ...options, servers: relays.map(({ address }) => address) });
      const late = createClient({ ...options, servers: victims.servers });
      try {
        const acquire = (client: typeof early, name: string) =>
          client.call(["SET", "lock", name, "NX"], call).then(String, (reason: Error) => reason.message);
        const first = acquire(early, "early");
        await arrived;
        const second = await acquire(late, "late");
        release();
        const answers = [await first, second];
        assert.ok(answers.filter((answer) => answer === "OK").length < 2, `answers: ${answers.join("; ")}`);
      } finally {
        release();
        await Promise.all([
          early.close(),
          late.close(),
          ...relays.map((relay) => relay[Symbol.asyncDispose]()),
        ]);
      }
    });
  }
});
