/** Starts three peer daemons, each a process with its own folder, and a sidecar in front of them. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "../../../client/client.js";
import { createClient } from "../../../client/dbsync-send.js";
import type { DaemonHere } from "../../../test/support/daemon-here.js";
import { type DaemonProcess, startDaemon } from "../../../test/support/daemon-process.js";
import { makeKeyPair } from "../../../test/support/envelope-client.js";
import { freePort } from "../../../test/support/free-port.js";
import { ScratchFolder } from "../../../test/support/scratch-folder.js";
import { startSidecar } from "../../../test/support/start-sidecar.js";
import { Trio } from "../../../test/support/trio.js";
import { until } from "../../../test/support/until.js";

export interface SidecarScene extends AsyncDisposable {
  readonly folder: string;
  /** The sidecar's port for Redis clients. */
  readonly port: number;
  readonly sidecar: DaemonHere;
  /** The list of daemons, for a client. */
  readonly servers: string;
  /** A file with the private key of the sidecars. The daemons know it unless `isKeyUnknown` is set. */
  readonly key: string;
  readonly trio: Trio;
}

export interface SceneOptions {
  /** Additional options of the sidecar. */
  readonly args?: readonly string[];
}

export const DAEMONS = 3;

/** The timeout of calls in milliseconds, by default also in sidecars. It is long because the machine may be busy. */
export const CALL_MS = 20_000;
const PATIENT = ["--backend-timeout", `${CALL_MS}ms`];

/** Starts all daemons, or none: a remaining one would keep the test file's process alive forever. */
async function startAll(start: (number: number) => Promise<DaemonProcess>): Promise<DaemonProcess[]> {
  const started = await Promise.allSettled(Array.from({ length: DAEMONS }, (_, number) => start(number)));
  const daemons = started.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  const failed = started.find((one) => one.status === "rejected");
  if (failed === undefined) return daemons;
  for (const daemon of daemons) await daemon[Symbol.asyncDispose]();
  throw failed.reason;
}

export async function startScene({ args = [] }: SceneOptions = {}): Promise<SidecarScene> {
  const folder = new ScratchFolder();
  const trio = await Trio.start();
  await trio.untilNoneIsLate();
  const key = folder.privateKey(trio.app);
  const port = await freePort();
  const sidecar = await startSidecar(key, trio.servers, ["--resp", String(port), ...PATIENT, ...args]);
  return {
    folder: folder.path,
    port,
    sidecar,
    servers: trio.servers.join(","),
    key,
    trio,
    async [Symbol.asyncDispose]() {
      for (const one of [sidecar, trio]) await one[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}

export interface PlainScene extends AsyncDisposable {
  readonly folder: string;
  readonly servers: string;
  /** A file with the private key that the daemons know. */
  readonly key: string;
  readonly daemons: DaemonProcess[];
  /** Returns a client that knows only one daemon. */
  only(number: number): Client;
  /** Starts a sidecar in front of these daemons. The arguments follow the default ones. */
  sidecar(...args: readonly string[]): Promise<{ readonly port: number; readonly process: DaemonProcess }>;
  /** Restarts a daemon with its address. */
  restart(number: number): Promise<void>;
}

export interface PlainOptions {
  /** Additional options of each daemon. @param folder  for files */
  readonly args?: (number: number, folder: string) => readonly string[] | Promise<readonly string[]>;
  readonly scheme?: "dbsync" | "dbsyncs";
  /** Whether the sidecars sign with a key that no daemon knows. */
  readonly isKeyUnknown?: boolean;
}

/**
 * Starts daemons without peers and data. They start fast, and their data may differ. Sidecars end together with them.
 */
export async function startPlain({
  args = () => [],
  scheme = "dbsync",
  isKeyUnknown = false,
}: PlainOptions = {}): Promise<PlainScene> {
  const folder = mkdtempSync(join(tmpdir(), "dbsync-sidecar-"));
  const pair = makeKeyPair();
  const { file } = isKeyUnknown ? makeKeyPair() : pair;
  const key = join(folder, "private.pem");
  writeFileSync(key, pair.privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });

  const ports: number[] = [];
  for (let number = 0; number < DAEMONS; number++) ports.push(await freePort());
  const start = async (number: number) =>
    startDaemon(["-p", String(ports[number]), "-s", file, ...(await args(number, folder))]);
  const daemons = await startAll(start);

  const places = ports.map((port) => `127.0.0.1:${port}`);
  const servers =
    scheme === "dbsync" ? `dbsync:${places}` : places.map((place) => `dbsyncs://${place}`).join();

  const ended: DaemonProcess[] = [];
  return {
    folder,
    servers: places.join(),
    key,
    daemons,
    only: (number) =>
      createClient({ servers: places[number] as string, key: pair.privateKey, timeout: CALL_MS }),
    async sidecar(...more) {
      const port = await freePort();
      const process = await startDaemon([
        ...["-d", servers, "--key", key, "--resp", String(port), ...PATIENT],
        ...more,
      ]);
      ended.push(process);
      return { port, process };
    },
    async restart(number) {
      daemons[number] = await start(number);
    },
    async [Symbol.asyncDispose]() {
      for (const one of [...ended, ...daemons]) await one[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true });
    },
  };
}

/** Returns each daemon's own answer to a read. */
export async function queryEach(
  { servers, key }: SidecarScene,
  command: readonly string[],
): Promise<unknown[]> {
  return Promise.all(
    servers.split(",").map(async (server) => {
      await using client = createClient({ servers: server, key });
      return await client.call(command).catch((problem: Error) => problem.message);
    }),
  );
}

/** Waits until all daemons return the same answer to a read. */
export async function untilAll(
  scene: SidecarScene,
  command: readonly string[],
  expected: unknown,
): Promise<void> {
  await until(`all daemons return ${String(expected)} for ${command.join(" ")}`, async () =>
    (await queryEach(scene, command)).every((answer) => answer === expected),
  );
}
