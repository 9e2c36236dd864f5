/** Tests --ws of a real daemon: next to the other port, over TLS, and with options that prevent a start. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { WebSocket } from "ws";
import { makeFolder } from "../../../test/daemon/program/replicas.js";
import { skipUnlessFull, some } from "../../../test/support/amount.js";
import { writeCertificate } from "../../../test/support/certificate-files.js";
import { startDaemonHere } from "../../../test/support/daemon-here.js";
import { startDaemon } from "../../../test/support/daemon-process.js";
import { EnvelopeClient } from "../../../test/support/envelope-client.js";
import { refusalOf } from "../../../test/support/refusal.js";
import { MessageLine, openClient, pair } from "./scene.js";

test("the writes of a page are recorded and signed like all other writes", async () => {
  using folder = makeFolder();
  const args = ["-s", pair.file, "--data", folder.path, "--ws", "0"];
  {
    await using daemon = await startDaemonHere(args);
    using page = await openClient(await daemon.portOf("WebSocket clients"));
    assert.deepEqual(await page.replies([["INCR", "n"]]), [{ kind: "integer", value: 1 }]);
    await daemon.stop();
  }
  await using again = await startDaemonHere(args);
  using page = await openClient(await again.portOf("WebSocket clients"));
  assert.deepEqual(await page.replies([["INCR", "n"]]), [{ kind: "integer", value: 2 }]);
});

test("with a certificate the listener uses TLS, as the other port does", async () => {
  using folder = makeFolder();
  const { certificate, key, pem } = await writeCertificate(folder.path);
  const tls = ["--tls-cert", certificate, "--tls-key", key];
  await using daemon = await startDaemonHere(["-s", pair.file, "--ws", "0", ...tls]);
  const port = await daemon.portOf("WebSocket clients");
  const plain = new WebSocket(`ws://localhost:${port}/`);
  await once(plain, "error");
  const socket = new WebSocket(`wss://localhost:${port}/`, { ca: pem, origin: "https://localhost:8080" });
  await once(socket, "open");
  using page = await EnvelopeClient.over(new MessageLine(socket), pair);
  assert.deepEqual(await page.replies([["PING"]]), [{ kind: "status", text: "PONG" }]);
});

test("even over TLS, a client that reads no answers is served no further, but other clients are", {
  skip: skipUnlessFull,
}, async () => {
  using folder = makeFolder();
  const { certificate, key, pem } = await writeCertificate(folder.path);
  const tls = ["--tls-cert", certificate, "--tls-key", key];
  await using daemon = await startDaemon(["-s", pair.file, "--ws", "0", ...tls, "--idle-timeout", "5s"]);
  const port = await daemon.portOf("WebSocket clients");

  const open = async () => {
    const socket = new WebSocket(`wss://localhost:${port}/`, { ca: pem });
    await once(socket, "open");
    return EnvelopeClient.over(new MessageLine(socket), pair);
  };

  using slow = await open();
  await slow.replies([["SET", "k", "x".repeat(4 << 20)]]);
  slow.raw.socket.pause();
  const requests = 64;
  for (let i = 0; i < requests; i++) slow.raw.send(slow.sign([["GET", "k"]]).frame);

  using other = await open();
  assert.deepEqual(await other.replies([["STRLEN", "k"]]), [{ kind: "integer", value: 4 << 20 }]);
  const { detail } = await daemon.logged(({ reason }) => reason === "output-stuck");
  assert.ok(Number.parseInt(String(detail), 10) < (requests / 4) * (4 << 20), `${detail}`);

  using again = await open();
  assert.deepEqual(await again.replies([["PING"]]), [{ kind: "status", text: "PONG" }]);
});

const REFUSED: readonly [args: readonly string[], says: RegExp][] = [
  [["--ws", "0"], /--ws accepts only signed commands, .*add -s public\.pem/],
  [["-s", pair.file, "--ws-origin", "https://a.example"], /add --ws/],
  [["-s", pair.file, "--ws", "0", "--ws-origin", "shop.example"], /Expected a site as browsers name it/],
  [["-s", pair.file, "--ws", "0", "--ws-origin", "null"], /Expected a site/],
  [["-s", pair.file, "--ws", "0", "--ws-origin", "https://a.example/page"], /Expected a site/],
  [["-s", pair.file, "--ws", "10.255.255.1:1180", "--require-tls"], /--require-tls requires TLS there/],
  [["-s", pair.file, "-p", "7001", "--ws", "7001"], /--ws and -p both use port 7001/],
];

for (const [args, pattern] of some(REFUSED, 2)) {
  test(`${args.filter((arg) => arg !== pair.file).join(" ")} does not start`, async () => {
    assert.match((await refusalOf(args)).stderr, pattern);
  });
}
