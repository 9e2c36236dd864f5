/** A pipeline with a database in memory and a clock that the test sets, without sockets. */
import "../../support/installed-families.js";
import { pino } from "pino";
import type { EnvelopeAnswer } from "../../../daemon/engine/answers/request.js";
import { MemoryBackend } from "../../../daemon/engine/backends/memory-backend.js";
import { Databases } from "../../../daemon/engine/pipeline/databases.js";
import { Pipeline } from "../../../daemon/engine/pipeline/pipeline.js";
import { NO_OBSERVER, type PipelineParts } from "../../../daemon/engine/pipeline/pipeline-parts.js";
import { Unrecorded } from "../../../daemon/engine/pipeline/recording-interface.js";
import { hashOf, makeIdentity } from "../../../daemon/engine/trust/identity.js";
import { loadSigners } from "../../../daemon/engine/trust/load-signers.js";
import { type Environment, realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import { DATE_WINDOW_DEFAULT } from "../../../daemon/options/timeline-values.js";
import type { Unit } from "../../../daemon/store/keyspace/unit.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { EnvelopeHeader } from "../../../protocol/version-2/envelope.js";
import { type KeyPair, type SignedEnvelope, signCommands } from "../../support/envelope-client.js";
import { UNBOUNDED } from "../../support/unbounded-memory.js";

/** A size that exceeds every answer of the tests, in bytes. */
const ROOM = 2 ** 20;

export const log = pino({ level: "silent" });

export interface Clock {
  now: number;
}

export interface SceneOptions {
  readonly clock: Clock;
  readonly pair: KeyPair;
  readonly root?: KeyPair;
  readonly clusterName?: string;
  readonly parts?: Partial<PipelineParts>;
}

export interface Scene {
  readonly pipeline: Pipeline;
  readonly cluster: ByteString;
  readonly daemon: ByteString;
  readonly environment: Environment;
  take(envelope: SignedEnvelope): EnvelopeAnswer | Promise<EnvelopeAnswer>;
  /** Returns the outcome of an envelope: "result", or the code of a refusal. */
  codeOf(envelope: SignedEnvelope): string;
  sign(commands: readonly (readonly ByteString[])[], header?: Partial<EnvelopeHeader>): SignedEnvelope;
  /** Reads a key directly from the database. */
  get(key: ByteString): ByteString | null;
}

/** Creates the scene. */
export function makeScene({ clock, pair, root, clusterName = "dbsync", parts = {} }: SceneOptions): Scene {
  const environment = { ...realEnvironment, clock: () => clock.now, uptime: () => clock.now };
  const keys = { signKey: [pair.file], rootKey: root === undefined ? [] : [root.file], clusterName };
  const signers = loadSigners(keys, log);
  const backend = new MemoryBackend(environment);
  const daemon = makeIdentity().id;
  const floor = parts.floor ?? { date: clock.now, pending: null };

  const pipeline = new Pipeline({
    memory: UNBOUNDED,
    signers,
    environment,
    log,
    daemon,
    hash: hashOf,
    observer: NO_OBSERVER,
    window: DATE_WINDOW_DEFAULT,
    databases: new Databases([backend]),
    seenLimits: { max: 1_000_000, maxBytes: 1 << 30 },
    floor,
    recording: new Unrecorded(environment, floor),
    ...parts,
  });

  const take = ({ body, signature }: SignedEnvelope) =>
    pipeline.handleEnvelope({ kind: "command", body, signature }, ROOM);
  const reader: Unit = { at: Number.MAX_SAFE_INTEGER, db: 0, id: "reader" };
  return {
    pipeline,
    cluster: signers.cluster,
    daemon,
    environment,
    take,
    codeOf(envelope) {
      const answer = take(envelope);
      if (answer instanceof Promise) return "waiting";
      return answer.kind === "result" ? "result" : answer.code;
    },
    sign: (commands, header = {}) =>
      signCommands(pair, commands, { cluster: signers.cluster, at: clock.now, ...header }),
    get(key) {
      const reply = backend.execute(["GET", key], reader);
      return !(reply instanceof Promise) && reply.kind === "bulk" ? reply.bytes : null;
    },
  };
}
