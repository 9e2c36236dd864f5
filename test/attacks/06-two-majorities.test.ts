/** Attack: delay a client's command for a moment. No two clients come to believe that they hold the same lock. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createClient } from "../../client/entry.js";
import { some } from "../support/amount.js";
import { Relay } from "./relay.js";
import { Victims } from "./victims.js";

const isCommand = (chunk: Buffer): boolean => chunk.includes("$7\r\ncommand\r\n");

describe("a lock by majority", { concurrency: true }, () => {
  for (const held of some([3, 2])) {
    test(`is given to one client, when the earlier one's command is held back on the way to ${held} of three`, {
      timeout: 300_000,
    }, async () => {
      await using victims = await Victims.start(3, { peers: "pinned" });
      await victims.allLive();
      const key = victims.application.privateKey.export({ type: "pkcs8", format: "pem" }).toString();

      let seen = 0;
      let allSeen = (): void => {};
      let release = (): void => {};
      const arrived = new Promise<void>((resolve) => (allSeen = resolve));
      const released = new Promise<void>((resolve) => (release = resolve));
      const relays = await Promise.all(
        victims.daemons.map(({ port }, index) =>
          Relay.start(port, async (chunk): Promise<"pass"> => {
            if (!isCommand(chunk)) return "pass";
            if (++seen === 3) allSeen();
            if (index < held) await released;
            return "pass";
          }),
        ),
      );
      const options = { key, cluster: victims.cluster.toString("hex") };
      const call = { policy: "majority", timeout: 20_000 } as const;
      const early = createClient({ ...options, servers: relays.map(({ address }) => address) });
      const late = createClient({ ...options, servers: victims.servers });
      try {
        const take = (client: typeof early, name: string) =>
          client.call(["SET", "lock", name, "NX"], call).then(String, (reason: Error) => reason.message);
        const first = take(early, "early");
        await arrived;
        const second = await take(late, "late");
        release();
        const told = [await first, second];
        assert.ok(told.filter((answer) => answer === "OK").length < 2, `told: ${told.join("; ")}`);
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
