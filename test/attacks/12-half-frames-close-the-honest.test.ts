/**
 * Attack: partial requests fill the buffer that all connections share. Unauthenticated connections are closed, the
 * authenticated one is not.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Connection } from "./connection.js";
import { Victims } from "./victims.js";

const MIB = 1024 * 1024;
const STRANGERS = 150;
const HALF_BYTES = 60 * 1024;

test("many half frames of strangers do not close the large request of somebody who has signed before", {
  timeout: 300_000,
}, async () => {
  const args = ["--max-request-bytes", String(6 * MIB), "--max-buffered-bytes", String(8 * MIB)];
  await using victims = await Victims.start(1, { args });
  await victims.allLive();
  using honest = await victims.client();
  assert.equal(await honest.text("SET", "small", "1"), "OK");

  const { frame } = honest.sign([["SET", "large", Buffer.alloc(5 * MIB, "x")]]);
  honest.connection.write(frame.subarray(0, frame.length - 1000));
  // The daemon has received all of it once it answers a client that wrote afterwards.
  using other = await victims.client();
  await other.text("PING");

  const strangers = await Promise.all(
    Array.from({ length: STRANGERS }, () => Connection.open(victims.port(0))),
  );
  for (const stranger of strangers) {
    stranger.write(`ds2:${MIB}:`);
    stranger.write(Buffer.alloc(HALF_BYTES, "y"));
  }
  await other.text("PING");
  await Promise.race([
    honest.connection.end,
    // This is more than fits: some of them have to be closed.
    ...strangers.map(({ end }) => end),
  ]);
  honest.connection.write(frame.subarray(frame.length - 1000));
  await honest.connection.next("result");
  await honest.connection.next("result");
  assert.equal(await honest.text("STRLEN", "large"), String(5 * MIB));
  for (const stranger of strangers) stranger[Symbol.dispose]();
});
