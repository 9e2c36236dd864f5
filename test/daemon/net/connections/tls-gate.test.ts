/** Tests clients without TLS that connect to a listener with TLS. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { writeCertificate } from "../../../support/certificate-files.js";
import { startDaemonHere } from "../../../support/daemon-here.js";
import { freePort } from "../../../support/free-port.js";
import { RawClient } from "../../../support/raw-client.js";
import { makeFolder } from "../../program/replicas.js";

const LISTENERS = [
  ["--json", '{"action":"list"}\n', /success/],
  ["--resp", "PING\r\n", /PONG/],
] as const;

for (const [option, request, answer] of LISTENERS) {
  test(`a client of ${option} without TLS is closed, and the log contains the reason`, async () => {
    using folder = makeFolder();
    const { certificate, key } = await writeCertificate(folder.path);
    const port = await freePort();
    await using daemon = await startDaemonHere([
      option,
      `${port}`,
      "--tls-cert",
      certificate,
      "--tls-key",
      key,
    ]);

    using plain = await RawClient.open(port);
    plain.send(request);
    assert.doesNotMatch(await plain.rest(), answer);
    const line = await daemon.logged(({ reason }) => reason === "not-tls");
    assert.equal(line.level, "warn");
  });
}
