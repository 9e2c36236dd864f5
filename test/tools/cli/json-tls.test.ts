/**
 * Tests `jsons://…` in `dbsync test` and `dbsync import`: which certificates are accepted, and how errors are
 * reported.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { runDbsync } from "../../client/child.js";
import { makeFolder } from "../../daemon/program/replicas.js";
import { some } from "../../support/amount.js";
import { type TestCertificate, writeCertificate } from "../../support/certificate-files.js";
import { type DaemonProcess, startDaemon } from "../../support/daemon-process.js";
import { freePort, refusingAddress } from "../../support/free-port.js";

let folder: ReturnType<typeof makeFolder>;
let files: TestCertificate;
let daemon: DaemonProcess;
let port: number;

before(async () => {
  folder = makeFolder();
  files = await writeCertificate(folder.path, { names: ["localhost"] });
  port = await freePort();
  daemon = await startDaemon([
    ...["--json", String(port), "--tls-cert", files.certificate, "--tls-key", files.key],
  ]);
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

describe("dbsync test", () => {
  test("accepts a server by its pinned key or by the authority that signed its certificate", async () => {
    const pinned = `jsons://127.0.0.1:${port}#sha256:${files.fingerprint}`;
    for (const args of some(
      [
        [pinned, "--replica", pinned, "--replica", `127.0.0.1:${port}`],
        [`jsons://localhost:${port}`, "--ca", files.certificate],
        [pinned],
      ],
      2,
    )) {
      const { code, stdout, stderr } = await runDbsync(["test", ...args]);
      assert.equal(code, 0, stdout + stderr);
      assert.match(stdout, /\nPassed: 15\nFailed: 0\n$/);
    }
    const variables = { DBSYNC_CA: files.certificate };
    const result = await runDbsync(["test", `jsons://localhost:${port}`], { variables });
    assert.equal(result.code, 0, result.stderr);
  });

  test("sends nothing to a server that has not proved its identity", async () => {
    for (const [args, problem] of [
      [
        [`jsons://localhost:${port}`],
        /its certificate is not signed by a trusted authority .*#sha256:[0-9a-f]{64}/,
      ],
      [
        [`jsons://127.0.0.1:${port}`, "--ca", files.certificate],
        /its certificate is for other names \(DNS:localhost\)/,
      ],
      [[`jsons://127.0.0.1:${port}#sha256:${"0".repeat(64)}`], /which is not the one in the list/],
      [[`json://127.0.0.1:${port}`], /the server accepts only TLS: write jsons:\/\//],
      [[`jsons://${await refusingAddress()}`], /^dbsync: Connect error: Connection refused \(111\)\n$/],
      [["jsons://nowhere.invalid"], /the host name was not resolved/],
    ] as const) {
      const { code, stdout, stderr } = await runDbsync(["test", ...args]);
      assert.deepEqual([code, stdout], [1, ""], stderr);
      assert.match(stderr, problem);
    }
  });

  test("reports a server without TLS, and a replica with a wrong key", async () => {
    const json = await freePort();
    await using plain = await startDaemon(["--json", String(json)]);
    const without = await runDbsync(["test", `jsons://127.0.0.1:${json}`]);
    assert.equal(without.code, 1);
    assert.match(without.stderr, /(does not use TLS|closed during the handshake).*json:\/\//);
    const other = `jsons://127.0.0.1:${port}#sha256:${"0".repeat(64)}`;
    const { code, stdout } = await runDbsync(["test", `json://127.0.0.1:${json}`, "--replica", other]);
    assert.equal(code, 1, plain.address);
    assert.match(stdout, new RegExp(`\nReplica 127\\.0\\.0\\.1:${port}: FAIL - its key is sha256:`));
  });

  test("refuses an address with invalid fingerprints", async () => {
    const pin = `#sha256:${files.fingerprint}`;
    for (const [url, problem] of some(
      [
        [`json://127.0.0.1:${port}${pin}`, /requires TLS: jsons:/],
        [`jsons://127.0.0.1:${port}${pin}0`, /64 hexadecimal digits/],
        [`jsons://127.0.0.1:${port}#`, /64 hexadecimal digits/],
        [`jsons://127.0.0.1:${port}${pin.repeat(9)}`, /at most 8 fingerprints/],
      ] as const,
      2,
    )) {
      const { code, stderr } = await runDbsync(["test", url]);
      assert.deepEqual([code, problem.test(stderr)], [2, true], stderr);
    }
    const absent = await runDbsync(["test", `jsons://127.0.0.1:${port}`, "--ca", "absent.pem"]);
    assert.deepEqual([absent.code, /absent\.pem.*ENOENT/.test(absent.stderr)], [2, true], absent.stderr);
  });
});

describe("dbsync import", () => {
  test("imports documents from a server with TLS", async () => {
    await using target = await startDaemon();
    const from = ["-s", `dbsyncs://127.0.0.1:${daemon.port}#sha256:${files.fingerprint}`, "-k", ""];
    for (const command of [
      ["DOC.CREATE", "d"],
      ["DOC.INSERT", "d", '{"n":1}'],
    ])
      assert.equal((await runDbsync(["send", ...from, ...command])).code, 0);
    const to = ["-s", `127.0.0.1:${target.port}`, "-k", ""];
    const done = await runDbsync(["import", `jsons://localhost:${port}`, "--ca", files.certificate, ...to]);
    assert.equal(done.code, 0, done.stderr);
    assert.match(done.stdout, /^1 document with 1 entry in [\d.]+ s\n$/);
    const refused = await runDbsync(["import", `jsons://localhost:${port}`, ...to]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /localhost:\d+: its certificate is not signed by a trusted authority/);
  });
});
