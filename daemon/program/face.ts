/**
 * The interface of the faces and tools that this build of dbsyncd contains, as daemon/faces.ts lists them. A
 * face's file `face.ts` is always loaded, and with it the code of the face's commands. It loads everything else with
 * import() when an option needs it.
 */

import type { Replica } from "../cluster/node/replica.js";
import type { ReplicaContext, StartThread, ThreadTasks } from "../cluster/replica/replica-context.js";
import type { Backend } from "../engine/backends/backend.js";
import type { CommandPath } from "../engine/backends/command-path.js";
import type { TimedDatabase } from "../engine/pipeline/start-floor.js";
import type { DaemonListener } from "../listener/daemon-listener.js";
import type { DbsyncService } from "../listener/dbsync-server.js";
import type { ProtocolGroup } from "../net/connections/foreign-client.js";
import type { MetricTable } from "../net/process/metric-rows.js";
import { type Service, StartError } from "../net/process/service.js";
import type { BackendSpecification } from "../options/database-list.js";
import type { FaceOptions } from "../options/parse-options.js";
import type { Settings } from "../options/settings.js";
import type { FaceFamilies } from "../store/family-code.js";
import type { Core, DaemonOptions, LiveFigures } from "./components.js";
import type { MetricSources } from "./inspection/inspected-daemon.js";

/** The address of a listener that is started. */
export interface ListenerAddress {
  readonly address: string;
  readonly port: number;
}

/** A database that a face has created for an item of -d. */
export interface MadeBackend {
  readonly backend: Backend;
  /** The database without time measurement if it outlives the daemon, or null if it is empty after a start. */
  readonly outliving: (Backend & TimedDatabase) | null;
  /** Returns the path of the commands of users, if they do not use a database in memory. */
  readonly path?: () => Promise<CommandPath>;
}

/** A service that reports the daemon's figures while it starts and stops, and the name of its option. */
export interface NamedFigureServer {
  readonly name: string;
  readonly server: Service & { readonly address: ListenerAddress };
}

/** The listeners of a face. */
export interface OpenedFace {
  /** The listeners by the names of their options, in the order in which they are started. */
  readonly listeners: ReadonlyMap<string, DaemonListener>;
  readonly figures: Partial<LiveFigures>;
  /**
   * Checks the values that the face needs from new settings.
   * @returns a function that applies the values
   * @throws StartError  a value cannot be used
   */
  readonly reload?: (settings: Settings) => () => void;
  /** Logs the addresses after the start. */
  logAddresses(): void;
}

/**
 * A face or tool of the daemon: what it adds to the options, the listeners, the databases and the metrics. All members
 * are optional.
 */
export interface Face extends FaceFamilies, FaceOptions {
  /** The protocols of its clients, by which they are recognized on a wrong port. */
  readonly speaks?: ProtocolGroup;
  /** The tasks that its threads run, by their names: see `StartThread`. */
  readonly tasks?: ThreadTasks;
  /** Checks the files that the face would read at the start, for --check-config. @throws StartError */
  readonly checkFiles?: (settings: Settings) => Promise<void>;
  /** Imports the face's metrics, by their names. The file metrics.ts adds the face's figures to `FaceFigures`. */
  readonly metrics?: () => Promise<MetricTable<MetricSources>>;
  /**
   * Creates the server of the figures, which is started first and stopped last; null without its option.
   * @param faces  all faces of this build
   */
  readonly openFigureServer?: (
    options: DaemonOptions,
    figures: LiveFigures,
    faces: readonly Face[],
  ) => Promise<NamedFigureServer | null>;
  /** Creates the database that an item of -d names, or returns null if it belongs to another face. */
  readonly makeBackend?: (
    specification: BackendSpecification,
    options: DaemonOptions,
  ) => Promise<MadeBackend | null>;
  /** Creates the owner of the recorded writes, or returns null if this face does not record them. */
  readonly openReplica?: (context: ReplicaContext) => Promise<Replica | null>;
  /** Creates the service that mirrors the recorded writes, or returns null. @param current  returns the settings */
  readonly openMirror?: (
    options: DaemonOptions,
    replica: Replica,
    current: () => Settings,
  ) => Promise<Service | null>;
  /**
   * Creates the listeners, without starting them; null if no option needs them.
   * @param service  the service of the main port
   * @param faces    all faces of this build
   * @throws StartError
   */
  readonly open?: (core: Core, service: DbsyncService, faces: readonly Face[]) => Promise<OpenedFace | null>;
}

/** What the program contains in addition to the core. The program passes it to the daemon. */
export interface Build {
  /** All faces and tools. */
  readonly faces: readonly Face[];
  readonly startThread: StartThread;
}

/** The options of a daemon, and its faces. */
export type BuildOptions = DaemonOptions & Build;

/** Returns the first result of the faces that is not null, or null. */
export async function firstOf<Result>(
  faces: readonly Face[],
  request: (face: Face) => Promise<Result | null> | undefined,
): Promise<Result | null> {
  for (const face of faces) {
    const result = await request(face);
    if (result !== undefined && result !== null) return result;
  }
  return null;
}

/** Returns the error for an option whose face this build does not contain. @param option  as the user wrote it */
export function missingFace(option: string): StartError {
  return new StartError(
    `${option} cannot be used, because this build of dbsyncd does not contain its code. Leave it out, or install a complete build.`,
    2,
  );
}
