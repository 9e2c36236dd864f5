/** Tests that connected daemons exchange statements about the daemon that sentinels name, and notice its end. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { NamedDaemon } from "../../../../../daemon/cluster/peers/shared/named-daemon.js";
import { keyOf } from "../entries.js";
import { World } from "../support.js";

const NAMES = ["a", "b"] as const;
const DOWN_AFTER_MS = 60_000;

test("peers name the same daemon, and another one as soon as its port refuses connections", () => {
  const world = new World();
  const choices = new Map(
    NAMES.map((name) => {
      const service = { acceptsWrites: true, resp: { host: "", port: 6379 }, sentinel: null };
      const choice = new NamedDaemon({
        id: keyOf(name).id,
        hasPeers: () => true,
        own: () => service,
        downAfterMs: () => DOWN_AFTER_MS,
        uptime: () => world.now,
        startedAt: 1,
      });
      return [name, choice] as const;
    }),
  );

  for (const name of NAMES)
    world.add(name, {
      peers: NAMES.filter((other) => other !== name),
      parts: { named: choices.get(name) as NamedDaemon },
    });

  const named = () => NAMES.map((name) => choices.get(name)?.current?.id);
  world.runUntil(() => named().every((id) => id !== undefined));
  world.run(1000);
  const [first, second] = named();
  assert.equal(first, second);

  const dead = NAMES.find((name) => keyOf(name).id === first) as string;
  const [remaining] = NAMES.filter((name) => name !== dead);
  const choice = choices.get(remaining as "a") as NamedDaemon;
  // The host of the statement is empty, so the address is the one from which the member is seen.
  assert.equal(choice.current?.address.host, dead);

  world.kill(dead);
  world.runUntil(() => choice.current?.id === keyOf(remaining as string).id);
  assert.ok(world.now < DOWN_AFTER_MS);
});
