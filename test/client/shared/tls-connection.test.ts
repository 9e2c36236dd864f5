/** Tests `dbsyncs://`: which certificates are accepted, and how failures are reported. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer as createPlain, type Server } from "node:net";
import { test } from "node:test";
import { createServer, type TlsOptions } from "node:tls";
import { createClient } from "../../../client/dbsync-send.js";
import type { SendOptions } from "../../../client/settings/client-settings.js";
import { CONNECT_MS } from "../../../client/shared/connections.js";
import { DbsyncError, type Outcome } from "../../../client/shared/errors.js";
import { parseServers } from "../../../client/shared/server-list.js";
import { HANDSHAKE_MS } from "../../../client/shared/tls-connection.js";
import { temporaryFolder } from "../../keys/openssl.js";
import { type TestCertificate, writeCertificate } from "../../support/certificate-files.js";
import { startDaemonHere } from "../../support/daemon-here.js";
import { listenAtFreePort, refusingAddress } from "../../support/free-port.js";
import { NAMELESS } from "../../support/nameless.js";

const ANSWER = "ds:13:redis:5:PONG\0";

/** Starts a server that answers every request, and counts handshakes and resumed sessions. */
async function startServer(
  files: TestCertificate,
  options: TlsOptions & { host?: string } = {},
): Promise<
  { port: number; counts: { handshakes: number; resumed: number }; server: Server } & AsyncDisposable
> {
  const { host = "127.0.0.1", ...more } = options;
  const counts = { handshakes: 0, resumed: 0 };
  const [cert, key] = [readFileSync(files.certificate), readFileSync(files.key)];
  const server = createServer({ cert, key, ...more }, (socket) => {
    counts.handshakes++;
    if (socket.isSessionReused()) counts.resumed++;
    socket.on("error", () => {});
    socket.on("data", () => socket.write(ANSWER));
  });
  return { ...(await listening(server, host)), counts };
}

async function listening(
  server: Server,
  host = "127.0.0.1",
): Promise<{ port: number; server: Server } & AsyncDisposable> {
  const sockets = new Set<{ destroy(): void }>();
  server.on("connection", (socket) => sockets.add(socket));
  const port = await listenAtFreePort(server, host);
  return {
    port,
    server,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

async function ping(servers: string, options: SendOptions = {}): Promise<string | null> {
  const client = createClient({ servers, key: false, versions: "1", ...options });
  try {
    return await client.send("PING");
  } finally {
    client.close();
  }
}

/** Returns the stage and detail of the failure of the only daemon. */
async function failure(servers: string, options: SendOptions = {}): Promise<string> {
  try {
    throw new Error(`answered ${await ping(servers, options)}`);
  } catch (error) {
    if (!(error instanceof DbsyncError)) throw error;
    const outcome = error.outcomes[0] as Extract<Outcome, { status: "failed" }>;
    return `${outcome.stage}: ${outcome.detail}`;
  }
}

test("A pinned key is sufficient, in hexadecimal or base64, alone or among several", async () => {
  using folder = temporaryFolder();
  const files = await writeCertificate(folder.path, { names: ["elsewhere.example"], expired: true });
  await using server = await startServer(files);
  const base64 = Buffer.from(files.fingerprint, "hex").toString("base64");
  const base64url = Buffer.from(files.fingerprint, "hex").toString("base64url");
  for (const pins of [
    files.fingerprint,
    files.fingerprint.toUpperCase(),
    base64,
    base64url,
    `${"0".repeat(64)}#sha256:${base64}`,
  ]) {
    assert.equal(await ping(`dbsyncs://127.0.0.1:${server.port}#sha256:${pins}`), "PONG");
  }
});

test("A client refuses a key that is not pinned, even with a trusted certificate, and sends nothing", async () => {
  using folder = temporaryFolder();
  const files = await writeCertificate(folder.path);
  await using server = await startServer(files);
  let received = 0;
  server.server.on("secureConnection", (socket) => socket.on("data", () => received++));
  const pin = "0".repeat(64);
  const message = await failure(`dbsyncs://127.0.0.1:${server.port}#sha256:${pin}`, {
    ca: files.certificate,
  });
  assert.match(
    message,
    new RegExp(`^tls: its key is sha256:${files.fingerprint}, which is not the one in the list`),
  );
  assert.equal(received, 0);
});

test("Without a pin the certificate must be trusted, valid and issued for the name in the list", async () => {
  using folder = temporaryFolder();
  const files = await writeCertificate(folder.path, { names: ["localhost"] });
  await using server = await startServer(files);
  const byName = `dbsyncs://localhost:${server.port}`;
  const byAddress = `dbsyncs://127.0.0.1:${server.port}`;

  assert.equal(await ping(byName, { ca: files.certificate }), "PONG");
  assert.equal(await ping(byName, { ca: files.pem }), "PONG");
  assert.equal(await ping(byName, { ca: Buffer.from(files.pem) }), "PONG");
  assert.match(
    await failure(byName),
    /^tls: its certificate is not signed by a trusted authority .*DEPTH_ZERO_SELF_SIGNED_CERT.*#sha256:[0-9a-f]{64}/,
  );
  assert.match(
    await failure(byAddress, { ca: files.certificate }),
    /^tls: its certificate is for other names \(DNS:localhost\)/,
  );

  const old = await writeCertificate(folder.path, { expired: true });
  await using late = await startServer(old);
  assert.match(
    await failure(`dbsyncs://127.0.0.1:${late.port}`, { ca: old.certificate }),
    /^tls: its certificate has expired/,
  );
});

test("An IPv6 address in the list must be in the certificate", async (t) => {
  using folder = temporaryFolder();
  const files = await writeCertificate(folder.path, { names: ["::1"] });
  const server = await startServer(files, { host: "::1" }).catch(() => null);
  if (server === null) return t.skip("no IPv6 here");
  await using _ = server;
  assert.equal(await ping(`dbsyncs://[::1]:${server.port}`, { ca: files.certificate }), "PONG");
  const others = await writeCertificate(folder.path, { names: ["::2", "localhost"] });
  await using other = await startServer(others, { host: "::1" });
  assert.match(
    await failure(`dbsyncs://[::1]:${other.port}`, { ca: others.certificate }),
    /^tls: its certificate is for other names/,
  );
});

test("The client soon distinguishes daemons that have no TLS, close the connection or hang", async () => {
  const talker = await listening(
    createPlain((socket) => socket.on("error", () => {}).on("data", () => socket.write("ds:5:ERROR"))),
  );
  const closer = await listening(
    createPlain((socket) => socket.on("error", () => {}).on("data", () => socket.end())),
  );
  const hanger = await listening(createPlain(() => {}));
  await using _ = {
    [Symbol.asyncDispose]: async () =>
      void (await Promise.all([talker, closer, hanger].map((one) => one[Symbol.asyncDispose]()))),
  };

  const startedAt = performance.now();
  assert.match(
    await failure(`dbsyncs://127.0.0.1:${talker.port}`),
    /^tls: it does not use TLS; connect to it with dbsync:\/\//,
  );
  assert.match(
    await failure(`dbsyncs://127.0.0.1:${closer.port}`),
    /^tls: closed during the handshake; is TLS configured there/,
  );
  assert.ok(performance.now() - startedAt < HANDSHAKE_MS);
  assert.match(await failure(`dbsyncs://127.0.0.1:${hanger.port}`), /^tls: no answer during the handshake/);
  assert.match(await failure(`dbsyncs://${await refusingAddress()}`), /^connect: ECONNREFUSED/);
  assert.match(await failure(`dbsyncs://${NAMELESS}:1`), /^dns: /);
});

test("A hung handshake does not delay the answer of another daemon", async () => {
  using folder = temporaryFolder();
  const files = await writeCertificate(folder.path);
  await using server = await startServer(files);
  await using hanger = await listening(createPlain(() => {}));
  const startedAt = performance.now();
  const pin = `#sha256:${files.fingerprint}`;
  assert.equal(
    await ping(`dbsyncs://127.0.0.1:${hanger.port}${pin},dbsyncs://127.0.0.1:${server.port}${pin}`),
    "PONG",
  );
  assert.ok(performance.now() - startedAt < HANDSHAKE_MS);
});

test("The real daemon and client connect over TLS; without it, a daemon that accepts only TLS refuses the client", async () => {
  using folder = temporaryFolder();
  const files = await writeCertificate(folder.path);
  await using daemon = await startDaemonHere(["--tls-cert", files.certificate, "--tls-key", files.key]);
  const secure = createClient({
    servers: `dbsyncs://127.0.0.1:${daemon.port}#sha256:${files.fingerprint}`,
    key: false,
  });
  assert.equal(await secure.send("SET a b"), "OK");
  assert.equal(await secure.send("GET a"), "b");
  secure.close();

  const startedAt = performance.now();
  assert.match(await failure(`127.0.0.1:${daemon.port}`), /^tls: it accepts only TLS: write dbsyncs:\/\//);
  assert.ok(performance.now() - startedAt < CONNECT_MS);

  await using plain = await startDaemonHere();
  assert.match(
    await failure(`dbsyncs://127.0.0.1:${plain.port}`),
    /^tls: (closed during the handshake|it does not use TLS)/,
  );
});

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  test(`A later connection over ${version} resumes an authenticated session`, async () => {
    using folder = temporaryFolder();
    const files = await writeCertificate(folder.path);
    await using server = await startServer(files, { maxVersion: version });
    const client = createClient({
      servers: `dbsyncs://127.0.0.1:${server.port}#sha256:${files.fingerprint}`,
      key: false,
      versions: "1",
      keepalive: false,
    });
    for (let call = 0; call < 3; call++) assert.equal(await client.send("PING"), "PONG");
    assert.ok(server.counts.handshakes >= 3);
    assert.ok(server.counts.resumed >= 1, JSON.stringify(server.counts));
    client.close();
  });
}

test("The parser accepts entries with schemes and fingerprints, and refuses invalid ones", () => {
  const hex = "ab".repeat(32);
  const [one, two] = parseServers(`DBSYNC://A:1, dbsyncs://[::1]#sha256:${hex}#SHA256:${hex.toUpperCase()}`);
  assert.deepEqual(one, { host: "a", port: 1, text: "a:1", tls: null, versions: null });
  assert.deepEqual(two, {
    host: "::1",
    port: 1111,
    text: "dbsyncs://[::1]:1111",
    tls: { pins: [hex, hex], authorities: null },
    versions: null,
  });

  for (const bad of [
    `a:1#sha256:${hex}`,
    `dbsync://a:1#sha256:${hex}`,
    `dbsyncs://a:1#sha256:${hex.slice(1)}`,
    `dbsyncs://a:1#md5:${hex}`,
    "dbsyncs://a:1#",
    "dbsyncs://",
    "dbsyncs://a:1/path",
    "dbsyncs://a:1,a:1",
    `dbsyncs://a:1,dbsyncs://a:1#sha256:${hex}`,
    `dbsyncs://a:1${`#sha256:${hex}`.repeat(9)}`,
  ]) {
    assert.throws(() => parseServers(bad), { code: "bad-option" }, bad);
  }
});

test("The option ca causes an error with the reason if its file is unreadable or not a certificate", () => {
  const servers = "dbsyncs://a:1";
  assert.throws(() => createClient({ servers, key: false, ca: "absent.pem" }), /ca is "absent\.pem".*ENOENT/);
  assert.throws(
    () =>
      createClient({
        servers,
        key: false,
        ca: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
      }),
    /ca is .*complete certificate/,
  );
  createClient({ servers: `${servers}#sha256:${"0".repeat(64)}`, key: false, ca: "absent.pem" }).close();
});
