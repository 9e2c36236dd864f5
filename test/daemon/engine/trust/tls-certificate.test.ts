/** Tests TLS on the dbsync listener: failed handshakes, renewal while connections stay open, and refused starts. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { copyFileSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { connect as connectPlain, type Socket } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { pino } from "pino";
import { MemoryBackend } from "../../../../daemon/engine/backends/memory-backend.js";
import { TlsCertificate } from "../../../../daemon/engine/trust/tls-certificate.js";
import { TlsGate } from "../../../../daemon/net/connections/tls-gate.js";
import { realEnvironment } from "../../../../daemon/net/process/clock-and-randomness.js";
import { temporaryFolder } from "../../../keys/openssl.js";
import { some } from "../../../support/amount.js";
import { type TestCertificate, writeCertificate } from "../../../support/certificate-files.js";
import { runDaemon, startDaemon } from "../../../support/daemon-process.js";
import { nextTurn, until } from "../../../support/until.js";
import { type InProcessDaemon, startInProcess } from "../../program/in-process.js";

const PING = "ds:5:PING\0";
const PONG = "ds:13:redis:5:PONG\0";

async function secure(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false, ...options });
  await once(socket, "secureConnect");
  return socket;
}

async function ask(socket: Socket): Promise<string> {
  socket.write(PING);
  const [answer] = (await once(socket, "data")) as [Buffer];
  return answer.toString("latin1");
}

/** Returns everything that arrives until the other side closes the connection, in hexadecimal. */
async function restOf(socket: Socket): Promise<string> {
  let received = "";
  socket.on("data", (chunk: Buffer) => (received += chunk.toString("hex")));
  socket.on("error", () => {});
  await once(socket, "close");
  return received;
}

const reasons = (daemon: InProcessDaemon, reason: string) =>
  daemon.log.filter((line) => line["reason"] === reason).map((line) => String(line["detail"]));

async function startSecure(
  files: TestCertificate,
  options: { handshakeMs?: number; maxHandshakes?: number; maxConnections?: number } = {},
): Promise<InProcessDaemon> {
  const { maxConnections = 100, ...gate } = options;
  const log = pino({ level: "silent" });
  const certificate = new TlsCertificate({ files, checkEvery: 10, environment: realEnvironment, log });
  return await startInProcess({
    backends: [new MemoryBackend(realEnvironment, 30_000)],
    gate: (refusals) => new TlsGate(certificate, refusals, gate),
    limits: { maxConnections },
  });
}

test("a command is answered over TLS 1.3 and 1.2, and older versions are refused", async () => {
  using folder = temporaryFolder();
  await using daemon = await startSecure(await writeCertificate(folder.path));
  for (const version of ["TLSv1.3", "TLSv1.2"] as const) {
    const socket = await secure(daemon.port, { minVersion: version, maxVersion: version });
    assert.equal(await ask(socket), PONG);
    assert.equal(socket.getProtocol(), version);
    socket.destroy();
  }
  const old = { minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "DEFAULT:@SECLEVEL=0" } as const;
  await assert.rejects(secure(daemon.port, old));
  await until("the failed handshake is logged", () => reasons(daemon, "tls-handshake").length > 0);
});

test("requests that were sent before the client ended its stream are answered", async () => {
  using folder = temporaryFolder();
  await using daemon = await startSecure(await writeCertificate(folder.path));
  const socket = await secure(daemon.port, { allowHalfOpen: true } as ConnectionOptions);
  socket.end(PING + PING);
  assert.equal(Buffer.from(await restOf(socket), "hex").toString("latin1"), PONG + PONG);
});

test("a client without TLS receives an alert immediately, and the log says what to do", async () => {
  using folder = temporaryFolder();
  await using daemon = await startSecure(await writeCertificate(folder.path));
  for (const bytes of [PING, "ds2:20:*2\r\n", "GET / HTTP/1.1\r\n\r\n", "\0".repeat(64)]) {
    const socket = connectPlain(daemon.port, "127.0.0.1");
    const received = restOf(socket);
    socket.write(bytes);
    assert.equal(await received, "15030300020246");
  }
  await until("the four connections without TLS are logged", () => reasons(daemon, "not-tls").length === 4);
  const line = daemon.log.find(({ reason }) => reason === "not-tls");
  assert.match(line?.msg ?? "", /dbsyncs:\/\//);
  assert.match(String(line?.["remote"]), /^127\.0\.0\.1:\d+$/);
});

test("a silent client is disconnected after the time for the handshake and does not block others", async () => {
  using folder = temporaryFolder();
  await using daemon = await startSecure(await writeCertificate(folder.path), { handshakeMs: 2000 });
  const silent = Array.from({ length: 20 }, () => connectPlain(daemon.port, "127.0.0.1"));
  const ends = silent.map(restOf);
  const socket = await secure(daemon.port);
  assert.equal(await ask(socket), PONG);
  await Promise.all(ends);
  await until(
    "the twenty failed handshakes are logged",
    () => reasons(daemon, "tls-handshake").length === 20,
  );
  assert.deepEqual([...new Set(reasons(daemon, "tls-handshake"))], ["the client was too slow, or silent"]);
  assert.equal(await ask(socket), PONG);
  socket.destroy();
});

test("an aborted handshake is logged with the client's address", async () => {
  using folder = temporaryFolder();
  await using daemon = await startSecure(await writeCertificate(folder.path));
  const ended = connectPlain(daemon.port, "127.0.0.1");
  ended.end(Buffer.from("160301", "hex"));
  await restOf(ended);
  const socket = connect({ port: daemon.port, host: "127.0.0.1" });
  await assert.rejects(once(socket, "secureConnect"), { code: "DEPTH_ZERO_SELF_SIGNED_CERT" });
  await until("both failed handshakes are logged", () => reasons(daemon, "tls-handshake").length === 2);
  for (const line of daemon.log)
    if (line["reason"] === "tls-handshake") assert.match(String(line["remote"]), /127\.0\.0\.1:\d/);
});

test("silent clients are dropped for newer handshakes, and for clients when --max-connections is reached", async () => {
  using folder = temporaryFolder();
  const files = await writeCertificate(folder.path);
  for (const bounds of [{ maxHandshakes: 5 }, { maxConnections: 5 }]) {
    await using daemon = await startSecure(files, bounds);
    const silent = Array.from({ length: 5 }, () => connectPlain(daemon.port, "127.0.0.1"));
    await Promise.all(silent.map((socket) => once(socket, "connect")));
    const first = restOf(silent[0] as Socket);
    const socket = await secure(daemon.port);
    assert.equal(await ask(socket), PONG);
    await first;
    assert.deepEqual(reasons(daemon, "tls-handshake"), ["replaced by newer connections"]);
    for (const one of [...silent, socket]) one.destroy();
  }
});

test("--max-connections also counts clients with TLS", async () => {
  using folder = temporaryFolder();
  await using daemon = await startSecure(await writeCertificate(folder.path), { maxConnections: 2 });
  const clients = [await secure(daemon.port), await secure(daemon.port)];
  for (const client of clients) assert.equal(await ask(client), PONG);
  await assert.rejects(secure(daemon.port));
  assert.equal(reasons(daemon, "too-many-connections").length, 1);
  for (const client of clients) client.destroy();
});

test("a client cannot renegotiate", async () => {
  using folder = temporaryFolder();
  await using daemon = await startSecure(await writeCertificate(folder.path));
  const socket = await secure(daemon.port, { maxVersion: "TLSv1.2" });
  const outcome = await new Promise((resolve) => {
    socket.on("error", resolve);
    socket.renegotiate({}, resolve);
  });
  assert.ok(outcome instanceof Error);
  socket.destroy();
});

test("new files are noticed; open connections stay, and new ones use the new certificate", async () => {
  using folder = temporaryFolder();
  const files = await writeCertificate(folder.path);
  const lines: { level: number; msg: string }[] = [];
  const log = pino({ level: "info" }, { write: (line) => lines.push(JSON.parse(line)) });
  const certificate = new TlsCertificate({ files, checkEvery: 10, environment: realEnvironment, log });
  await certificate.start();
  await using daemon = await startInProcess({
    backends: [new MemoryBackend(realEnvironment, 30_000)],
    gate: (refusals) => new TlsGate(certificate, refusals),
  });
  const serial = async () => {
    const socket = await secure(daemon.port);
    const { serialNumber } = socket.getPeerCertificate();
    socket.destroy();
    return serialNumber;
  };
  const stays = await secure(daemon.port);
  const before = await serial();

  writeFileSync(files.key, "half a ke");
  await until("the unusable key is logged", () =>
    lines.some(({ msg }) => /The old certificate stays: .*tls-key\.pem contains no private key/.test(msg)),
  );
  assert.equal(await serial(), before);

  const fresh = join(folder.path, "fresh");
  mkdirSync(fresh);
  const renewed = await writeCertificate(fresh);
  // The test replaces first one file and then the other, as users do.
  renameSync(renewed.certificate, files.certificate);
  copyFileSync(renewed.key, files.key);
  await until(
    "the new certificate is logged",
    () => lines.filter(({ msg }) => msg === "TLS with this certificate").length === 2,
  );
  assert.notEqual(await serial(), before);
  assert.equal(await ask(stays), PONG);
  stays.destroy();
  await certificate.stop();
});

test("a certificate outside its validity period, or near its end, is reported once a day", async () => {
  using folder = temporaryFolder();
  const files = await writeCertificate(folder.path);
  const warnings: string[] = [];
  const log = pino({ level: "warn" }, { write: (line) => warnings.push(JSON.parse(line).msg) });

  const day = 86_400_000;
  const begun = Date.now();
  let now = begun;
  const environment = { ...realEnvironment, clock: () => now, uptime: () => Math.abs(now - begun) };
  const certificate = new TlsCertificate({ files, checkEvery: 1, environment, log });

  await certificate.start();
  assert.deepEqual(warnings, []);

  for (const [days, pattern] of [
    [20, /expires at/],
    [5, /expires at/],
    [10, /expired at/],
    [-50, /is not valid before/],
  ] as const) {
    const seen = warnings.length;
    now += days * day;
    await until("a warning is logged", () => warnings.length > seen);
    assert.match(warnings.at(-1) ?? "", pattern);
  }

  await nextTurn();
  assert.equal(warnings.length, 4);
  await certificate.stop();
});

test("SIGHUP reads the certificate again, and keeps the old one if the new one cannot be used", async () => {
  using folder = temporaryFolder();
  const files = await writeCertificate(folder.path);
  await using daemon = await startDaemon(["--tls-cert", files.certificate, "--tls-key", files.key]);
  const line = await daemon.logged(({ msg }) => msg === "TLS with this certificate");
  assert.equal(line["fingerprint"], `sha256:${files.fingerprint}`);

  writeFileSync(files.certificate, "nothing");
  daemon.kill("SIGHUP");
  await daemon.logged(({ msg }) =>
    /^The old configuration stays in effect: TLS: .*tls-cert\.pem contains no PEM block/.test(msg),
  );

  const renewed = await writeCertificate(folder.path);
  daemon.kill("SIGHUP");
  await daemon.logged((next) => next["fingerprint"] === `sha256:${renewed.fingerprint}`);
  const socket = await secure(daemon.port);
  assert.equal(await ask(socket), PONG);
  socket.destroy();
  assert.equal((await daemon.stop()).code, 0);
});

test("a start with invalid TLS options reports the reason", async () => {
  using folder = temporaryFolder();
  const files = await writeCertificate(folder.path);
  const cases: readonly (readonly [RegExp, number, ...string[]])[] = [
    [/--tls-key is missing/, 2, "--tls-cert", files.certificate],
    [/--tls-cert is missing/, 2, "--tls-key", files.key],
    [
      /TLS: .*tls-cert\.pem contains no private key/,
      1,
      "--tls-cert",
      files.certificate,
      "--tls-key",
      files.certificate,
    ],
    [
      /0\.0\.0\.0 can be reached.*--require-tls.*--tls-cert/,
      2,
      "-b",
      "0.0.0.0",
      "--allow-unsigned",
      "--require-tls",
    ],
  ];

  for (const [pattern, expected, ...argv] of some(cases, 2)) {
    const { code, stderr } = await runDaemon(argv);
    assert.match(stderr, pattern);
    assert.equal(code, expected);
  }

  await using plain = await startDaemon(["--require-tls"]);
  assert.equal((await plain.stop()).code, 0);
});
