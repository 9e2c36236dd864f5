/** Tests how the address of --admin is parsed and formatted. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { formatHostAndPort, parseHostAndPort } from "../../../../daemon/net/process/host-and-port.js";

test("a port without an address means 127.0.0.1", () => {
  assert.deepEqual(parseHostAndPort("9464"), { address: "127.0.0.1", port: 9464 });
  assert.deepEqual(parseHostAndPort("0"), { address: "127.0.0.1", port: 0 });
});

test("an address may precede the port (IPv6 in brackets), and is formatted as it was written", () => {
  assert.deepEqual(parseHostAndPort("0.0.0.0:1"), { address: "0.0.0.0", port: 1 });
  assert.deepEqual(parseHostAndPort("[::1]:65535"), { address: "::1", port: 65535 });
  for (const text of ["127.0.0.1:9464", "[fe80::1]:80"])
    assert.equal(formatHostAndPort(parseHostAndPort(text)), text);
});

test("any other text is refused with a message that states the expected form", () => {
  for (const text of [
    "",
    "x",
    "70000",
    "-1",
    "1.5",
    ":1",
    "localhost:1",
    "::1:1",
    "[127.0.0.1]:1",
    "1.2.3:4",
  ]) {
    assert.throws(
      () => parseHostAndPort(text),
      /^RangeError: Expected a port from 0 to 65535, optionally after an IP address/,
      text,
    );
  }
});
