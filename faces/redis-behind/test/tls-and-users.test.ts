/**
 * Tests -d rediss-cluster and rediss-sentinel with servers that accept only TLS and logins, and with sentinels that
 * have their own login.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Logger, pino } from "pino";
import "../../../test/support/all-families.js";
import { createClient } from "../../../client/public-api.js";
import { realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import { parseRedisGroup } from "../../../daemon/options/addresses/redis-addresses.js";
import { openssl } from "../../../test/keys/openssl.js";
import { startDaemon } from "../../../test/support/daemon-process.js";
import { freePort } from "../../../test/support/free-port.js";
import { RedisConnection } from "../../../test/support/redis-connection.js";
import { MASTER_NAME, startSentinel } from "../../../test/support/redis-sentinels.js";
import { type RedisServer, startRedis } from "../../../test/support/redis-server.js";
import { until } from "../../../test/support/until.js";
import { redisCluster } from "../redis-cluster.js";
import { redisSentinel } from "../redis-sentinel.js";
import type { RedisGroupBackend } from "../server-group.js";

const SLOTS = 16_384;
/** The user's rules from the documentation, and the commands of this test. */
const USER = "on >own@secret ~* resetchannels -@all +get +set +time";
const LOGIN = "app:own%40secret";

interface SecuredServer extends RedisServer {
  readonly tlsPort: number;
}

describe("TLS and users with -d", () => {
  const folder = mkdtempSync(join(tmpdir(), "dbsync-redis-tls-"));
  const servers: SecuredServer[] = [];
  const closing: AsyncDisposable[] = [];
  let tls: readonly string[] = [];
  let certificate = "";

  /** Starts a server. The plain port, which also requires the password, is for the administrator. */
  const start = async (user: string, more: readonly string[] = []): Promise<SecuredServer> => {
    const tlsPort = await freePort();
    const login = ["--requirepass", "admin", "--masterauth", "admin", "--user", "app", ...user.split(" ")];
    const args = [...tls, "--tls-port", String(tlsPort), "--tls-replication", "yes", ...login, ...more];
    const server = { ...(await startRedis({ args })), tlsPort };
    servers.push(server);
    return server;
  };
  /** Returns the answers of a daemon that trusts the certificate. */
  const answersOf = async (list: string, commands: readonly (readonly string[])[]) => {
    await using daemon = await startDaemon(["-d", list], { env: { NODE_EXTRA_CA_CERTS: certificate } });
    const client = createClient({ servers: `127.0.0.1:${daemon.port}`, timeout: 20_000 });
    try {
      return await Promise.all(commands.map((command) => client.send(command)));
    } finally {
      await client.close();
    }
  };

  before(async () => {
    // The nodes of a cluster are also TLS clients of each other. Certificates of dbsync-keygen are valid only for
    // servers, so openssl makes this one.
    const key = join(folder, "key.pem");
    certificate = join(folder, "certificate.pem");
    const kind = "-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
    const names = "-subj /CN=redis -addext subjectAltName=IP:127.0.0.1";
    openssl(folder, `req ${kind} ${names} -keyout ${key} -out ${certificate}`);
    tls = [
      ...["--tls-cert-file", certificate, "--tls-key-file", key],
      ...["--tls-ca-cert-file", certificate, "--tls-auth-clients", "no"],
    ];
  });
  after(async () => {
    for (const one of [...closing, ...servers]) await one[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  describe("with a cluster", () => {
    let ports: readonly number[] = [];
    let plain = 0;

    before(async () => {
      const cluster = ["--cluster-enabled", "yes", "--tls-cluster", "yes"];
      const nodes = [];
      for (let i = 0; i < 2; i++) {
        const bus = ["--cluster-port", String(await freePort()), "--cluster-config-file", `${i}.conf`];
        nodes.push({ bus, ...(await start(`${USER} +cluster|slots`, [...cluster, ...bus])) });
      }
      const [one, other] = nodes as [SecuredServer & { bus: string[] }, SecuredServer & { bus: string[] }];
      await asAdmin(one.port, "CLUSTER", "ADDSLOTSRANGE", "0", String(SLOTS / 2 - 1));
      await asAdmin(other.port, "CLUSTER", "ADDSLOTSRANGE", String(SLOTS / 2), String(SLOTS - 1));
      await asAdmin(other.port, "CLUSTER", "SET-CONFIG-EPOCH", "2");
      await asAdmin(one.port, "CLUSTER", "MEET", "127.0.0.1", String(other.tlsPort), other.bus[1] as string);
      for (const { port } of nodes)
        await untilAdmin(port, ["CLUSTER", "INFO"], /cluster_state:ok[\s\S]*cluster_known_nodes:2/);
      ports = nodes.map(({ tlsPort }) => tlsPort);
      plain = one.port;
    });

    test("a user with hardly more permissions than it needs reads and writes on all masters", async () => {
      // The keys are in slots 3300 and 15495; the second node is not configured.
      const commands = [
        ["SET", "b", "1"],
        ["SET", "a", "2"],
        ["GET", "b"],
        ["GET", "a"],
      ] as const;
      const answers = await answersOf(`rediss-cluster://${LOGIN}@127.0.0.1:${ports[0]}`, commands);
      assert.deepEqual(answers, ["OK", "OK", "1", "2"]);
    });

    test("a wrong password and an untrusted certificate are reported specifically", async () => {
      const wrong = redisCluster(partsOf(`redis-cluster://app:wrong@127.0.0.1:${plain}`));
      const doubted = redisCluster(partsOf(`rediss-cluster://${LOGIN}@127.0.0.1:${ports[0]}`));
      const [ofPassword, ofCertificate] = await Promise.all([wrong, doubted].map(reasonOf));
      assert.match(ofPassword as string, /WRONGPASS/);
      assert.match(ofCertificate as string, /self-signed certificate/);
    });
  });

  describe("before sentinels", () => {
    let address = "";
    let plain = 0;
    let tlsPort = 0;
    let master: SecuredServer;

    before(async () => {
      master = await start(`${USER} +role`);
      tlsPort = await freePort();
      const sentinel = await startSentinel(master.tlsPort, 1, [
        ...[`tls-port ${tlsPort}`, "tls-replication yes"],
        ...tls
          .join(" ")
          .split(" --")
          .map((line) => line.replace(/^--/, "")),
        `sentinel auth-pass ${MASTER_NAME} admin`,
        "requirepass watching",
        "user watch on >watch&secret ~* resetchannels -@all +sentinel|master +info +ping",
      ]);
      closing.push({ [Symbol.asyncDispose]: sentinel.stop });
      plain = sentinel.port;
      address = `${MASTER_NAME}@127.0.0.1:${tlsPort}`;
    });

    test("sentinels with a separate login are queried over TLS, and the servers' login is used for the master", async () => {
      const options = "?sentinel-user=watch&sentinel-password=watch%26secret";
      const commands = [
        ["SET", "k", "v"],
        ["GET", "k"],
      ] as const;
      assert.deepEqual(await answersOf(`rediss-sentinel://${LOGIN}@${address}${options}`, commands), [
        "OK",
        "v",
      ]);
    });

    test("an error shows whether the sentinels or the master caused it", async () => {
      const plainly = `${MASTER_NAME}@127.0.0.1:${plain}`;
      const namesNone = 'no sentinel names the master "main": ';
      const expected = {
        [`redis-sentinel://${LOGIN}@${plainly}`]: `${namesNone}.*WRONGPASS`,
        [`redis-sentinel:${plainly}`]: `${namesNone}.*NOAUTH`,
        [`redis-sentinel:${plainly}?sentinel-password=no`]: `${namesNone}.*WRONGPASS`,
        // The sentinel is queried without TLS, and returns the master's TLS port.
        [`rediss-sentinel://${LOGIN}@${plainly}?sentinel-password=watching&sentinel-tls=no`]: `127.0.0.1:${master.tlsPort}: self-signed certificate`,
      };
      const checks = Object.entries(expected).map(async ([text, reason]) =>
        assert.match(await reasonOf(redisSentinel(partsOf(text))), new RegExp(reason)),
      );
      await Promise.all(checks);
    });
  });
});

const SILENT = pino({ level: "silent" });

function partsOf(text: string) {
  const specification = parseRedisGroup(text);
  // The maximum time that a command waits for a connection; even a busy machine must find the reason for the failure
  // within it.
  return { specification, timeout: 3_000, environment: realEnvironment, log: SILENT as Logger };
}

/** Returns the reason why the backend refuses a command. */
async function reasonOf(backend: RedisGroupBackend): Promise<string> {
  await backend.start();
  try {
    const outcome = await backend.execute(["GET", "k"]);
    assert.ok(outcome.kind === "failed" && outcome.effect === "not-applied", JSON.stringify(outcome));
    return outcome.detail;
  } finally {
    await backend.stop();
  }
}

async function asAdmin(port: number, ...argv: readonly string[]): Promise<string> {
  using connection = await RedisConnection.open(port);
  await connection.call("AUTH", "admin");
  const reply = await connection.call(...argv);
  return reply.kind === "bulk" ? reply.bytes : reply.kind === "status" ? reply.text : JSON.stringify(reply);
}

async function untilAdmin(port: number, argv: readonly string[], pattern: RegExp): Promise<void> {
  await until(`${argv.join(" ")} returns ${pattern}`, async () => pattern.test(await asAdmin(port, ...argv)));
}
