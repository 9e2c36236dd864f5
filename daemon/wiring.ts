/** Makes a daemon's parts and puts them together; the only file that knows every one of them. Nothing is started here. */
import type { Logger } from "pino";
import type { KeptWrites } from "../cluster/node/kept-writes.js";
import type { Backend } from "../engine/backends/backend.js";
import { Channels } from "../engine/channels/channels.js";
import { type KeyChanges, KeyWatchers } from "../engine/channels/key-watchers.js";
import { makeMemoryLimit } from "../engine/memory/daemon-memory.js";
import type { MemoryLimit } from "../engine/memory/memory-limit.js";
import type { Mirror } from "../engine/mirror/mirror.js";
import { Broadcasts } from "../engine/pipeline/broadcasts.js";
import { Databases } from "../engine/pipeline/databases.js";
import { Pipeline } from "../engine/pipeline/pipeline.js";
import { Unrecorded } from "../engine/pipeline/recording.js";
import type { SeenBounds } from "../engine/pipeline/seen.js";
import { StartFloor } from "../engine/pipeline/start-floor.js";
import { SlowLog } from "../engine/slow-log/slow-log.js";
import { hashOf, type Identity, makeIdentity } from "../engine/trust/identity.js";
import type { Signers } from "../engine/trust/signers.js";
import type { TlsCertificate } from "../engine/trust/tls.js";
import { DbsyncListener, type DbsyncParts } from "../listeners/dbsync/listener.js";
import type { LiveHost } from "../listeners/dbsync/live-session.js";
import type { WsListener, WsParts } from "../listeners/ws/listener.js";
import type { AdminServer } from "../net/admin/server.js";
import type { Environment } from "../net/process/environment.js";
import { loadWith } from "../net/process/optional-package.js";
import { bindAddressOf } from "../options/reach.js";
import {
  hasTimeline,
  hasUserListener,
  isOwnMemory,
  isSigned,
  type Settings,
  tlsFilesOf,
} from "../options/settings.js";
import type { ByteString } from "../protocol/byte-string.js";
import { hexOf } from "../protocol/version-2/envelope.js";
import type { Semantics } from "../store/semantics.js";
import type { CountedKeys } from "./admin/counted-keys.js";
import type { Health } from "./admin/health.js";
import { Metrics } from "./admin/metrics.js";
import type { InspectedKeys } from "./inspection/inspected-daemon.js";
import { Inspection } from "./inspection/inspection.js";
import { type MadeBackend, makeBackend } from "./make-backend.js";
import { makeMirror } from "./make-mirror.js";
import type { UserListeners, UserListenersParts } from "./user-listeners.js";

export interface WiringParts {
  readonly settings: Settings;
  /** As they are by now. */
  readonly current: () => Settings;
  readonly environment: Environment;
  readonly log: Logger;
  /** What commands mean, by number; default: what this release knows. */
  readonly known?: Semantics | undefined;
  /** Stops the whole process, as SHUTDOWN asks; null: nobody may ask. */
  readonly shutDown: (() => void) | null;
  /** What --admin tells. */
  readonly health: () => Health;
}

export interface Wired {
  readonly identity: Identity;
  /** null: unsigned commands. */
  readonly signers: Signers | null;
  /** null: no TLS. */
  readonly certificate: TlsCertificate | null;
  readonly backends: readonly Backend[];
  readonly floor: StartFloor;
  /** null: nothing is recorded. */
  readonly replica: KeptWrites | null;
  /** null: no Redis follows it. */
  readonly mirror: Mirror | null;
  readonly memory: MemoryLimit;
  readonly pipeline: Pipeline;
  readonly listener: DbsyncListener;
  /** null: browsers are not served. */
  readonly ws: WsListener | null;
  /** null: there are none. */
  readonly userListeners: UserListeners | null;
  /** null: nobody asks for it. */
  readonly admin: AdminServer | null;
}

/** Parts that are asked by parts which are made before them. */
type Late = {
  -readonly [Name in "pipeline" | "listener" | "ws" | "userListeners" | "replica" | "memory"]:
    | Wired[Name]
    | null;
} & { keys: CountedKeys | null };

const emptyLate = (): Late => ({
  pipeline: null,
  listener: null,
  ws: null,
  userListeners: null,
  replica: null,
  memory: null,
  keys: null,
});

/** @throws StartError  what can be wrong is read before anything is opened */
export async function wire(parts: WiringParts): Promise<Wired> {
  const { settings, environment, log } = parts;
  const own = { environment, log };
  const { limits, window } = settings;
  const late = emptyLate();
  const signers = await signersOf(parts);
  const address = await bindAddressOf(settings);
  const { gate, certificate } = await makeGate(parts);
  const observer = new Metrics();
  const slowLog = new SlowLog();
  const admin = await makeAdmin(parts, observer, late);
  const channels = new Channels();
  const broadcasts = new Broadcasts({ channels, window, environment, most: limits.maxRemembered });
  const page = () => admin?.address ?? null;
  const { replica, identity } = await openReplica(parts, { signers, broadcasts, page }, late);
  const { backends, outliving } = await makeBackends(parts, replica, admin === null ? null : observer);
  const mirror = await makeMirror(parts, replica, { identity, signers });
  const memory = makeMemoryLimit({ settings, backends, ...own });
  const floor = makeFloor(parts, signers === null ? [] : outliving);
  const recording = replica?.recording ?? new Unrecorded({ environment, floor });
  const pipeline = new Pipeline({
    signers,
    memory,
    observer,
    floor,
    recording,
    window,
    ...own,
    // A Redis behind the daemon has subscribers of its own.
    broadcasts: isOwnMemory(settings) ? broadcasts : null,
    inspection: inspectionOf(parts, { observer, slowLog, id: identity.id, backends }, late),
    databases: new Databases(backends),
    daemon: identity.id,
    hash: hashOf,
    remembered: boundsOf(settings),
  });
  late.keys = isOwnMemory(settings) ? (backends[0] as Backend & CountedKeys) : null;
  const { listener, ws, userListeners } = await makeListeners(parts, {
    address,
    gate,
    observer,
    slowLog,
    channels,
    replica,
    backends,
    memory,
    pipeline,
    daemon: identity.id,
  });
  Object.assign(late, { pipeline, listener, ws, userListeners, replica, memory });
  return {
    identity,
    signers,
    certificate,
    backends,
    floor,
    replica,
    mirror,
    memory,
    pipeline,
    listener,
    ws,
    userListeners,
    admin,
  };
}

/** What listeners share. */
interface Served {
  /** Resolved before anything is opened: it can be wrong. */
  readonly address: DbsyncParts["address"];
  readonly gate: DbsyncParts["gate"];
  readonly observer: Metrics;
  readonly slowLog: SlowLog;
  readonly channels: Channels;
  readonly replica: KeptWrites | null;
  readonly backends: readonly Backend[];
  readonly memory: MemoryLimit;
  readonly pipeline: Pipeline;
  /** Id. */
  readonly daemon: ByteString;
}

async function makeListeners(
  { settings, environment, log, shutDown }: WiringParts,
  { address, gate, observer, slowLog, channels, replica, backends, memory, pipeline, daemon }: Served,
): Promise<Pick<Wired, "listener" | "ws" | "userListeners">> {
  const telling = (replica?.backend ?? backends[0]) as Partial<TellingBackend> | undefined;
  const live = isOwnMemory(settings) ? liveHostOf(channels, telling) : null;
  const common = { gate, observer, slowLog, pipeline, environment, log };
  const listener = new DbsyncListener({
    ...common,
    live,
    daemon,
    address,
    port: settings.port,
    limits: settings.limits,
    closeAfterAnswer: settings.close,
    takesVersion1: settings.require === "v1" && settings.v1 !== "off",
    members: replica?.takeMember ?? null,
  });
  const ws = await makeWsListener(settings, { ...common, live, daemon, limits: settings.limits });
  const userListeners = await openUserListeners({
    ...common,
    settings,
    memory,
    backends,
    replica,
    channels,
    shutDown,
  });
  return { listener, ws, userListeners };
}

/** Of ids and answers that are remembered. */
export function boundsOf({ limits }: Settings): SeenBounds {
  return { most: limits.maxRemembered, mostBytes: limits.maxRememberedBytes };
}

/** What clients of version 2 may ask to be told of. */
function liveHostOf(channels: Channels, backend: Partial<TellingBackend> = {}): LiveHost {
  const { changes } = backend;
  const keys = changes === undefined ? null : new KeyWatchers(changes);
  return { channels, keys, exists: (db, key) => (backend.writerOf?.(db, key) ?? "") !== "" };
}

/** A database in memory. */
interface TellingBackend {
  readonly changes: KeyChanges;
  /** Empty: the key is absent. */
  writerOf(db: number, key: ByteString): ByteString;
}

/** The modules of keys/ and the key ring are loaded only if there are keys. */
async function signersOf({ settings, log, known }: WiringParts): Promise<Signers | null> {
  if (!isSigned(settings)) return null;
  const { loadSigners } = await import("../engine/trust/load-signers.js");
  return loadSigners(settings, log, known);
}

/** How listeners come to their gates; null: no TLS, and none of its modules is loaded. */
async function makeGate({
  settings,
  environment,
  log,
}: WiringParts): Promise<{ gate: DbsyncParts["gate"]; certificate: TlsCertificate | null }> {
  const files = tlsFilesOf(settings);
  if (files === null) return { gate: null, certificate: null };
  const [{ TlsCertificate, LOOK_EVERY_MS }, { TlsGate }] = await Promise.all([
    import("../engine/trust/tls.js"),
    import("../net/connections/tls-gate.js"),
  ]);
  const certificate = new TlsCertificate({ files, lookEvery: LOOK_EVERY_MS, environment, log });
  return { gate: (refusals) => new TlsGate({ certificate, refusals }), certificate };
}

async function makeAdmin(
  { settings, environment, log, health }: WiringParts,
  metrics: Metrics,
  late: Late,
): Promise<AdminServer | null> {
  const { admin: place, adminHosts: hosts } = settings;
  if (place === null) return null;
  const { makeAdmin: make } = await import("./admin/admin.js");
  const sources = {
    metrics,
    health,
    bufferedBytes: () =>
      [late.listener, late.ws, late.userListeners].reduce((sum, one) => sum + (one?.bufferedBytes ?? 0), 0),
    replica: () => late.replica?.figures ?? null,
    order: () => late.replica?.order ?? null,
    jsonReplicas: () => late.userListeners?.jsonReplicas ?? null,
    keys: () => late.keys,
    families: () => late.userListeners?.families ?? null,
    memory: () => ({ used: late.memory?.used ?? 0, limit: late.memory?.bytes ?? 0 }),
    ring: () => late.pipeline?.signers?.ring ?? null,
    watchRecorded: (watcher: KeptWrites["watcher"]) => {
      if (late.replica !== null) late.replica.watcher = watcher;
    },
    ws: () => {
      const port = late.ws?.address.port ?? 0;
      return port === 0 ? null : { port, isSecure: tlsFilesOf(settings) !== null };
    },
    folder: settings.data,
    clock: environment.clock,
  };
  return make({ place, hosts, sources, log });
}

/** What administrators may ask in signed envelopes. */
function inspectionOf(
  { settings, current, environment, health }: WiringParts,
  own: {
    readonly observer: Metrics;
    readonly slowLog: SlowLog;
    readonly id: ByteString;
    readonly backends: readonly Backend[];
  },
  late: Late,
): Inspection {
  const hasOwnMemory = isOwnMemory(settings);
  return new Inspection({
    health,
    settings: current,
    uptime: environment.uptime,
    startedAt: environment.uptime(),
    metrics: own.observer,
    slowLog: own.slowLog,
    id: hexOf(own.id),
    hasOwnMemory,
    cluster: () => hexOf(late.pipeline?.signers?.cluster ?? ""),
    members: () => late.pipeline?.members ?? null,
    failure: () => late.replica?.failure ?? null,
    order: () => late.replica?.order ?? null,
    keys: hasOwnMemory ? (own.backends[0] as Backend & InspectedKeys) : null,
    get memory() {
      const { used = 0, bytes = 0, policy = "noeviction", evicted = 0 } = late.memory ?? {};
      return { used, bytes, policy, evicted };
    },
    listeners: () =>
      [late.listener, late.ws, ...(late.userListeners?.all ?? [])].filter((one) => one !== null),
  });
}

async function makeWsListener(
  { ws, wsOrigins, wsCompress }: Settings,
  parts: Omit<WsParts, "settings">,
): Promise<WsListener | null> {
  if (ws === null) return null;
  const load = () => import("../listeners/ws/listener.js");
  const { WsListener } = await loadWith("ws", "--ws", load);
  return new WsListener({ ...parts, settings: { ws, wsOrigins, wsCompress } });
}

/** With a data folder the daemon is whose folder it is. */
async function openReplica(
  { settings, environment, log }: WiringParts,
  {
    signers,
    broadcasts,
    page,
  }: { readonly signers: Signers | null; readonly broadcasts: Broadcasts; readonly page: KeptWrites["page"] },
  late: Late,
): Promise<{ replica: KeptWrites | null; identity: Identity }> {
  let identity = makeIdentity();
  if (signers === null || !hasTimeline(settings)) return { replica: null, identity };
  if (settings.data !== null) {
    const { openDataFolder } = await import("../engine/trust/data-folder.js");
    identity = openDataFolder(settings.data, (sentence) => log.warn(sentence));
  }
  const arrived = (entries: readonly { readonly id: ByteString }[]) =>
    late.pipeline?.arrived(entries.map(({ id }) => id));
  const context = { settings, identity, signers, environment, log, arrived, page };
  const { order } = settings;
  if (order !== null) {
    const load = () => import("../cluster/order/ordered-replica.js");
    const { OrderedReplica } = await loadWith("@nats-io/jetstream @nats-io/transport-node", "--order", load);
    return { replica: new OrderedReplica(context, order), identity };
  }
  const { openNode } = await import("../cluster/node/cluster-node.js");
  return { replica: await openNode(context, broadcasts), identity };
}

async function makeBackends(
  { settings, environment, log }: WiringParts,
  replica: KeptWrites | null,
  metrics: Metrics | null,
): Promise<{ backends: Backend[]; outliving: NonNullable<MadeBackend["outliving"]>[] }> {
  if (replica !== null) return { backends: [replica.backend], outliving: [] };
  const sources = { settings, metrics, environment, log };
  const made = await Promise.all(settings.database.map((one) => makeBackend(one, sources)));
  return {
    backends: made.map(({ backend }) => backend),
    outliving: made.flatMap(({ outliving }) => outliving ?? []),
  };
}

/**
 * Nothing can have been applied to an empty memory; to a Redis, by the daemon that ran before.
 * @param databases  those that outlive the process; none without signatures, as such commands cannot be replayed
 */
function makeFloor(
  { settings, environment, log }: WiringParts,
  databases: readonly NonNullable<MadeBackend["outliving"]>[],
): StartFloor {
  const future = databases.length === 0 ? 0 : settings.window.future;
  return new StartFloor({ databases, future, environment, log });
}

async function openUserListeners(parts: UserListenersParts): Promise<UserListeners | null> {
  if (!hasUserListener(parts.settings)) return null;
  return (await import("./user-listeners.js")).openUserListeners(parts);
}
