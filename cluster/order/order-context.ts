/** The stream that orders a daemon's writes, and the state that it has made of it, for its parts. */
import type { ReplicaContext } from "../replica/replica-context.js";
import type { TimelineBackend } from "../replica/timeline-backend.js";
import type { OrderStream } from "./order-stream.js";
import type { OrderedState } from "./ordered-state.js";

export interface OrderContext extends ReplicaContext {
  readonly state: OrderedState;
  readonly stream: OrderStream;
  readonly backend: TimelineBackend;
  /** Whether all has been applied that was in the stream when the daemon connected to it. */
  readonly hasCaughtUp: boolean;
  /** Why the stream cannot be read on; null: it can. */
  readonly failure: string | null;
}
