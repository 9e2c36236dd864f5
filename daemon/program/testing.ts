/**
 * The module `dbsyncd/testing`: real daemons for your tests, in the process of the test, on free ports of 127.0.0.1.
 * Each has an in-memory database, and leaves nothing behind when it is stopped.
 */
import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { generateKeyPair } from "../../keys/generate-keys.js";
import { realEnvironment } from "../net/process/clock-and-randomness.js";
import { formatHostAndPort } from "../net/process/host-and-port.js";
import type { LogLevel } from "../net/process/log-settings.js";
import { version } from "../net/process/version.js";
import { optionProgram, parseArguments } from "../options/parse-options.js";
import { settingsOf } from "../options/read-settings.js";
import type { Settings } from "../options/settings.js";
import { Daemon } from "./daemon.js";
import { BUILD } from "./installed-faces.js";

const LOOPBACK = "127.0.0.1";
const RSA_BITS = 2048;

export interface TestDaemonOptions {
  /**
   * The key that must sign commands. `ed25519` (default): a new key. `rsa`: a new key of the type that version 1
   * requires, whose creation takes a few tenths of a second. A KeyObject: your private key. false: commands are
   * unsigned.
   */
  readonly key?: "ed25519" | "rsa" | KeyObject | false | undefined;
  /** Further options as on the command line of dbsyncd: `["--idle-timeout", "1s"]`. DBSYNCD_… variables are ignored. */
  readonly args?: readonly string[] | undefined;
  /** The level of the log, which is written to standard output. Default: nothing is logged. */
  readonly log?: LogLevel | undefined;
}

/** The options that a client needs to connect to the daemons: pass them to `dbsyncSend` or `createClient`. */
export interface TestClientOptions {
  /** The addresses as `127.0.0.1:port`, separated by commas. */
  readonly servers: string;
  /** The private key, or false if commands are unsigned. */
  readonly key: KeyObject | false;
  /** The cluster's id; absent if commands are unsigned. */
  readonly cluster?: string;
}

export interface TestDaemon extends AsyncDisposable {
  /** The address as `127.0.0.1:port`. */
  readonly servers: string;
  readonly port: number;
  /** The private key, or null if commands are unsigned. */
  readonly key: KeyObject | null;
  /** The cluster's id, 64 hexadecimal digits, or null if commands are unsigned. */
  readonly cluster: string | null;
  readonly options: TestClientOptions;
  /** Stops the daemon like SIGTERM: requests in flight are answered first. You may call it twice. */
  stop(): Promise<void>;
}

export interface TestDaemons extends Omit<TestDaemon, "port"> {
  /** The individual daemons, so that you can stop one of them. */
  readonly daemons: readonly TestDaemon[];
}

/**
 * Starts a daemon. In TypeScript, and in JavaScript from Node 24 on, `await using daemon = await startDaemon()` stops
 * it at the end of the block. Until then it keeps the process alive, like any server.
 * @throws StartError  an option is wrong, or a port is in use
 * @throws TypeError   an option is unknown
 */
export async function startDaemon(options: TestDaemonOptions = {}): Promise<TestDaemon> {
  const { daemons } = await startDaemons(1, options);
  return daemons[0] as TestDaemon;
}

/** Starts several daemons of one cluster, with the same key and options. @throws StartError  as `startDaemon` */
export async function startDaemons(count: number, options: TestDaemonOptions = {}): Promise<TestDaemons> {
  if (!Number.isInteger(count) || count < 1)
    throw new RangeError(`count is ${count}; it must be at least 1.`);
  checkNames(options);
  const key = await privateKey(options.key ?? "ed25519");
  const running = await withKeyFile(key, (keyFile) => run(count, settingsFor(keyFile, options), options.log));
  const daemons = running.map((daemon) => ({ ...handleFor([daemon], key), port: addressOf(daemon).port }));
  return { ...handleFor(running, key), daemons };
}

const OPTIONS: readonly string[] = ["key", "args", "log"] satisfies (keyof TestDaemonOptions)[];

function checkNames(options: TestDaemonOptions): void {
  for (const name of Object.keys(options)) {
    if (OPTIONS.includes(name)) continue;
    throw new TypeError(
      `startDaemon has no option ${name}; its options are ${OPTIONS.join(", ")}. Options of dbsyncd belong in args: ` +
        '{ args: ["--window", "10s,1s"] }.',
    );
  }
}

async function privateKey(key: "ed25519" | "rsa" | KeyObject | false): Promise<KeyObject | null> {
  if (key === false) return null;
  if (typeof key !== "string") return key;
  return createPrivateKey((await generateKeyPair({ type: key, bits: RSA_BITS })).privatePem);
}

/**
 * Writes the public key to a temporary file, because daemons read keys from files.
 * @param use  receives the file, or null without a key
 */
async function withKeyFile<Result>(
  key: KeyObject | null,
  use: (file: string | null) => Promise<Result>,
): Promise<Result> {
  if (key === null) return await use(null);
  const folder = await mkdtemp(join(tmpdir(), "dbsyncd-testing-"));
  try {
    const file = join(folder, "public.pem");
    await writeFile(file, createPublicKey(key).export({ type: "spki", format: "pem" }));
    return await use(file);
  } finally {
    await rm(folder, { recursive: true });
  }
}

function settingsFor(keyFile: string | null, { args = [] }: TestDaemonOptions): Settings {
  const program = optionProgram({ faces: BUILD.faces, version, everything: true, print: () => {} });
  // Variables for a daemon of this machine must not affect tests.
  for (const option of program.options) delete option.envVar;
  const signKey = keyFile === null ? [] : ["--sign-key", keyFile];
  parseArguments(program, ["--bind", LOOPBACK, "--port", "0", ...signKey, ...args], {});
  return settingsOf(program);
}

/** Starts the daemons; if one cannot be started, stops all of them. */
async function run(count: number, settings: Settings, level: LogLevel = "silent"): Promise<Daemon[]> {
  const log = pino({ level, base: null });
  const running: Daemon[] = [];
  try {
    while (running.length < count) {
      const daemon = new Daemon({ ...BUILD, settings, environment: realEnvironment, log });
      await daemon.start();
      running.push(daemon);
    }
    return running;
  } catch (problem) {
    await stopAll(running);
    throw problem;
  }
}

async function stopAll(daemons: readonly Daemon[]): Promise<void> {
  await Promise.all(daemons.map((daemon) => daemon.stop()));
}

function handleFor(daemons: readonly Daemon[], key: KeyObject | null): Omit<TestDaemon, "port"> {
  const servers = daemons.map((daemon) => formatHostAndPort(addressOf(daemon))).join();
  const stop = () => stopAll(daemons);
  const cluster = daemons[0]?.cluster ?? null;
  const options = { servers, key: key ?? false, ...(cluster === null ? {} : { cluster }) } as const;
  return { servers, key, cluster, options, stop, [Symbol.asyncDispose]: stop };
}

function addressOf({ address }: Daemon): { readonly address: string; readonly port: number } {
  if (address === null) throw new Error("A started daemon has an address.");
  return address;
}
