/** Creates and registers the components of a daemon, in the order in which they will be started. Starts nothing. */
import type { Logger } from "pino";
import type { ByteString } from "../../protocol/byte-string.js";
import { acceptsWrites, DAEMON_STATES } from "../../protocol/daemon-states.js";
import { hexOf } from "../../protocol/version-2/envelope.js";
import type { RecordedWrites } from "../cluster/node/recorded-writes.js";
import type { NamedDaemon } from "../cluster/peers/shared/named-daemon.js";
import type { ReplicaContext } from "../cluster/replica/replica-context.js";
import type { Backend } from "../engine/backends/backend.js";
import { Channels } from "../engine/channels/channels.js";
import { type MemoryLimit, makeMemoryLimit, workingMemoryLimits } from "../engine/memory/memory-limit.js";
import { Databases } from "../engine/pipeline/databases.js";
import { Pipeline } from "../engine/pipeline/pipeline.js";
import { Broadcasts } from "../engine/pipeline/publish-messages.js";
import { Unrecorded } from "../engine/pipeline/recording-interface.js";
import type { SeenLimits } from "../engine/pipeline/seen-envelopes.js";
import { StartFloor } from "../engine/pipeline/start-floor.js";
import { hashOf, type Identity, makeIdentity } from "../engine/trust/identity.js";
import type { Signers } from "../engine/trust/signers.js";
import { DbsyncListener } from "../listener/dbsync-dialect.js";
import { type DbsyncService, EventSources, type WatchedDatabase } from "../listener/dbsync-server.js";
import { ByteBudget } from "../net/connections/connection-registry.js";
import { knowProtocols } from "../net/connections/foreign-client.js";
import type { BackendSpecification } from "../options/database-list.js";
import { USAGE_KIND_DEFAULT, usageKindOf } from "../options/eviction-policy.js";
import { readLimitsOf } from "../options/limits.js";
import { bindAddressOf } from "../options/reachable-addresses.js";
import {
  hasTimeline,
  isOwnMemory,
  isSigned,
  mirrorOf,
  type Settings,
  tlsFilesOf,
} from "../options/settings.js";
import { hasUserListener } from "../options/settings-rules.js";
import { installFamilies } from "../store/family-code.js";
import { type Components, type Core, type DaemonOptions, unsignedConditionOf } from "./components.js";
import {
  type Build,
  type BuildOptions,
  firstOf,
  type MadeBackend,
  missingFace,
  type NamedFigureServer,
  type OpenedFace,
} from "./face.js";
import type { BackendHealth, CountedKeys } from "./inspection/inspected-daemon.js";
import { Inspection } from "./inspection/inspection.js";
import type { Metrics } from "./inspection/metrics.js";
import { StateLog } from "./state-log.js";

export interface Wired {
  /** The daemon's id, 32 bytes. */
  readonly id: ByteString;
  readonly listener: DbsyncListener;
  readonly pipeline: Pipeline;
  /** The faces that have listeners. */
  readonly opened: readonly OpenedFace[];
  /** The server of the figures, or null if there is none. */
  readonly figureServer: NamedFigureServer | null;
  readonly stateLog: StateLog;
  /** Returns the pin of the certificate in use, such as "#sha256:81f0…", or "" without TLS. */
  readonly pin: () => string;
}

/** Creates all components. Reads all files that may be invalid before it opens anything. @throws StartError */
export async function wire(options: BuildOptions, components: Components): Promise<Wired> {
  const { settings, environment, log, faces } = options;
  const { figures } = components;
  const { metrics: observer, slowLog } = figures;
  const { limits, window } = settings;
  installFamilies(faces);
  knowProtocols(faces.flatMap(({ speaks }) => speaks ?? []));
  const signers = await signersOf(options);
  const address = await bindAddressOf(settings);
  const { gate, pin } = await addGate(options, components);
  const figureServer = await addFigureServer(options, components);

  const isRecorded = signers !== null && hasTimeline(settings);
  const made = isRecorded
    ? []
    : await addBackends(options, figureServer === null ? null : observer, components);
  const floor = addFloor(options, signers === null ? [] : made, components);
  const channels = new Channels();
  const broadcasts = new Broadcasts({ channels, window, environment, max: limits.maxRemembered });
  const identity = isRecorded ? await identityOf(options) : makeIdentity();
  const arrived: RecordedWrites["arrived"] = (entries) => pipeline.arrived(entries);
  const page: RecordedWrites["page"] = () => figureServer?.server.address ?? null;
  const named: NamedDaemon | null = await namedDaemonOf(identity.id, options, components, () => own);
  const context = { ...options, identity, arrived, page, clientTotals: () => figures.metrics.totals, named };
  const replica = isRecorded ? await addReplica({ ...context, signers }, broadcasts, components) : null;
  const backends = replica === null ? made.map(({ backend }) => backend) : [replica.backend];
  addDatabases(settings, backends, components);
  if (replica !== null) await addMirror(options, replica, components);
  const memory = addMemory(options, backends, components);

  const pipeline: Pipeline = new Pipeline({
    signers,
    memory,
    observer,
    floor,
    recording: replica?.recording ?? new Unrecorded(environment, floor),
    window,
    environment,
    log,
    // With a Redis of -d, clients subscribe to that Redis.
    broadcasts: isOwnMemory(settings) ? broadcasts : null,
    inspection: new Inspection(figures),
    databases: new Databases(backends),
    daemon: identity.id,
    hash: hashOf,
    seenLimits: boundsOf(settings),
  });
  addPipeline(options, pipeline, signers, components);
  const condition = () => figures.condition();
  const own = {
    daemon: identity.id,
    condition,
    gate,
    observer,
    slowLog,
    channels,
    replica,
    backends,
    path: made[0]?.path ?? null,
    memory,
    pipeline,
    named,
    budget: new ByteBudget(settings.limits, (isBounded) => memory.garbage.change("answers", isBounded)),
  };

  const listeners = await addListeners({ ...options, ...own }, address, components);
  const stateLog = new StateLog(condition, log);
  components.add({ service: stateLog });
  return { id: identity.id, pipeline, figureServer, stateLog, pin, ...listeners };
}

/** Adds the listeners as one component, which starts them one after the other and stops them together. */
async function addListeners(
  core: Core & Build,
  address: string,
  components: Components,
): Promise<Pick<Wired, "listener" | "opened">> {
  const { settings, pipeline, replica, faces } = core;
  const { limits } = settings;

  const service: DbsyncService = {
    ...core,
    events: isOwnMemory(settings)
      ? new EventSources(core.channels, core.backends[0] as Partial<WatchedDatabase>)
      : null,
    closeAfterAnswer: settings.close,
    takesVersion1: settings.require === "v1" && settings.v1 !== "off",
    members: replica?.takeMember ?? null,
  };

  const listener = new DbsyncListener({ ...core, address, port: settings.port, limits }, service);
  const opened: OpenedFace[] = [];
  for (const { open } of faces) {
    const face = (await open?.(core, service, faces)) ?? null;
    if (face !== null) opened.push(face);
  }

  const all = [listener, ...opened.flatMap((face) => [...face.listeners.values()])];
  components.add({
    service: {
      async start() {
        for (const one of all) await one.start();
      },
      async stop() {
        // This call refuses waiting envelopes. Otherwise the listeners would wait for them.
        pipeline.stop();
        await Promise.all(all.map((one) => one.stop()));
      },
    },
    figures: {
      id: () => hexOf(core.daemon),
      bufferedBytes: () => all.reduce((sum, { bufferedBytes }) => sum + bufferedBytes, 0),
      listeners: () => all,
    },
    reload(next) {
      const changes = opened.map((face) => face.reload?.(next));
      return () => {
        for (const apply of changes) apply?.();
        for (const one of all) one.limits = next.limits;
      };
    },
  });

  for (const { figures } of opened) components.add({ figures });
  return { listener, opened };
}

/** Returns the limits for remembered ids and answers. */
function boundsOf({ limits }: Settings): SeenLimits {
  return { max: limits.maxRemembered, maxBytes: limits.maxRememberedBytes };
}

/** Loads the keys. Returns null if there are none; the modules of keys/ are then not loaded. */
async function signersOf({ settings, log, known }: DaemonOptions): Promise<Signers | null> {
  if (!isSigned(settings)) return null;
  const { loadSigners } = await import("../engine/trust/load-signers.js");
  return loadSigners(settings, log, known);
}

/**
 * Adds the certificate.
 * @returns a function that creates a listener's gate, or null without TLS, whose modules are then not loaded; and the
 * pin
 */
async function addGate(
  { settings, environment, log }: DaemonOptions,
  components: Components,
): Promise<Pick<Core, "gate"> & Pick<Wired, "pin">> {
  const files = tlsFilesOf(settings);
  if (files === null) return { gate: null, pin: () => "" };
  const [{ TlsCertificate, CHECK_EVERY_MS }, { TlsGate }] = await Promise.all([
    import("../engine/trust/tls-certificate.js"),
    import("../net/connections/tls-gate.js"),
  ]);
  const certificate = new TlsCertificate({ files, checkEvery: CHECK_EVERY_MS, environment, log });
  components.add({ service: certificate, reload: (next) => certificate.reload(tlsFilesOf(next) ?? files) });
  return { gate: (refusals) => new TlsGate(certificate, refusals), pin: () => certificate.pin };
}

/**
 * Adds the server of the figures as the first component, which is stopped last: it can then report starting and
 * stopping.
 */
async function addFigureServer(
  options: BuildOptions,
  components: Components,
): Promise<NamedFigureServer | null> {
  const { faces } = options;
  const opened = await firstOf(faces, ({ openFigureServer }) =>
    openFigureServer?.(options, components.figures, faces),
  );
  if (opened !== null) components.add({ service: opened.server });
  return opened;
}

/** Returns the daemon's identity, which is stored in the data folder if there is one. */
async function identityOf({ settings: { data }, log }: DaemonOptions): Promise<Identity> {
  if (data === null) return makeIdentity();
  const { openDataFolder } = await import("../engine/trust/data-folder.js");
  return openDataFolder(data, (sentence) => log.warn(sentence));
}

/**
 * Returns the choice of the daemon that sentinels name, or null if no Redis client can use this daemon.
 * @param core  returns what determines the daemon's state for clients that do not sign
 */
async function namedDaemonOf(
  id: ByteString,
  { settings, environment: { uptime, clock } }: DaemonOptions,
  { figures }: Components,
  core: () => Parameters<typeof unsignedConditionOf>[0],
): Promise<NamedDaemon | null> {
  if (!hasTimeline(settings) && !hasUserListener(settings)) return null;
  const { NamedDaemon } = await import("../cluster/peers/shared/named-daemon.js");
  return new NamedDaemon({
    id,
    uptime,
    startedAt: clock(),
    hasPeers: () => figures.settings().peers.length > 0,
    downAfterMs: () => figures.settings().limits.sentinelDownAfter,
    own() {
      const service = figures.service();
      if (service === null) return null;
      const { state } = unsignedConditionOf(core());
      return { ...service, acceptsWrites: acceptsWrites(state) && DAEMON_STATES[state].isHealthy };
    },
  });
}

async function addReplica(
  context: ReplicaContext & Build,
  broadcasts: Broadcasts,
  components: Components,
): Promise<RecordedWrites> {
  const replica = await openReplica(context, broadcasts);
  components.add({
    service: replica,
    figures: {
      replica: () => replica.figures,
      order: () => replica.order ?? null,
      watchRecorded: (watcher) => {
        replica.watcher = watcher;
      },
    },
    reload: (next) => replica.reread(next),
  });
  return replica;
}

async function openReplica(context: ReplicaContext & Build, broadcasts: Broadcasts): Promise<RecordedWrites> {
  const recorder = await firstOf(context.faces, ({ openRecorder }) => openRecorder?.(context));
  if (recorder !== null) return recorder;
  if (context.settings.order !== null) throw missingFace("--order");
  const { openNode } = await import("../cluster/node/cluster-node.js");
  return await openNode(context, broadcasts);
}

/** Adds the figures and the reload of the databases. */
function addDatabases(settings: Settings, backends: readonly Backend[], components: Components): void {
  const keys = isOwnMemory(settings) ? (backends[0] as Backend & CountedKeys) : null;
  components.add({
    figures: { keys: () => keys, backends: () => backends.map(healthOf) },
    reload:
      ({ limits }) =>
      () => {
        for (const backend of backends) backend.timeout = limits.backendTimeout;
      },
  });
}

async function addBackends(
  options: BuildOptions,
  metrics: Metrics | null,
  components: Components,
): Promise<MadeBackend[]> {
  const made = await Promise.all(options.settings.database.map((one) => makeBackend(one, options, metrics)));
  for (const { backend } of made) components.add({ service: backend });
  return made;
}

async function addMirror(
  options: BuildOptions,
  replica: RecordedWrites,
  components: Components,
): Promise<void> {
  const { settings } = components.figures;
  const mirror = await firstOf(options.faces, ({ openMirror }) => openMirror?.(options, replica, settings));
  if (mirror !== null) components.add({ service: mirror });
  else if (mirrorOf(options.settings) !== null) throw missingFace("-d redis");
}

/**
 * Adds the floor, the date before which envelopes may have been applied by an earlier process of the daemon. A database
 * that is empty at the start needs no floor.
 * @param made  the backends; empty without signatures, because the floor protects against replayed envelopes
 */
function addFloor(
  { settings, environment, log }: DaemonOptions,
  made: readonly MadeBackend[],
  components: Components,
): StartFloor {
  const databases = made.flatMap(({ outliving }) => outliving ?? []);
  const future = databases.length === 0 ? 0 : settings.window.future;
  const floor = new StartFloor({ databases, future, environment, log });
  components.add({ service: floor });
  return floor;
}

function addMemory(
  { settings, environment, log }: DaemonOptions,
  backends: readonly Backend[],
  components: Components,
): MemoryLimit {
  const memory = makeMemoryLimit(settings, backends, environment, log);
  components.add({
    service: memory,
    figures: {
      memory: () => ({ used: memory.used, limit: memory.bytes }),
      workingMemory: () => memory.working.figures,
      eviction: () => ({ policy: memory.policy, evicted: memory.evicted }),
    },
    reload:
      ({ limits }) =>
      () => {
        memory.bytes = limits.maxmemory;
        memory.working.limits = workingMemoryLimits(limits);
      },
  });
  return memory;
}

function addPipeline(
  { settings, log }: DaemonOptions,
  pipeline: Pipeline,
  signers: Signers | null,
  components: Components,
): void {
  let current = signers;
  components.add({
    figures: {
      cluster: () => hexOf(current?.cluster ?? ""),
      ring: () => current?.ring ?? null,
      members: () => pipeline.recording.members,
      recordingCondition: () => pipeline.recording,
    },
    async reload(next) {
      const loaded = current === null ? null : await signersAgain(current, settings, next, log);
      return () => {
        current = loaded;
        pipeline.signers = loaded;
        pipeline.seen.limits = boundsOf(next);
      };
    },
  });
}

async function signersAgain(
  before: Signers,
  started: Settings,
  next: Settings,
  log: Logger,
): Promise<Signers> {
  const { loadSignersAgain } = await import("../engine/trust/load-signers.js");
  const { clusterName } = started;
  return loadSignersAgain(before, { ...next, clusterName, hasTimeline: hasTimeline(started) }, log);
}

const healthOf = ({ name, up, server }: Backend): BackendHealth => ({
  name,
  up,
  ...(server === undefined ? {} : { server }),
});

/**
 * Creates the backend that -d names, and loads only its modules.
 * @param metrics  count the answers of databases that outlive the daemon, or null to count none
 */
async function makeBackend(
  specification: BackendSpecification,
  options: BuildOptions,
  metrics: Metrics | null,
): Promise<MadeBackend> {
  if (specification.kind === "memory") return await makeMemory(options);
  const made = await firstOf(options.faces, ({ makeBackend }) => makeBackend?.(specification, options));
  if (made === null) throw missingFace(`-d ${specification.kind}`);
  if (metrics === null || made.outliving === null) return made;
  const { TimedBackend } = await import("./timed-backend.js");
  return { ...made, backend: new TimedBackend(made.backend, metrics, options.environment) };
}

async function makeMemory({ settings, environment }: DaemonOptions): Promise<MadeBackend> {
  const { MemoryBackend } = await import("../engine/backends/memory-backend.js");
  // A daemon without keys need not reach the same state as other daemons. Expired keys are therefore removed
  // immediately, whatever the dates of envelopes are.
  const past = isSigned(settings) ? settings.window.past : 0;
  const usage = usageKindOf(settings.maxmemoryPolicy) ?? USAGE_KIND_DEFAULT;
  const backend = new MemoryBackend(environment, past, usage);
  backend.database.unitStepsMax = settings.limits.maxUnitSteps;
  backend.database.readLimits = readLimitsOf(settings.limits);
  return { backend, outliving: null };
}
