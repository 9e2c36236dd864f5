/** The environment of the mistakes: daemons in the process of the test, and files. */
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "../../client/public-api.js";
import { generateKeyPair } from "../../keys/generate-keys.js";
import { FakeServer } from "../client/fake-server.js";
import { type RunningReplica, startReplica } from "../daemon/program/replicas.js";
import { type TestCertificate, writeCertificate } from "../support/certificate-files.js";
import { freePort, listenAtFreePort } from "../support/free-port.js";

/** The arguments of the daemons by name. */
const DAEMONS = {
  unsigned: () => ["--resp", "0"],
  signed: ({ file }) => ["-s", file("app-public.pem"), "--root-key", file("root-public.pem")],
  other: ({ file }) => ["-s", file("stranger-public.pem"), "--cluster-name", "other"],
  encrypted: ({ file, certificate }) => [
    ...["-s", file("app-public.pem"), "--tls-cert", certificate.certificate, "--tls-key", certificate.key],
  ],
  expired: ({ file, expired }) => [
    ...["-s", file("app-public.pem"), "--tls-cert", expired.certificate, "--tls-key", expired.key],
  ],
  small: ({ file }) => [...["-s", file("app-public.pem"), "--max-request-bytes", "2KiB", "--maxmemory", "1"]],
  kept: ({ file }) => ["-s", file("app-public.pem"), "--data", file("data")],
  proxy: ({ file, dead }) => ["-s", file("app-public.pem"), "-d", `redis:${dead}`],
} as const satisfies Record<string, (scene: Files) => readonly string[]>;

interface Files {
  readonly file: (name: string) => string;
  readonly certificate: TestCertificate;
  readonly expired: TestCertificate;
  /** An address where no process listens. */
  readonly dead: string;
}

export type DaemonName = keyof typeof DAEMONS;

export interface Scene extends Files, AsyncDisposable {
  readonly folder: string;
  readonly at: Readonly<Record<DaemonName, string>>;
  readonly log: (name: DaemonName) => readonly object[];
  /** A server that supports only version 1. */
  readonly version1: string;
  /** A server of another protocol. */
  readonly website: string;
  /** The port for Redis clients of the unsigned daemon. */
  readonly resp: string;
  /** A server that never answers. */
  readonly hung: string;
}

export async function makeScene(): Promise<Scene> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "dbsync-mistakes-")));
  const file = (name: string) => join(folder, name);
  await writeKeys(file);

  for (const name of ["good-tls", "expired-tls", "keys", "no-keys"]) mkdirSync(file(name));
  const certificate = await writeCertificate(file("good-tls"));
  const expired = await writeCertificate(file("expired-tls"), { expired: true });
  chmodSync(expired.key, 0o644);
  const files: Files = { file, certificate, expired, dead: `127.0.0.1:${await freePort()}` };

  // A daemon writes the data folder with these keys, and is then stopped.
  const before = await startReplica({ args: ["-s", file("app-public.pem"), "--data", file("old-data")] });
  await before[Symbol.asyncDispose]();
  lockForParent(file("used-data"));

  const running = new Map<DaemonName, RunningReplica>();
  for (const name of Object.keys(DAEMONS) as DaemonName[])
    running.set(name, await startReplica({ args: DAEMONS[name](files) }));

  const fakes = await Promise.all([
    FakeServer.start(),
    FakeServer.start("garbage"),
    FakeServer.start("hang"),
  ]);
  const silent = await startSilent();

  const entries = [...running].map(([name, { port }]) => [name, `127.0.0.1:${port}`]);
  const at = Object.fromEntries(entries) as Scene["at"];
  await limitWeb(at.signed, file);

  return {
    ...files,
    folder,
    at,
    version1: fakes[0].address,
    website: fakes[1].address,
    resp: `127.0.0.1:${running.get("unsigned")?.daemon.addressOf("resp")?.port}`,
    hung: silent.address,
    log: (name) => running.get(name)?.log ?? [],
    async [Symbol.asyncDispose]() {
      for (const daemon of running.values()) await daemon[Symbol.asyncDispose]();
      for (const fake of fakes) await fake[Symbol.asyncDispose]();
      silent.server.close();
      rmSync(folder, { recursive: true });
    },
  };
}

async function writeKeys(file: (name: string) => string): Promise<void> {
  for (const name of ["app", "root", "stranger", "web", "revoked"]) {
    const { privatePem, publicPem } = await generateKeyPair({ type: "ed25519", bits: 2048 });
    writeFileSync(file(`${name}.pem`), privatePem, { mode: 0o600 });
    writeFileSync(file(`${name}-public.pem`), publicPem);
  }
  const { privatePem } = await generateKeyPair({
    type: "ed25519",
    bits: 2048,
    passphrase: Buffer.from("open"),
  });
  writeFileSync(file("locked.pem"), privatePem, { mode: 0o600 });
  copyFileSync(file("app.pem"), file("open.pem"));
  chmodSync(file("open.pem"), 0o644);
  writeFileSync(file("empty.pem"), "", { mode: 0o600 });
  writeFileSync(file("notes.txt"), "Remember the milk.\n", { mode: 0o600 });
}

/** Creates a data folder whose lock belongs to the parent process, which plays the role of another daemon. */
function lockForParent(data: string): void {
  const timeline = join(data, "timeline");
  mkdirSync(timeline, { recursive: true, mode: 0o700 });
  writeFileSync(join(timeline, "lock"), `${process.ppid} ?\n`, { mode: 0o600 });
}

/** Adds a key that may only read, and a revoked key. */
async function limitWeb(server: string, file: (name: string) => string): Promise<void> {
  const der = (name: string) =>
    readFileSync(file(`${name}-public.pem`), "utf8").replace(/-----[^-]+-----|\s/g, "");
  await using root = createClient({ servers: server, key: file("root.pem") });
  await root.call(["KEY", "ADD", der("web"), "LABEL", "web", "RULES", "+@read", "~*"]);
  const revoked = await root.call(["KEY", "ADD", der("revoked"), "LABEL", "revoked"]);
  await root.call(["KEY", "REVOKE", String(revoked)]);
  await using app = createClient({ servers: server, key: file("app.pem") });
  await app.send("RPUSH list one");
}

/** Starts a server that accepts connections and never answers. */
async function startSilent(): Promise<{ server: Server; address: string }> {
  const server = createServer((socket) =>
    socket
      .on("error", () => {})
      .resume()
      .unref(),
  ).unref();
  await listenAtFreePort(server);
  return { server, address: `127.0.0.1:${(server.address() as { port: number }).port}` };
}
