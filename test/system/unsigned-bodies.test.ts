/**
 * Attack: send megabytes of commands in an envelope without a valid signature. They take no more memory than
 * their own bytes, since the daemon does not parse them into objects.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { some } from "../support/amount.js";
import { Client } from "./attacker/client.js";
import { sealed } from "./attacker/envelope.js";
import { type Key, makeKey } from "./attacker/key.js";
import { Victims } from "./attacker/victims.js";
import { resp } from "./attacker/wire.js";

const LIMIT = { timeout: 300_000 };
const BODY_BYTES = 24 * 1024 * 1024;
const AT_ONCE = 4;
/**
 * The heap limit of the daemon. It is sufficient for all objects of a daemon and its honest clients, but not for the
 * parsed arguments of one such body, which would crash the process. Unparsed bytes are not on this heap. Unlike the
 * memory of the process, this limit does not depend on when the garbage collector last ran.
 */
const HEAP = "--max-old-space-size=40";

/** Returns a body of BODY_BYTES: a header, and one command with only empty arguments. */
function bodyOf(key: Key, cluster: Buffer): Buffer {
  const head = ["key", key.id, "cluster", cluster, "at", Date.now(), "seq", 0, "nonce", Buffer.alloc(16)];
  const empty = Buffer.from("$0\r\n\r\n");
  const count = Math.floor(BODY_BYTES / empty.length);
  const command = Buffer.from(`*${count + 1}\r\n$3\r\nDEL\r\n`);
  const start = [Buffer.from("*3\r\n$7\r\ndbsync2\r\n"), resp(head), command];
  return Buffer.concat([...start, Buffer.alloc(count * empty.length, empty)]);
}

describe("an envelope without a valid signature", { concurrency: false }, () => {
  for (const [defect, refusal] of some([
    ["an unknown key", "unknown-key"],
    ["a bad signature", "bad-signature"],
  ] as const)) {
    test(`with ${defect} is refused before its millions of arguments are parsed`, LIMIT, async () => {
      await using victims = await Victims.start(1, { execArgv: [HEAP] });
      await victims.allLive();
      // The envelope names the attacker's key, or a known key whose owner has not signed it.
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

  test("a signed body with the same number of arguments exceeds the heap limit", LIMIT, async () => {
    await using victims = await Victims.start(1, { execArgv: [HEAP] });
    await victims.allLive();
    using client = await victims.client();
    client.connection.write(sealed(victims.application, bodyOf(victims.application, victims.cluster)).frame);
    const answered = client.connection.next("result").then(
      () => assert.fail("the body fits into the heap, so the test above proves nothing"),
      // The daemon has crashed and closed the connection.
      () => new Promise<never>(() => {}),
    );
    const { stderr } = await Promise.race([(victims.daemons[0] ?? assert.fail()).ended(), answered]);
    assert.match(stderr, /heap out of memory/);
  });
});
