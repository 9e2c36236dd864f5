/** Starts a RESP listener in the test process, with its own memory. */
import "../../../test/support/all-families.js";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CommandPath } from "../../../daemon/engine/backends/command-path.js";
import { LocalUnits, NewestDate } from "../../../daemon/engine/backends/local-units.js";
import { MemoryBackend } from "../../../daemon/engine/backends/memory-backend.js";
import { Channels } from "../../../daemon/engine/channels/channels.js";
import type { MemoryLimit } from "../../../daemon/engine/memory/memory-limit.js";
import { NO_OBSERVER } from "../../../daemon/engine/pipeline/pipeline-parts.js";
import { SlowLog } from "../../../daemon/engine/slow-log/slow-log.js";
import { type Environment, realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import { NO_EVENTS } from "../../../daemon/options/event-flags.js";
import type { Limits } from "../../../daemon/options/limits.js";
import type { UserListenerName } from "../../../daemon/options/option-table.js";
import { defaultLimits } from "../../../test/daemon/program/in-process.js";
import type { LogLine } from "../../../test/support/daemon-process.js";
import { double } from "../../../test/support/double.js";
import { freePort } from "../../../test/support/free-port.js";
import { TABLE, USER_LISTENER_NAMES } from "../../../test/support/installed-options.js";
import { keepLog } from "../../../test/support/log-lines.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { UNBOUNDED } from "../../../test/support/unbounded-memory.js";
import type { DaemonInterface } from "../../users/user-listener.js";
import { LocalPath } from "../../users/user-listeners.js";
import { Users } from "../../users/users.js";
import { RespListener } from "../resp-listener.js";

/** Settings of other faces, which a build without them does not have. */
const OF_OTHER_FACES = { jsonReplicas: [], sqlLanguage: null };
const NOWHERE = Object.fromEntries(USER_LISTENER_NAMES.map((name) => [name, null])) as Record<
  UserListenerName,
  null
>;

export interface RespScene extends AsyncDisposable {
  readonly port: number;
  readonly users: Users;
  readonly listener: RespListener;
  readonly log: readonly LogLine[];
}

export interface SceneOptions {
  readonly limits?: Partial<Limits>;
  /** The lines of an ACL file. */
  readonly users?: readonly string[];
  readonly memory?: MemoryLimit;
  readonly copies?: DaemonInterface["copies"];
  /** The clients that may use DEBUG, by default none. */
  readonly enableDebugCommand?: DaemonInterface["settings"]["enableDebugCommand"];
  /** The path of commands, by default to a database in memory. */
  readonly path?: CommandPath;
  /** The environment, by default that of the process. */
  readonly environment?: Environment;
}

export async function startResp({
  limits = {},
  users,
  memory = UNBOUNDED,
  copies = null,
  enableDebugCommand = "no",
  path,
  environment = realEnvironment,
}: SceneOptions = {}): Promise<RespScene> {
  const { log, lines } = keepLog("debug");
  const backend = new MemoryBackend(environment);
  const known = users === undefined ? new Users(null) : withFile(users, (file) => new Users(file));
  const port = () => listener.address.port;
  const channels = new Channels();
  known.whenChanged = () => channels.review();

  const daemon = double<DaemonInterface>({
    channels,
    slowLog: new SlowLog(),
    settings: {
      aclFile: null,
      data: null,
      fsync: "always",
      peers: [],
      ...OF_OTHER_FACES,
      ...NOWHERE,
      table: TABLE,
      allowAnonymous: false,
      enableDebugCommand,
      notifyKeyspaceEvents: NO_EVENTS,
    },
    memory: {
      bytes: 0,
      policy: "noeviction",
      policies: ["noeviction"],
      used: 1_000_000,
      evicted: 0,
      working: backend.workingMemory,
    },
    logLevel: "info",
    writeLog: (level, sentence) => log[level](sentence),
    address: "127.0.0.1",
    get port() {
      return port();
    },
    members: 0,
    replicationFields: {},
    copies,
    condition: { state: "live", reason: "" },
    shutDown: null,
  });

  const listener: RespListener = new RespListener({
    daemon,
    address: "127.0.0.1",
    port: await freePort(),
    gate: null,
    observer: NO_OBSERVER,
    environment,
    log,
    users: known,
    memory,
    limits: { ...defaultLimits, ...limits },
    path: path ?? new LocalPath(backend, new LocalUnits(environment, new NewestDate())),
  });

  await backend.start();
  await listener.start();
  return {
    port: listener.address.port,
    users: known,
    listener,
    log: lines,
    async [Symbol.asyncDispose]() {
      await listener.stop();
      await backend.stop();
    },
  };
}

/** Runs `use` with a temporary file that contains these lines. */
export function withFile<Result>(lines: readonly string[], use: (file: string) => Result): Result {
  const folder = mkdtempSync(join(tmpdir(), "dbsync-acl-"));
  try {
    const file = join(folder, "users.acl");
    writeFileSync(file, lines.join("\n"), "latin1");
    return use(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Returns a server's answers to these bytes and the end of the stream, without the connection's own number. */
export async function exchange(port: number, bytes: string): Promise<string> {
  using client = await RawClient.open(port);
  client.send(bytes);
  client.socket.end();
  return withoutId(await client.rest());
}

export function withoutId(answer: string): string {
  return answer.replace(/(\$2\r\nid\r\n):\d+/g, "$1:1");
}
