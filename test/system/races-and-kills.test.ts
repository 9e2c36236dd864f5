/**
 * Runs the races of races.test.ts on real daemon processes, with data folders and in memory, while the test kills and
 * disconnects the daemons.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient } from "../../client/public-api.js";
import { amount, some } from "../support/amount.js";
import { CuttablePort } from "../support/cuttable-port.js";
import { pause } from "../support/pause.js";
import { SeededRandom, seedOfRun } from "../support/seeded-random.js";
import { Trio } from "../support/trio.js";
import { nextTurn, until } from "../support/until.js";

/** The number of races at a time, and the number of faults (a kill and a disconnection each) during all races. */
const AT_ONCE = 20;
const FAULTS = amount(1, 2);
/** In milliseconds: the timeout of a call, the maximum delay before it, and the duration of a disconnection. */
const CALL_MS = 1000;
const DELAY_MS_MAX = 3;
const CUT_MS = 300;

const seed = seedOfRun();
for (const isInMemory of some([false, true]))
  test(`no race for a lock has two winners while ${isInMemory ? "in-memory " : ""}daemons are killed and disconnected (seed ${seed})`, async (t) => {
    const random = new SeededRandom(seed, isInMemory ? 1 : 0);
    await using trio = await Trio.make([], 3, { isInMemory });
    const links = await Promise.all(trio.ports.map((port) => CuttablePort.open(() => port)));
    t.after(() => Promise.all(links.map((link) => link[Symbol.asyncDispose]())));
    trio.linkPorts = links.map(({ port }) => port);
    await trio.startAll();
    await trio.untilNoneIsLate();
    const options = { key: trio.app.privateKey, timeout: CALL_MS, policy: "majority" } as const;
    await using first = createClient({ ...options, servers: trio.servers });
    await using second = createClient({ ...options, servers: trio.servers.toReversed() });

    let isOver = false;
    const faults = (async () => {
      for (let fault = 0; fault < FAULTS; fault++) {
        const index = random.below(trio.ports.length);
        const link = links[random.below(links.length)] as CuttablePort;
        link.isCut = true;
        await pause(CUT_MS);
        await trio.end(index, "SIGKILL");
        await trio.start(index);
        link.isCut = false;
        const areAllLive = async () => (await trio.statuses()).every(({ state }) => state === "live");
        await trio.until("all daemons are live", areAllLive);
      }
    })().finally(() => {
      isOver = true;
    });
    let races = 0;
    let won = 0;
    const race = async () => {
      await Promise.all(
        Array.from({ length: AT_ONCE }, async () => {
          const lock = `lock:${races++}`;
          const answers = await Promise.all(
            [first, second].map(async (client) => {
              await pause(random.between(0, DELAY_MS_MAX));
              return await client.send(["SET", lock, "mine", "NX"]).catch(() => null);
            }),
          );
          const winners = answers.filter((answer) => answer === "OK").length;
          assert.ok(winners <= 1, `${lock} has ${winners} winners`);
          won += winners;
        }),
      );
      return isOver && won > 0;
    };
    await until("all faults are over, and a race has a winner", race, { pause: nextTurn });
    await faults;
    t.diagnostic(`${races} races, ${won} won`);
  });
