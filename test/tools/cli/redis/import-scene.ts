/**
 * Starts a redis-server and a daemon with --data, and makes a key for imports. Tests of `dbsync import redis://…` use
 * this scene.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DaemonProcess, startDaemon } from "../../../support/daemon-process.js";
import { freePort } from "../../../support/free-port.js";
import { programPaths } from "../../../support/programs.js";
import { RedisConnection } from "../../../support/redis-connection.js";
import { type RedisServer, startRedis } from "../../../support/redis-server.js";
import { run } from "../../../support/run-program.js";

export interface ImportScene extends AsyncDisposable {
  /** Contains private.pem and public.pem. */
  readonly folder: string;
  readonly redis: RedisServer;
  readonly daemon: DaemonProcess;
  /** The daemon's port for Redis clients. */
  readonly resp: number;
  /** Connections to the Redis and to the daemon. */
  readonly source: RedisConnection;
  readonly target: RedisConnection;
}

export async function startImportScene(): Promise<ImportScene> {
  const folder = await mkdtemp(join(tmpdir(), "dbsync-import-"));
  const made = await run(process.execPath, [programPaths["dbsync-keygen"], "--out", folder]);
  assert.equal(made.code, 0, made.stderr);

  const redis = await startRedis();
  const resp = await freePort();
  const data = join(folder, "data");
  const keys = ["-s", join(folder, "public.pem")];
  const daemon = await startDaemon([...keys, "--resp", String(resp), "--data", data]);

  const source = await RedisConnection.open(redis.port);
  const target = await RedisConnection.open(resp);
  return {
    folder,
    redis,
    daemon,
    resp,
    source,
    target,
    async [Symbol.asyncDispose]() {
      source[Symbol.dispose]();
      target[Symbol.dispose]();
      await daemon[Symbol.asyncDispose]();
      await redis[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}
