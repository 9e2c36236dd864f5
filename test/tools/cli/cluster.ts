/**
 * Starts daemons with an application's key and an administrator's, and writes the key files with which `dbsync`
 * signs.
 */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startDaemon, type TestDaemon } from "../../../daemon/program/testing.js";
import { generateKeyPair } from "../../../keys/generate-keys.js";
import { type ChildResult, runDbsync } from "../../client/child.js";
import { freePort } from "../../support/free-port.js";

export interface Cluster extends AsyncDisposable {
  /**
   * The folder in which `run` runs. It contains the private keys `app.pem`, `root.pem` and `stranger.pem`, and their
   * public keys, such as `app-public.pem`.
   */
  readonly folder: string;
  readonly daemons: { readonly servers: string; readonly daemons: readonly TestDaemon[] };
  /** Runs `dbsync` with these daemons, unless the arguments name different ones. */
  run(args: readonly string[], input?: string | Buffer): Promise<ChildResult>;
}

const KEY_NAMES = ["app", "root", "stranger", "web"] as const;

/** Starts daemons. @param args  further options of the daemons */
export async function startCluster(count: number, args: readonly string[] = []): Promise<Cluster> {
  const folder = mkdtempSync(join(tmpdir(), "dbsync-cluster-"));
  for (const name of KEY_NAMES) {
    const { privatePem, publicPem } = await generateKeyPair({ type: "ed25519", bits: 2048 });
    writeFileSync(join(folder, `${name}.pem`), privatePem);
    chmodSync(join(folder, `${name}.pem`), 0o600);
    writeFileSync(join(folder, `${name}-public.pem`), publicPem);
  }

  const keys = ["--sign-key", join(folder, "app-public.pem"), "--root-key", join(folder, "root-public.pem")];
  const each: TestDaemon[] = [];
  while (each.length < count) {
    // A port from free-port.ts, because a test that stops a daemon expects its port to refuse connections.
    const port = ["--port", String(await freePort())];
    each.push(await startDaemon({ key: false, args: [...keys, ...port, ...args] }));
  }

  const daemons = { daemons: each, servers: each.map(({ servers }) => servers).join(",") };
  return {
    folder,
    daemons,
    run: (words, input) =>
      runDbsync(words, {
        folder,
        variables: { DBSYNC_SERVERS: daemons.servers },
        ...(input === undefined ? {} : { input }),
      }),
    async [Symbol.asyncDispose]() {
      for (const daemon of each) await daemon.stop();
      rmSync(folder, { recursive: true });
    },
  };
}
