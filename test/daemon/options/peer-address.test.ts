/** Tests the addresses of --peer: host and port, with or without TLS and the pinned id of the daemon. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePeer } from "../../../daemon/options/peer-address.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";

const ID = "0123456789abcdef".repeat(4);
const PIN = `#ed25519:${ID}`;

for (const [text, host, port] of [
  ["db1.example:1180", "db1.example", 1180],
  ["192.0.2.1:1", "192.0.2.1", 1],
  ["[2001:db8::1]:65535", "2001:db8::1", 65_535],
] as const)
  test(`${text} is read with and without TLS and a pinned id`, () => {
    for (const tls of [false, true])
      for (const pin of [null, ID]) {
        const read = parsePeer(`${tls ? "dbsyncs://" : ""}${text}${pin === null ? "" : PIN}`);
        assert.deepEqual(
          { ...read, pin: read.pin === null ? null : hexOf(read.pin) },
          { host, port, pin, tls },
        );
      }
  });

test("an address without a host, a valid port or a complete pin is refused", () => {
  for (const text of [
    ...[
      "",
      ":1180",
      "a",
      "a:",
      "a:0",
      "a:65536",
      "a:123456",
      "a b:1",
      "a/b:1",
      "[]:1",
      "::1:1",
      "dbsyncs://",
    ],
    ...[PIN, "#ed25519:1234", "#a:1", "dbsyncs://#ed25519:1234", `${PIN}a:1`, "a:1#", "a:1#ed25519:"],
    ...[`a:1${PIN}0`, `a:1${PIN.slice(0, -1)}`, `a:1#rsa:${ID}`],
  ])
    assert.throws(() => parsePeer(text), RangeError, text);
});
