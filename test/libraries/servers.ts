/** The servers that the libraries use. Each listens for Redis or MongoDB clients on one port. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { PATIENT } from "../support/active-cluster.js";
import { startDaemon } from "../support/daemon-process.js";
import { decideOn, EARLY_PATTERNS } from "../support/decided-patterns.js";
import { startRedis } from "../support/redis-server.js";
import { authorizeDaemons } from "../support/resp-trio.js";
import { startSidecar } from "../support/start-sidecar.js";
import { Trio } from "../support/trio.js";

type LibraryClients = "Redis clients" | "MongoDB clients";

export interface Served extends AsyncDisposable {
  readonly port: number;
}

/** On a busy machine, a script that removes 20,000 jobs may run for longer than the default limit of 5 s. */
const LUA_TIME_LIMIT = ["--lua-time-limit", "5m"];

const startAlone = (flag: string, served: LibraryClients) => async (): Promise<Served> => {
  const daemon = await startDaemon([flag, "0", ...LUA_TIME_LIMIT]);
  return { port: await daemon.portOf(served), [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose]() };
};

/** Starts three connected daemons with data folders. @returns the first */
async function startOneOfThree(served: LibraryClients): Promise<Served> {
  // A busy machine may stop a daemon for seconds.
  const trio = await Trio.start(["--standstill", "1m", "--resp", "0", "--mongo", "0", ...LUA_TIME_LIMIT]);
  await authorizeDaemons(trio);
  return {
    port: await trio.daemon(0).portOf(served),
    [Symbol.asyncDispose]: () => trio[Symbol.asyncDispose](),
  };
}

/** Starts a sidecar of three connected daemons that have a member list. @param patterns  the decided keys */
export async function startSidecarOfThree(patterns: readonly string[] = []): Promise<Served> {
  const areDecided = patterns.length > 0;
  const args = [...PATIENT, ...(areDecided ? ["--resp", "0", ...EARLY_PATTERNS] : [])];
  const trio = await Trio.start(args, 3, areDecided ? { keys: "app" } : {});
  try {
    if (areDecided) await decideOn(trio, patterns);
    else await trio.list();
    const key = join(trio.folder(0), "sidecar.pem");
    writeFileSync(key, trio.app.privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
    const patient = ["--backend-timeout", "20s", ...LUA_TIME_LIMIT];
    const sidecar = await startSidecar(key, trio.servers, ["--resp", "0", ...(areDecided ? patient : [])]);
    return {
      port: await sidecar.portOf("Redis clients"),
      async [Symbol.asyncDispose]() {
        await sidecar[Symbol.asyncDispose]();
        await trio[Symbol.asyncDispose]();
      },
    };
  } catch (problem) {
    await trio[Symbol.asyncDispose]();
    throw problem;
  }
}

/**
 * The servers for Redis clients. They include redis-server, so that a mistake in an example does not look like one of
 * the daemon's.
 */
export const SERVERS: readonly { readonly name: string; readonly start: () => Promise<Served> }[] = [
  { name: "redis-server", start: startRedis },
  { name: "a daemon in memory", start: startAlone("--resp", "Redis clients") },
  { name: "one of three daemons that record", start: () => startOneOfThree("Redis clients") },
];

export const DOCUMENT_SERVERS: typeof SERVERS = [
  { name: "a daemon in memory", start: startAlone("--mongo", "MongoDB clients") },
  { name: "one of three daemons that record", start: () => startOneOfThree("MongoDB clients") },
];
