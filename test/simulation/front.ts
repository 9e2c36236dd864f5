/** What stands between clients and a simulated daemon's timeline: the daemon's own pipeline, with signatures that cost a hash. */
import type { Logger } from "pino";
import { ListCommands } from "../../cluster/members/list-commands.js";
import type { MemberLists } from "../../cluster/members/member-lists.js";
import type { Peering } from "../../cluster/peers/peering.js";
import { Confirmations } from "../../cluster/replica/confirmations.js";
import { Gateway } from "../../cluster/replica/gateway.js";
import { RecordedPath } from "../../cluster/replica/recorded-path.js";
import { Recorder } from "../../cluster/replica/recorder.js";
import { TimelineBackend } from "../../cluster/replica/timeline-backend.js";
import { TimelineRecording } from "../../cluster/replica/timeline-recording.js";
import type { EnvelopeAnswer } from "../../engine/answers/request.js";
import { LocalUnits } from "../../engine/backends/local-units.js";
import { Newest } from "../../engine/backends/newest.js";
import { UNBOUNDED } from "../../engine/memory/memory-limit.js";
import { Databases } from "../../engine/pipeline/databases.js";
import { NOBODY } from "../../engine/pipeline/observer.js";
import { Pipeline } from "../../engine/pipeline/pipeline.js";
import type { SignersFace } from "../../engine/trust/signers.js";
import type { Environment } from "../../net/process/environment.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { signedBytes } from "../../protocol/version-2/envelope.js";
import type { Wait } from "../../protocol/version-2/messages-v2.js";
import type { Entry } from "../../timeline/entries/entry.js";
import type { Timeline } from "../../timeline/timeline.js";
import { isSignedBy, type SimulatedIdentity, sha256 } from "./cast.js";

export interface FrontParts {
  readonly timeline: Timeline;
  readonly peering: Peering;
  /** null: this daemon knows of none. */
  readonly lists: MemberLists | null;
  readonly identity: SimulatedIdentity;
  readonly cluster: ByteString;
  readonly environment: Environment;
  readonly log: unknown;
  readonly window: { readonly past: number; readonly future: number };
  /** Envelopes whose answers are remembered. */
  readonly remembered: number;
  readonly soon: (step: () => void) => void;
  /** When the disk has all that was put. */
  readonly flushed: () => Promise<void>;
  /** Told in the step in which an entry is taken first-hand. */
  readonly taken: (entry: Entry) => void;
  /** An entry that the daemon itself has signed. @param flushed  when it is acknowledged */
  readonly signed: (entry: Entry, flushed: Promise<void>) => void;
}

export interface Front {
  readonly pipeline: Pipeline;
  readonly gateway: Gateway;
  readonly recorder: Recorder;
  /** Of commands without a signature. */
  readonly path: RecordedPath;
  take(body: Buffer, signature: Buffer, wait?: Wait): EnvelopeAnswer | Promise<EnvelopeAnswer>;
}

/** Bytes that the answers of an envelope may have. */
const ROOM = 1 << 20;

export function makeFront(parts: FrontParts): Front {
  const { timeline, peering, lists, identity, cluster, environment, window, remembered, soon } = parts;
  const { taken, signed, flushed } = parts;
  const log = parts.log as Logger;
  const watched: Pick<Timeline, "take"> = {
    take: (entry) => {
      const taking = timeline.take(entry);
      if (taking.kind === "taken") taken(entry);
      return taking;
    },
  };
  const recorder = new Recorder({
    timeline: facing(timeline, watched),
    peers: peering,
    log,
    environment,
    flushed,
    soon,
    past: window.past,
    id: identity.id,
    ...(lists === null ? {} : { lists }),
  });
  const backend = new TimelineBackend(timeline, environment);
  const confirmations = new Confirmations({ peers: peering, timeline, environment });
  const gateway = new Gateway({
    identity,
    cluster,
    environment,
    soon,
    log,
    confirmations,
    recorder: facing(recorder, {
      record: (entry: Entry) => {
        const recorded = recorder.record(entry);
        if (!("kind" in recorded)) signed(entry, recorded.flushed);
        return recorded;
      },
    }),
    changes: backend.changes,
    watermark: () => timeline.watermark,
    future: window.future,
    give: (entry) => peering.giveAtOnce(entry),
  });
  const signers = signersOf(timeline, cluster);
  const pipeline = new Pipeline({
    memory: UNBOUNDED,
    signers,
    environment,
    log,
    window,
    databases: new Databases([backend]),
    observer: NOBODY,
    daemon: identity.id,
    hash: (...pieces) => sha256(Buffer.concat(pieces)),
    remembered: { most: remembered, mostBytes: 100_000 },
    floor: { date: environment.clock(), pending: null },
    recording: new TimelineRecording({
      recorder,
      confirmations,
      gateway,
      environment,
      ...(lists === null ? {} : { lists: listCommands(lists, { ...parts, recorder, signers }) }),
    }),
  });
  return {
    pipeline,
    gateway,
    recorder,
    path: new RecordedPath({
      backend,
      gateway,
      others: () => null,
      // It takes nothing of what is random in a run: those without scripts are what they were.
      units: new LocalUnits({ ...environment, randomBytes: (count) => "\0".repeat(count) }, new Newest()),
    }),
    take: (body, signature, wait) => pipeline.take({ kind: "command", body, signature, wait }, ROOM),
  };
}

function listCommands(
  lists: MemberLists,
  { identity, peering, recorder, signers }: FrontParts & { recorder: Recorder; signers: SignersFace },
): ListCommands {
  return new ListCommands({
    lists,
    own: identity.id,
    signers,
    state: () => recorder.shownState,
    stable: () => peering.stablePoint,
    peers: () => peering.members,
    spkiOf: (id) => peering.spkiOf(id),
    introduction: () => null,
  });
}

/** The daemon's own way to know who signed, with cheap signatures. */
export function signersOf(timeline: Pick<Timeline, "ring">, cluster: ByteString): SignersFace {
  return {
    get ring() {
      return timeline.ring;
    },
    cluster,
    ofCommand: () => undefined,
    verify: ({ spki }, { body, signature }) => isSignedBy(spki, signedBytes(body), signature),
  };
}

/** An object with some of its methods replaced; the others work on the object itself, which has private fields. */
function facing<T extends object>(object: T, own: Partial<T>): T {
  return new Proxy(object, {
    get(target, name) {
      const value: unknown = Reflect.get(name in own ? own : target, name, name in own ? own : target);
      return typeof value === "function" ? value.bind(name in own ? own : target) : value;
    },
  });
}
