/**
 * What a daemon with --resp has besides: users, the way of their commands, the listener. The daemon loads this module, and
 * with it everything of listeners/resp, only then.
 */
import type { Logger } from "pino";
import type { AdminPlace } from "./admin/place.js";
import type { Backend } from "./backends/backend.js";
import { MemoryBackend } from "./backends/memory.js";
import type { CommandPath } from "./command-path.js";
import type { Environment } from "./environment.js";
import type { DaemonFace } from "./listeners/resp/daemon-face.js";
import { RespListener, type RespParts } from "./listeners/resp/listener.js";
import { LocalPath } from "./local-path.js";
import { isLoopback } from "./loopback.js";
import type { MemoryLimit } from "./memory-limit.js";
import type { Observer } from "./observer.js";
import type { Pipeline } from "./pipeline.js";
import { RecordedPath } from "./recorded-path.js";
import type { Replica } from "./replica.js";
import type { Service } from "./service.js";
import type { Settings } from "./settings.js";
import { StartError } from "./start-error.js";
import { Users } from "./users.js";

export interface RespServiceParts {
  readonly settings: Settings;
  readonly place: AdminPlace;
  readonly gate: RespParts["gate"];
  readonly pipeline: Pipeline;
  /** The daemon's only one. */
  readonly backends: readonly Backend[];
  /** null: no timeline. */
  readonly replica: Pick<Replica, "backend" | "gateway" | "timelineParts"> | null;
  /** Stops the process in its own time; null: it is not ours to stop. */
  readonly shutDown: (() => void) | null;
  readonly memory: MemoryLimit;
  readonly observer: Observer;
  readonly environment: Environment;
  readonly log: Logger;
}

export class Resp implements Service {
  readonly #parts: RespServiceParts;
  readonly #users: Users;
  readonly #listener: RespListener;

  /** Reads the users. @throws StartError */
  constructor(parts: RespServiceParts) {
    this.#parts = parts;
    const { settings, place, gate, memory, observer, environment, log } = parts;
    this.#users = readUsers(place, settings);
    const { limits } = settings;
    this.#listener = new RespListener({
      ...place,
      ...{ gate, memory, observer, environment, log, limits, users: this.#users, path: pathOf(parts) },
      daemon: this.#face(),
    });
  }

  #face(): DaemonFace {
    const { settings, replica, pipeline, shutDown } = this.#parts;
    const place = () => this.address;
    return {
      ...{ settings, shutDown },
      get address() {
        return place().address;
      },
      get port() {
        return place().port;
      },
      get members() {
        return replica?.timelineParts.recorder.members ?? 0;
      },
      get state() {
        return pipeline.state;
      },
    };
  }

  /** Where it listens, once started. */
  get address(): { readonly address: string; readonly port: number } {
    return this.#listener.address;
  }

  /** Bytes of unfinished requests and untaken answers. */
  get bufferedBytes(): number {
    return this.#listener.bufferedBytes;
  }

  async start(): Promise<void> {
    await this.#listener.start();
  }

  async stop(): Promise<void> {
    await this.#listener.stop();
  }

  /** Says in the log where Redis clients are served. */
  tell(): void {
    const { address, port } = this.address;
    this.#parts.log.info({ address, port }, "serving Redis clients");
    if (this.#users.anonymous !== null && isLoopback(address) !== true) this.#parts.log.warn(OPEN);
  }

  /** New limits and users. @throws StartError  and then nothing has changed */
  reload({ limits, aclFile }: Settings): void {
    this.#users.reload(aclFile);
    this.#listener.limits = limits;
  }
}

function pathOf({ backends, replica, pipeline: { localUnits } }: RespServiceParts): CommandPath {
  if (replica !== null && replica.gateway !== null) {
    const { backend, gateway } = replica;
    return new RecordedPath({ backend, gateway, units: localUnits });
  }
  const [backend] = backends;
  if (!(backend instanceof MemoryBackend)) throw new StartError("--resp needs the database in memory.", 2);
  return new LocalPath(backend, localUnits);
}

/**
 * Users as they are at a start: off loopback somebody has to log in, or at least nobody may listen in.
 * @throws StartError  with the cures
 */
export function readUsers({ address }: AdminPlace, { aclFile, tls }: Settings): Users {
  const users = new Users(aclFile);
  if (isLoopback(address) === true || tls !== null || users.anonymous === null) return users;
  throw new StartError(
    `--resp ${address} can be reached from other machines, and anybody there could send commands. Give users ` +
      "with passwords (--acl-file, with a line such as: user default off), or TLS (--tls-cert, --tls-key), or listen " +
      "on 127.0.0.1.",
    2,
  );
}

const OPEN =
  "--resp takes commands of anybody who reaches it, since the default user needs no password (--acl-file)";
