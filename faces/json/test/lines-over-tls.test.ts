/** Tests JSON lines over TLS: the listener uses the daemon's certificate, and clients are served as without TLS. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import { makeFolder } from "../../../test/daemon/program/replicas.js";
import { writeCertificate } from "../../../test/support/certificate-files.js";
import { startDaemon } from "../../../test/support/daemon-process.js";
import { freePort } from "../../../test/support/free-port.js";

async function startWithTls(folder: string) {
  const { certificate, key, pem } = await writeCertificate(folder);
  const port = await freePort();
  const daemon = await startDaemon(["--json", String(port), "--tls-cert", certificate, "--tls-key", key]);
  return { daemon, port, pem };
}

const open = (port: number, ca?: string): TLSSocket =>
  connect({ host: "localhost", port, ...(ca === undefined ? {} : { ca }) });

/** Reads all bytes until the other side closes the connection. */
async function rest(socket: TLSSocket): Promise<string> {
  let received = "";
  for await (const chunk of socket) received += String(chunk);
  return received;
}

test("a client exchanges JSON lines of any length over TLS", async () => {
  using folder = makeFolder();
  const { daemon, port, pem } = await startWithTls(folder.path);
  await using _ = daemon;
  const socket = open(port, pem);

  const text = "x".repeat(1_000_000);
  const requests = [
    { action: "create", document: "d" },
    { action: "insert", document: "d", data: [{ text }] },
    { action: "get", document: "d", id: 0 },
  ];
  socket.write(`${requests.map((one) => JSON.stringify(one)).join("\n")}\nquit\n`);

  const entries = JSON.stringify([{ text }]);
  assert.deepEqual((await rest(socket)).split("\n\r"), [
    '{"status":"success"}',
    `{"status":"success","data_interted":${entries}}`,
    `{"status":"success","data":${entries}}`,
    "",
  ]);
});

test("a short answer in pieces does not delay later answers", async () => {
  using folder = makeFolder();
  const { daemon, port, pem } = await startWithTls(folder.path);
  await using _ = daemon;
  const socket = open(port, pem);
  const requests = [
    { action: "create", document: "d" },
    { action: "list" },
    { action: "get", document: "d" },
  ];
  socket.write(`${requests.map((one) => JSON.stringify(one)).join("\n")}\nquit\n`);
  assert.deepEqual((await rest(socket)).split("\n\r"), [
    '{"status":"success"}',
    '{"status":"success","documents":["d"]}',
    '{"status":"success","data":[]}',
    "",
  ]);
});

test("a client without the certificate does not trust the daemon", async () => {
  using folder = makeFolder();
  const { daemon, port } = await startWithTls(folder.path);
  await using _ = daemon;
  const socket = open(port);
  await assert.rejects(once(socket, "secureConnect"), /self-signed certificate/);
});
