/** The servers that the libraries use. Each listens for Redis or MongoDB clients on one port. */

import { makeFolder } from "../daemon/program/replicas.js";
import { knowsSecret } from "../support/cluster-secret.js";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { makeKeyPair } from "../support/envelope-client.js";
import { freePort } from "../support/free-port.js";
import { RedisConnection } from "../support/redis-connection.js";
import { startRedis } from "../support/redis-server.js";
import { letIn } from "../support/signed-by-root.js";
import { until } from "../support/until.js";

export interface Served extends AsyncDisposable {
  readonly port: number;
}

const served = async (daemon: DaemonProcess, clients: "Redis" | "MongoDB"): Promise<number> => {
  const { port } = await daemon.logged(({ msg }) => msg === `serving ${clients} clients`);
  return port as number;
};

const startAlone = (flag: string, clients: "Redis" | "MongoDB") => async (): Promise<Served> => {
  const daemon = await startDaemon([flag, "0"]);
  return { port: await served(daemon, clients), [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose]() };
};

/** Starts three connected daemons with data folders. @returns the first */
async function startOneOfThree(clients: "Redis" | "MongoDB"): Promise<Served> {
  const [app, root] = [makeKeyPair(), makeKeyPair()];
  const ports = [await freePort(), await freePort(), await freePort()];
  const folders = ports.map(makeFolder);
  const daemons = await Promise.all(
    ports.map((own, number) =>
      startDaemon([
        ...[
          "-s",
          app.file,
          "--root-key",
          root.file,
          "-p",
          String(own),
          "--data",
          folders[number]?.path ?? "",
          ...knowsSecret,
        ],
        ...ports.filter((other) => other !== own).flatMap((peer) => ["--peer", `127.0.0.1:${peer}`]),
        // A busy machine may stop a daemon for seconds.
        ...["--standstill", "1m", "--resp", "0", "--mongo", "0"],
      ]),
    ),
  );
  const first = daemons[0] as DaemonProcess;
  const port = await served(first, clients);
  using client = await RedisConnection.open(await served(first, "Redis"));
  await until("the first daemon has caught up", async () => {
    const info = await client.call("INFO", "replication");
    return info.kind === "bulk" && info.bytes.includes("dbsync_state:unauthorized");
  });
  await letIn(first, root.privateKey);
  return {
    port,
    async [Symbol.asyncDispose]() {
      await Promise.all(daemons.map((daemon) => daemon[Symbol.asyncDispose]()));
      for (const folder of folders) folder[Symbol.dispose]();
    },
  };
}

/**
 * The servers for Redis clients. They include redis-server, so that a mistake in an example does not look like one of
 * the daemon's.
 */
export const SERVERS: readonly { readonly name: string; readonly start: () => Promise<Served> }[] = [
  { name: "redis-server", start: startRedis },
  { name: "a daemon in memory", start: startAlone("--resp", "Redis") },
  { name: "one of three daemons that record", start: () => startOneOfThree("Redis") },
];

export const DOCUMENT_SERVERS: typeof SERVERS = [
  { name: "a daemon in memory", start: startAlone("--mongo", "MongoDB") },
  { name: "one of three daemons that record", start: () => startOneOfThree("MongoDB") },
];
