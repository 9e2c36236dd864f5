/**
 * Attack: megabytes of commands in an envelope without a valid signature. They cost no more than their bytes,
 * since none is parsed into an object.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { some } from "../support/amount.js";
import { Client } from "./client.js";
import { sealed } from "./envelope.js";
import { type Key, makeKey } from "./key.js";
import { Victims } from "./victims.js";
import { resp } from "./wire.js";

const LIMIT = { timeout: 300_000 };
const BODY_BYTES = 24 * 1024 * 1024;
const AT_ONCE = 4;
/**
 * Heap limit: it has room for all objects of a daemon and of honest clients, but not for the parsed arguments of
 * one such body, which would end the process. Unparsed bytes are not on this heap. Unlike the process's memory, it
 * does not depend on when a busy machine collects garbage.
 */
const HEAP = "--max-old-space-size=40";

/** Returns the header, followed by one command with as many empty arguments as fit. */
function bodyOf(key: Key, cluster: Buffer): Buffer {
  const head = ["key", key.id, "cluster", cluster, "at", Date.now(), "seq", 0, "nonce", Buffer.alloc(16)];
  const empty = Buffer.from("$0\r\n\r\n");
  const count = Math.floor(BODY_BYTES / empty.length);
  const command = Buffer.from(`*${count + 1}\r\n$3\r\nDEL\r\n`);
  const start = [Buffer.from("*3\r\n$7\r\ndbsync2\r\n"), resp(head), command];
  return Buffer.concat([...start, Buffer.alloc(count * empty.length, empty)]);
}

describe("an envelope that proves nothing", { concurrency: false }, () => {
  for (const [which, refusal] of some([
    ["an unknown key", "unknown-key"],
    ["a bad signature", "bad-signature"],
  ] as const)) {
    test(`with ${which} makes no objects of millions of arguments`, LIMIT, async () => {
      await using victims = await Victims.start(1, { execArgv: [HEAP] });
      await victims.allLive();
      // The envelope names the attacker's own key, or a known key that has not signed it.
      const key = refusal === "unknown-key" ? makeKey() : { ...makeKey(), id: victims.application.id };
      const { frame } = sealed(key, bodyOf(key, victims.cluster));
      await Promise.all(
        Array.from({ length: AT_ONCE }, async () => {
          using client = await Client.open(victims.port(0), key);
          client.connection.write(frame);
          const [, , code] = await client.connection.next("refused");
          assert.equal(String(code), refusal);
        }),
      );
      using honest = await victims.client();
      assert.equal(await honest.text("PING"), "PONG");
    });
  }

  test("a body of as many arguments that is signed has no room there", LIMIT, async () => {
    await using victims = await Victims.start(1, { execArgv: [HEAP] });
    await victims.allLive();
    using client = await victims.client();
    client.connection.write(sealed(victims.application, bodyOf(victims.application, victims.cluster)).frame);
    const answered = client.connection.next("result").then(
      () => assert.fail("the daemon has room for it: the bound above says nothing"),
      // The daemon died and closed the connection.
      () => new Promise<never>(() => {}),
    );
    const { stderr } = await Promise.race([(victims.daemons[0] ?? assert.fail()).ended(), answered]);
    assert.match(stderr, /heap out of memory/);
  });
});
