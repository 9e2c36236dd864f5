/**
 * The module `dbsyncd/testing`: real daemons for a user's own tests, in the test's process, on free ports of
 * 127.0.0.1, with an in-memory database each. Nothing of them remains once they are stopped.
 */
import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { generateKeyPair } from "../keys/generate.js";
import { realEnvironment } from "../net/process/environment.js";
import type { LogLevel } from "../net/process/log.js";
import { formatPlace } from "../net/process/place.js";
import { version } from "../net/process/version.js";
import { optionTable, parseArguments } from "../options/options.js";
import { settingsOf } from "../options/read-settings.js";
import type { Settings } from "../options/settings.js";
import { Daemon } from "./daemon.js";

const LOOPBACK = "127.0.0.1";
const RSA_BITS = 2048;

export interface TestDaemonOptions {
  /**
   * The commands that are accepted. `ed25519`, the default: signed ones, by a key that is made immediately. `rsa`:
   * the same with the kind of key that version 1 requires, which takes some tenths of a second. A private key of
   * yours. Or false: unsigned commands.
   */
  readonly key?: "ed25519" | "rsa" | KeyObject | false | undefined;
  /** More options, as on dbsyncd's command line: `["--idle-timeout", "1s"]`. DBSYNCD_… variables do not count. */
  readonly args?: readonly string[] | undefined;
  /** The log level, on standard output. Default: nothing is logged. */
  readonly log?: LogLevel | undefined;
}

/** The options that a client needs to talk to the daemons: pass them to `dbsyncSend` or `createClient`. */
export interface TestClientOptions {
  /** `127.0.0.1:port`, with commas between. */
  readonly servers: string;
  /** The private key; false: unsigned. */
  readonly key: KeyObject | false;
  /** Absent for unsigned commands. */
  readonly cluster?: string;
}

export interface TestDaemon extends AsyncDisposable {
  /** `127.0.0.1:port`. */
  readonly servers: string;
  readonly port: number;
  /** The private key; null: unsigned commands. */
  readonly key: KeyObject | null;
  /** 64 hexadecimal digits; null: unsigned commands. */
  readonly cluster: string | null;
  readonly options: TestClientOptions;
  /** Stops like SIGTERM: finishes what is in flight. May be called twice. */
  stop(): Promise<void>;
}

export interface TestDaemons extends Omit<TestDaemon, "port"> {
  /** Each by itself, to stop one of them. */
  readonly daemons: readonly TestDaemon[];
}

/**
 * Starts a daemon. `await using daemon = await startDaemon()` stops it at the end of the block.
 * Until then it keeps the process alive, as a server does.
 * @throws StartError  an option that is wrong, a port that is taken
 * @throws TypeError   an option of no known name
 */
export async function startDaemon(options: TestDaemonOptions = {}): Promise<TestDaemon> {
  const { daemons } = await startDaemons(1, options);
  return daemons[0] as TestDaemon;
}

/** Starts several with the same key and options: one cluster. @throws StartError  as `startDaemon` */
export async function startDaemons(count: number, options: TestDaemonOptions = {}): Promise<TestDaemons> {
  if (!Number.isInteger(count) || count < 1) throw new RangeError(`count is ${count}; it is 1 at least.`);
  checkNames(options);
  const key = await privateKey(options.key ?? "ed25519");
  const running = await withKeyFile(key, (keyFile) => run(count, settingsFor(keyFile, options), options.log));
  const daemons = running.map((daemon) => ({ ...together([daemon], key), port: addressOf(daemon).port }));
  return { ...together(running, key), daemons };
}

const OPTIONS: readonly string[] = ["key", "args", "log"] satisfies (keyof TestDaemonOptions)[];

function checkNames(options: TestDaemonOptions): void {
  for (const name of Object.keys(options)) {
    if (OPTIONS.includes(name)) continue;
    throw new TypeError(
      `startDaemon has no option ${name}; there are ${OPTIONS.join(", ")}. Those of dbsyncd go into args: ` +
        '{ args: ["--window", "10s,1s"] }.',
    );
  }
}

async function privateKey(key: "ed25519" | "rsa" | KeyObject | false): Promise<KeyObject | null> {
  if (key === false) return null;
  if (typeof key !== "string") return key;
  return createPrivateKey((await generateKeyPair({ type: key, bits: RSA_BITS })).privatePem);
}

/** Daemons read keys from files. @param use  receives null if there is no key */
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
  const program = optionTable({ version, everything: true, print: () => {} });
  // The machine's own daemon is none of the test's business.
  for (const option of program.options) delete option.envVar;
  const signKey = keyFile === null ? [] : ["--sign-key", keyFile];
  parseArguments(program, ["--bind", LOOPBACK, "--port", "0", ...signKey, ...args], {});
  return settingsOf(program);
}

/** All of them, or none. */
async function run(count: number, settings: Settings, level: LogLevel = "silent"): Promise<Daemon[]> {
  const log = pino({ level, base: null });
  const running: Daemon[] = [];
  try {
    while (running.length < count) {
      const daemon = new Daemon({ settings, environment: realEnvironment, log });
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

function together(daemons: readonly Daemon[], key: KeyObject | null): Omit<TestDaemon, "port"> {
  const servers = daemons.map((daemon) => formatPlace(addressOf(daemon))).join();
  const stop = () => stopAll(daemons);
  const cluster = daemons[0]?.cluster ?? null;
  const options = { servers, key: key ?? false, ...(cluster === null ? {} : { cluster }) } as const;
  return { servers, key, cluster, options, stop, [Symbol.asyncDispose]: stop };
}

function addressOf({ address }: Daemon): { readonly address: string; readonly port: number } {
  if (address === null) throw new Error("A daemon that has started has an address.");
  return address;
}
