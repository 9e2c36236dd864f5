/** Starts a listener for users in the test process, with its own memory. */
import { LocalUnits, NewestDate } from "../../daemon/engine/backends/local-units.js";
import { MemoryBackend } from "../../daemon/engine/backends/memory-backend.js";
import type { MemoryLimit } from "../../daemon/engine/memory/memory-limit.js";
import { NO_OBSERVER, type Observer } from "../../daemon/engine/pipeline/pipeline-parts.js";
import type { DaemonListener } from "../../daemon/listener/daemon-listener.js";
import { knowProtocols } from "../../daemon/net/connections/foreign-client.js";
import { type Environment, realEnvironment } from "../../daemon/net/process/clock-and-randomness.js";
import { type Limits, readLimitsOf } from "../../daemon/options/limits.js";
import { BUILD } from "../../daemon/program/installed-faces.js";
import { withFile } from "../../faces/redis/test/scene.js";
import { PasswordSecrets } from "../../faces/users/password-secrets.js";
import type { DaemonInterface, UserListenerParts } from "../../faces/users/user-listener.js";
import { LocalPath } from "../../faces/users/user-listeners.js";
import { Users } from "../../faces/users/users.js";
import { defaultLimits } from "../daemon/program/in-process.js";
import type { LogLine } from "../support/daemon-process.js";
import { double } from "../support/double.js";
import { keepLog } from "../support/log-lines.js";
import { RawClient } from "../support/raw-client.js";
import { UNBOUNDED } from "../support/unbounded-memory.js";

knowProtocols(BUILD.faces.flatMap(({ speaks }) => speaks ?? []));

export interface UserSceneOptions {
  readonly limits?: Partial<Limits>;
  /** The lines of an ACL file. */
  readonly users?: readonly string[];
  readonly memory?: MemoryLimit;
  readonly observer?: Partial<Observer>;
}

export interface UserScene<Listener> extends AsyncDisposable {
  readonly listener: Listener;
  readonly port: number;
  readonly log: readonly LogLine[];
  readonly users: Users;
  readonly backend: MemoryBackend;
  /** Sends bytes on a new connection. @returns all answers until the connection is closed */
  exchange(bytes: string): Promise<string>;
}

export async function startUserListener<Listener extends DaemonListener>(
  { limits = {}, users, memory = UNBOUNDED, observer = {} }: UserSceneOptions,
  makeListener: (parts: UserListenerParts) => Listener,
  environment: Environment = realEnvironment,
): Promise<UserScene<Listener>> {
  const { log, lines } = keepLog("debug");
  const backend = new MemoryBackend(environment);
  backend.database.readLimits = readLimitsOf({ ...defaultLimits, ...limits });

  const secrets = new PasswordSecrets(environment);
  const known =
    users === undefined ? new Users(null, secrets) : withFile(users, (file) => new Users(file, secrets));

  const listener = makeListener({
    address: "127.0.0.1",
    port: 0,
    gate: null,
    observer: { ...NO_OBSERVER, ...observer },
    environment,
    log,
    daemon: double<DaemonInterface>({}),
    memory,
    users: known,
    limits: { ...defaultLimits, ...limits },
    path: new LocalPath(backend, new LocalUnits(environment, new NewestDate())),
  });

  await backend.start();
  await listener.start();
  const { port } = listener.address;
  return {
    listener,
    port,
    log: lines,
    users: known,
    backend,
    async exchange(bytes: string) {
      using client = await RawClient.open(port);
      client.send(bytes);
      client.socket.end();
      return await client.rest();
    },
    async [Symbol.asyncDispose]() {
      await listener.stop();
      await backend.stop();
    },
  };
}
