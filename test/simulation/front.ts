/** The path between clients and a simulated daemon's timeline: the real pipeline, with signatures that cost a hash. */
import type { Logger } from "pino";
import type { MemberLists } from "../../daemon/cluster/members/member-lists.js";
import type { Peering } from "../../daemon/cluster/peers/peering.js";
import type { DecidedUnits } from "../../daemon/cluster/replica/entry-recorder.js";
import { Gateway } from "../../daemon/cluster/replica/gateway.js";
import { RecordedPath } from "../../daemon/cluster/replica/recorded-command-path.js";
import { Recorder } from "../../daemon/cluster/replica/recorder.js";
import type { NodeState } from "../../daemon/cluster/replica/replica-context.js";
import { TimelineBackend } from "../../daemon/cluster/replica/timeline-backend.js";
import type { EnvelopeAnswer, RefusedEnvelope } from "../../daemon/engine/answers/request.js";
import { LocalUnits, NewestDate } from "../../daemon/engine/backends/local-units.js";
import { Databases } from "../../daemon/engine/pipeline/databases.js";
import { Pipeline } from "../../daemon/engine/pipeline/pipeline.js";
import { NO_OBSERVER } from "../../daemon/engine/pipeline/pipeline-parts.js";
import type { Signers } from "../../daemon/engine/trust/signers.js";
import type { Environment } from "../../daemon/net/process/clock-and-randomness.js";
import { ownKeyRecord } from "../../daemon/store/key-ring.js";
import type { Entry } from "../../daemon/timeline/entries/entry.js";
import type { Storage } from "../../daemon/timeline/entries/storage.js";
import type { Timeline } from "../../daemon/timeline/timeline.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { signedBytes } from "../../protocol/version-2/envelope.js";
import type { Wait } from "../../protocol/version-2/messages-v2.js";
import { double } from "../support/double.js";
import { UNBOUNDED } from "../support/unbounded-memory.js";
import type { Genesis, SimulatedIdentity } from "./cast.js";
import { isSignedBy, sha256 } from "./signatures.js";

export interface FrontParts {
  readonly timeline: Timeline;
  readonly peering: Peering;
  /** The daemon's member lists, or null if it does not use them. */
  readonly lists: MemberLists | null;
  readonly identity: SimulatedIdentity;
  readonly signers: Signers;
  readonly environment: Environment;
  readonly log: unknown;
  readonly window: { readonly past: number; readonly future: number };
  /** The number of envelopes whose answers the daemon remembers. */
  readonly remembered: number;
  readonly soon: (step: () => void) => void;
  readonly storage: Storage;
  /** Called in the step in which an entry of a client is recorded. */
  readonly accepted: (entry: Entry) => void;
  /** Called for an entry that the daemon itself has signed. @param flushed  resolves when the entry is acknowledged */
  readonly signed: (entry: Entry, flushed: Promise<void>) => void;
  /** Called for an envelope of the daemon itself on which it requests a decision. */
  readonly requested: (entry: Entry, decided: Promise<DecidedUnits | RefusedEnvelope>) => void;
}

export interface Front {
  readonly pipeline: Pipeline;
  readonly gateway: Gateway;
  readonly recorder: Recorder;
  /** The path of commands without a signature. */
  readonly path: RecordedPath;
  accept(body: Buffer, signature: Buffer, wait?: Wait): EnvelopeAnswer | Promise<EnvelopeAnswer>;
}

/** Maximum bytes of an envelope's answers. */
const ROOM = 1 << 20;

export function makeFront(parts: FrontParts): Front {
  const { timeline, peering, lists, identity, signers, environment, window, remembered, soon } = parts;
  const { accepted, signed, storage } = parts;
  const log = parts.log as Logger;
  const watched: Pick<Timeline, "accept"> = {
    accept: (entry) => {
      const result = timeline.accept(entry);
      if (result.kind === "accepted") accepted(entry);
      return result;
    },
  };

  const backend = new TimelineBackend(timeline, environment);
  const node = double<NodeState>({
    settings: { v1: "gateway", window },
    identity,
    signers,
    environment,
    log,
    storage,
    timeline: facing(timeline, watched),
    backend,
    peering,
    haveMembers: () => null,
    lists,
    soon,
  });

  const recorder = new WatchedRecorder(node, soon);
  recorder.signed = signed;
  recorder.requested = parts.requested;
  const gateway = recorder.gateway as Gateway;

  const pipeline = new Pipeline({
    memory: UNBOUNDED,
    signers,
    environment,
    log,
    window,
    databases: new Databases([backend]),
    observer: NO_OBSERVER,
    daemon: identity.id,
    hash: (...pieces) => sha256(Buffer.concat(pieces)),
    seenLimits: { max: remembered, maxBytes: 100_000 },
    floor: { date: environment.clock(), pending: null },
    recording: recorder,
  });

  return {
    pipeline,
    gateway,
    recorder,
    path: new RecordedPath(
      backend,
      gateway,
      // The random bytes are constant, so that runs without scripts draw the same random numbers as before.
      new LocalUnits({ ...environment, randomBytes: (count) => "\0".repeat(count) }, new NewestDate()),
      () => null,
    ),
    accept: (body, signature, wait) =>
      pipeline.handleEnvelope({ kind: "command", body, signature, wait }, ROOM),
  };
}

/** A recorder that reports the entries that the daemon itself has signed. */
class WatchedRecorder extends Recorder {
  signed: FrontParts["signed"] = () => {};
  requested: FrontParts["requested"] = () => {};
  readonly #own: ByteString;

  constructor(node: NodeState, defer: (step: () => void) => void) {
    super(node, Gateway, defer);
    this.#own = node.identity.id;
  }

  override record(entry: Entry): ReturnType<Recorder["record"]> {
    const recorded = super.record(entry);
    if (entry.envelope.key === this.#own && !("kind" in recorded))
      this.signed(entry, recorded.flushed ?? Promise.resolve());
    return recorded;
  }

  override decide(entry: Entry): ReturnType<Recorder["decide"]> {
    const decided = super.decide(entry);
    this.requested(entry, decided);
    return decided;
  }
}

/** Returns the real check of signers, with cheap signatures. */
export function signersOf(
  timeline: Pick<Timeline, "ring">,
  { cluster, roots }: Genesis,
  { id, spki }: SimulatedIdentity,
): Signers {
  const own = ownKeyRecord(id, spki);
  return double<Signers>({
    get ring() {
      return timeline.ring;
    },
    cluster,
    genesis: { name: "", applications: [], roots: roots.map((root) => root.id) },
    find: (key) => timeline.ring.find(key) ?? (key === id ? own : undefined),
    verifyBy: isSignedBy,
    verify: ({ spki }, { body, signature }) => isSignedBy(spki, signedBytes(body), signature),
  });
}

/** Returns an object with some methods replaced. The other methods run on the original, which has private fields. */
function facing<T extends object>(object: T, own: Partial<T>): T {
  return new Proxy(object, {
    get(target, name) {
      const value: unknown = Reflect.get(name in own ? own : target, name, name in own ? own : target);
      return typeof value === "function" ? value.bind(name in own ? own : target) : value;
    },
  });
}
