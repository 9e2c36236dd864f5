/**
 * Runs the Go client against real daemons: clients/go/dbsync/daemons_test.go makes the calls, and kills and suspends
 * some of the daemons.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { makeFolder } from "../daemon/program/replicas.js";
import { amount } from "../support/amount.js";
import { writeCertificate } from "../support/certificate-files.js";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { BUSY_PATTERNS, decideOn } from "../support/decided-patterns.js";
import { makeKeyPair } from "../support/envelope-client.js";
import { refusingAddress } from "../support/free-port.js";
import { skipWithout } from "../support/requirements.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { Trio } from "../support/trio.js";
import { MODULE, runGoTests } from "./running.js";

const program = readFileSync(join(MODULE, "dbsync", "daemons_test.go"), "utf8");
const CASES = [...program.matchAll(/^func (Test\w+)/gm)].map(([, name = ""]) => name);

const addressOf = ({ port }: DaemonProcess) => `127.0.0.1:${port}`;
const processOf = (daemon: DaemonProcess) => ({ address: addressOf(daemon), pid: daemon.pid });

test("the Go client's policies, faults, conditions and own writes at real daemons", {
  skip: skipWithout("go"),
}, async () => {
  using certificates = makeFolder();
  using folder = new ScratchFolder();
  await using members = await Trio.start(BUSY_PATTERNS, 3, { keys: "app" });
  await using apart = await Trio.start([], 3, {
    isInMemory: true,
    arePeers: false,
    keys: "app",
    app: members.app,
  });

  const signed = ["-s", members.app.file];
  const certificate = await writeCertificate(certificates.path);
  const secured = ["--tls-cert", certificate.certificate, "--tls-key", certificate.key];

  await using alone = await startDaemon(signed);
  await using victim = await startDaemon(signed);
  await using hung = await startDaemon(signed);
  await using keyless = await startDaemon();
  await using tls = await startDaemon([...signed, ...secured]);
  await decideOn(members, ["d:*"]);

  const given = {
    key: folder.privateKey(members.app),
    stranger: folder.privateKey(makeKeyPair(), "stranger.pem"),
    dead: await refusingAddress(),
    alone: addressOf(alone),
    keyless: addressOf(keyless),
    apart: [0, 1, 2].map((index) => processOf(apart.daemon(index))),
    members: [0, 1, 2].map((index) => processOf(members.daemon(index))),
    victim: processOf(victim),
    hung: processOf(hung),
    tls: {
      place: addressOf(tls),
      pin: certificate.fingerprint,
      certificate: certificate.certificate,
    },
    calls: amount(100, 1_000),
  };

  const ran = await runGoTests(`^(${CASES.join("|")})$`, { DBSYNC_GIVEN: JSON.stringify(given) });
  assert.deepEqual(ran, CASES);
});
