/**
 * Attack: fill the buffer that all connections share with partial requests. The daemon closes unauthenticated
 * connections, but not the authenticated one.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Connection } from "./attacker/connection.js";
import { Victims } from "./attacker/victims.js";

const MIB = 1024 * 1024;
const ATTACKERS = 150;
const HALF_BYTES = 60 * 1024;

test("partial frames of unauthenticated clients do not interrupt the large request of an authenticated client", {
  timeout: 300_000,
}, async () => {
  const args = ["--max-request-bytes", String(6 * MIB), "--max-buffered-bytes", String(8 * MIB)];
  await using victims = await Victims.start(1, { args });
  await victims.allLive();
  using honest = await victims.client();
  assert.equal(await honest.text("SET", "small", "1"), "OK");

  const { frame } = honest.sign([["SET", "large", Buffer.alloc(5 * MIB, "x")]]);
  honest.connection.write(frame.subarray(0, frame.length - 1000));
  // When the daemon answers a later request, it has received all bytes of the earlier one.
  using other = await victims.client();
  await other.text("PING");

  const attackers = await Promise.all(
    Array.from({ length: ATTACKERS }, () => Connection.open(victims.port(0))),
  );
  for (const attacker of attackers) {
    attacker.write(`ds2:${MIB}:`);
    attacker.write(Buffer.alloc(HALF_BYTES, "y"));
  }
  await other.text("PING");
  await Promise.race([
    honest.connection.end,
    // The partial frames exceed the buffer, so the daemon must close some connections.
    ...attackers.map(({ end }) => end),
  ]);
  honest.connection.write(frame.subarray(frame.length - 1000));
  await honest.connection.next("result");
  await honest.connection.next("result");
  assert.equal(await honest.text("STRLEN", "large"), String(5 * MIB));
  for (const attacker of attackers) attacker[Symbol.dispose]();
});
