/** An SQL listener in the test's own process, before a memory of its own. */
import { LocalUnits } from "../../../../daemon/backends/local-units.js";
import { MemoryBackend } from "../../../../daemon/backends/memory.js";
import { Newest } from "../../../../daemon/backends/newest.js";
import { SqlListener } from "../../../../daemon/listeners/sql/listener.js";
import type { SqlLanguage } from "../../../../daemon/listeners/sql/words.js";
import { type MemoryFace, UNBOUNDED } from "../../../../daemon/memory/memory-limit.js";
import type { Limits } from "../../../../daemon/options/limits.js";
import { NOBODY } from "../../../../daemon/pipeline/observer.js";
import { LocalPath } from "../../../../daemon/users/local-path.js";
import { Users } from "../../../../daemon/users/users.js";
import { realEnvironment } from "../../../../serving/process/environment.js";
import { keepLog } from "../../../support/log-lines.js";
import { RawClient } from "../../../support/raw-client.js";
import { defaultLimits } from "../../in-process.js";
import { withFile } from "../resp/scene.js";

export interface SqlScene extends AsyncDisposable {
  readonly port: number;
  /** What is answered on a connection of its own to all of it, until it is closed. */
  said(bytes: string): Promise<string>;
}

export interface SceneOptions {
  readonly limits?: Partial<Limits>;
  /** Lines of an ACL file. */
  readonly users?: readonly string[];
  readonly memory?: MemoryFace;
  readonly language?: SqlLanguage;
}

export async function startSql({
  limits = {},
  users,
  memory = UNBOUNDED,
  language = "mg",
}: SceneOptions = {}): Promise<SqlScene> {
  const { log } = keepLog("debug");
  const environment = realEnvironment;
  const backend = new MemoryBackend(environment);
  const listener = new SqlListener({
    ...{ address: "127.0.0.1", port: 0, gate: null, observer: NOBODY, environment, log, memory },
    users: users === undefined ? new Users(null) : withFile(users, (file) => new Users(file)),
    limits: { ...defaultLimits, ...limits },
    path: new LocalPath(backend, new LocalUnits(environment, new Newest())),
    daemon: { settings: { sqlLanguage: language } },
  });
  await backend.start();
  await listener.start();
  const { port } = listener.address;
  return {
    port,
    async said(bytes: string) {
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
