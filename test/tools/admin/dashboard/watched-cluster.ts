/** A cluster of three daemons that serve the dashboard, and a client that writes to it. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeFolder } from "../../../daemon/program/replicas.js";
import { knowsSecret } from "../../../support/cluster-secret.js";
import { type DaemonProcess, startDaemon } from "../../../support/daemon-process.js";
import { EnvelopeClient, makeKeyPair } from "../../../support/envelope-client.js";
import { freePort } from "../../../support/free-port.js";

export interface WatchedCluster extends AsyncDisposable {
  readonly daemons: DaemonProcess[];
  readonly ports: readonly number[];
  /** The addresses of the pages. */
  readonly urls: readonly string[];
  /** The administrator's private key. */
  readonly rootFile: string;
  readonly folder: string;
  start(index: number): Promise<void>;
  /** Writes with an application's key. @param lateMs  age of the write's date in milliseconds */
  write(index: number, command: readonly string[], lateMs?: number): Promise<void>;
}

export async function startWatched(): Promise<WatchedCluster> {
  const folder = makeFolder();
  const [root, app] = [makeKeyPair(), makeKeyPair()];
  const rootFile = join(folder.path, "root-private.pem");
  writeFileSync(rootFile, root.privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  const places = await Promise.all(
    [0, 1, 2].map(async () => ({ port: await freePort(), ws: await freePort(), admin: await freePort() })),
  );
  const daemons: DaemonProcess[] = [];
  const start = async (index: number): Promise<void> => {
    const { port, ws, admin } = places[index] as (typeof places)[number];
    const others = places.filter((_, other) => other !== index);
    daemons[index] = await startDaemon([
      ...["-p", String(port), "--ws", String(ws), "--admin", String(admin)],
      ...["--root-key", root.file, "-s", app.file, "--data", join(folder.path, String(index))],
      ...others.flatMap((other) => ["--peer", `127.0.0.1:${other.port}`]),
      ...knowsSecret,
    ]);
  };
  await Promise.all([0, 1, 2].map(start));
  return {
    daemons,
    start,
    rootFile,
    folder: folder.path,
    ports: places.map(({ port }) => port),
    urls: places.map(({ admin }) => `http://localhost:${admin}/`),
    async write(index, command, lateMs = 0) {
      using client = await EnvelopeClient.open(places[index]?.port as number, app);
      await client.replies([command], { at: Math.floor(Date.now() - lateMs) });
    },
    async [Symbol.asyncDispose]() {
      for (const daemon of daemons) await daemon[Symbol.asyncDispose]();
      rmSync(folder.path, { recursive: true, force: true });
    },
  };
}
