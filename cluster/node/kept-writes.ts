/**
 * What keeps a daemon's writes and has the state that they make, as the wiring and the listeners know it: a timeline of its own
 * (cluster-node.ts), or a stream that orders them (order/).
 */
import type { Socket } from "node:net";
import type { OrderFigures } from "../../engine/pipeline/order-figures.js";
import type { Recording } from "../../engine/pipeline/recording.js";
import type { Copies } from "../../engine/users/copies.js";
import type { Service } from "../../net/process/service.js";
import type { Settings } from "../../options/settings.js";
import type { Hello } from "../../protocol/version-2/messages-v2.js";
import type { Place } from "../../timeline/entries/entry.js";
import type { Timeline } from "../../timeline/timeline.js";
import type { History } from "../history/history.js";
import type { ReplicaFigures } from "../history/replica-figures.js";
import type { Gateway } from "../replica/gateway.js";
import type { TimelineBackend } from "../replica/timeline-backend.js";

export interface MirroredTimeline {
  readonly timeline: Timeline;
  readonly backend: TimelineBackend;
  readonly history: History;
}

export interface KeptWrites extends Service {
  readonly backend: TimelineBackend;
  /** For the pipeline. */
  readonly recording: Recording;
  /** For listeners without signatures; null: there is none. */
  readonly gateway: Gateway | null;
  /** What the other daemons have. */
  readonly copies: Copies;
  /** Why nothing is taken any more; null: all is well. */
  readonly failure: string | null;
  /** What is shown of a timeline; null: there is none. */
  readonly figures: ReplicaFigures | null;
  /** How it stands to the stream that orders the writes; not given: none does. */
  readonly order?: OrderFigures;
  /** Of a timeline, for a Redis that mirrors it; null: there is none. */
  readonly mirrored: MirroredTimeline | null;
  /** Whether the order of writes is final when they are answered. */
  readonly isFinal: boolean;
  /** Told what has been recorded, while somebody looks. */
  watcher: ((entries: readonly Pick<Place, "at">[], isFromClients: boolean) => void) | null;
  /** Takes connections of other daemons, behind their hello; null: none. */
  readonly takeMember: ((socket: Socket, hello: Hello) => void) | null;
  /**
   * Reads who may be a member from a configuration that was read again.
   * @returns what makes it so
   * @throws StartError  it cannot be used
   */
  reread(settings: Settings): () => void;
}
