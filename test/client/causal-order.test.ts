/**
 * Tests that the writes of a client are ordered after the answers that it has received. The clients' clocks are wrong
 * by up to a minute. There are three dbsyncd processes, one of which is under full load from other clients.
 * client-clock.test.ts tests steps within a millisecond.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { openClientWith } from "../../client/dbsync-send.js";
import type { OutboxClient } from "../../client/outbox-client.js";
import { readOptions } from "../../client/settings/client-settings.js";
import { loadSigningKey } from "../../client/settings/signing-key.js";
import { realEnvironment } from "../../client/shared/client-environment.js";
import { amount } from "../support/amount.js";
import { type DaemonHere, startDaemonHere } from "../support/daemon-here.js";
import { makeKeyPair } from "../support/envelope-client.js";
import { PATIENCE_MS, summary } from "./test-client.js";

const TURNS = amount(15, 300);
const CLOCKS_OFF_BY_MS = [-60_000, 60_000, 0, 59_000, -7, -31_000];
const BUSY_CLIENTS = 9;
/** The milliseconds by which a date may be ahead of the daemons' clock. */
const AHEAD_MS_MAX = 1_000;

const pair = makeKeyPair();
const { sign, signer } = loadSigningKey({ key: pair.privateKey, passphrase: undefined });

describe("clients that take turns on different daemons", () => {
  let daemons: readonly DaemonHere[] = [];
  const clients: OutboxClient[] = [];
  before(async () => {
    daemons = await Promise.all([0, 1, 2].map(() => startDaemonHere(["--sign-key", pair.file])));
  });
  after(async () => {
    await Promise.all(clients.map((client) => client.close()));
    await Promise.all(daemons.map((daemon) => daemon[Symbol.asyncDispose]()));
  });

  /** Creates a client of some of the daemons, on a machine with a wrong clock. */
  const clientOf = (places: readonly number[], offByMs: number): OutboxClient => {
    const servers = places.map((index) => `127.0.0.1:${daemons[index % daemons.length]?.port}`);
    const settings = readOptions({ key: false, timeout: PATIENCE_MS, servers }, () => {
      throw new Error("no defaults in tests");
    });
    const environment = { ...realEnvironment, wallClock: () => Date.now() + offByMs };
    const client = openClientWith(settings, environment, { sign, signer });
    clients.push(client);
    return client;
  };

  test("write in the order of their turns, with dates that stay close to the daemons' time", async () => {
    // Each player shares one daemon with the previous player, and also writes to one that the latter does not use.
    const players = CLOCKS_OFF_BY_MS.map((offByMs, index) => clientOf([index, index + 1], offByMs));

    let isOver = false;
    let envelopes = 0;
    let ahead = 0;
    const watch = (client: OutboxClient): string => {
      const key = client.lastWrite ?? assert.fail("no write was answered");
      ahead = Math.max(ahead, Number(`0x${key.slice(0, 16)}`) - Date.now());
      envelopes++;
      return key;
    };

    const keepBusy = async (client: OutboxClient, index: number): Promise<void> => {
      while (!isOver) {
        await client.send(`INCR busy${index}`);
        watch(client);
      }
    };

    const startedAt = performance.now();
    const busy = Array.from({ length: BUSY_CLIENTS }, (_, index) => keepBusy(clientOf([0], 0), index));

    let inversions = 0;
    let last = "";
    for (let turn = 0; turn < TURNS; turn++) {
      const player = players[turn % players.length] ?? assert.fail();
      const read = await player.sendAll("GET turn");
      if (turn > 0) assert.equal(summary(read.outcomes[0]), `ok ${turn - 1}`);
      const written = await player.sendAll(`SET turn ${turn}`);
      assert.deepEqual(written.outcomes.map(summary), ["ok OK", "ok OK"]);

      const key = watch(player);
      if (key <= last) inversions++;
      last = key;
    }

    isOver = true;
    await Promise.all(busy);
    const rate = Math.round((1_000 * envelopes) / (performance.now() - startedAt));
    const measured = `${envelopes} envelopes, ${rate} a second, at most ${ahead} ms ahead`;

    assert.equal(inversions, 0, measured);
    assert.ok(ahead < AHEAD_MS_MAX, measured);
  });
});
