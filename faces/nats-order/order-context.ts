/** The stream that orders a daemon's writes, the state that follows from it, and the objects that use both. */
import type { ReplicaContext } from "../../daemon/cluster/replica/replica-context.js";
import type { TimelineBackend } from "../../daemon/cluster/replica/timeline-backend.js";
import type { OrderStream } from "./order-stream.js";
import type { OrderedState } from "./ordered-state.js";

export interface OrderContext extends ReplicaContext {
  readonly state: OrderedState;
  readonly stream: OrderStream;
  readonly backend: TimelineBackend;
  /** Whether the daemon has applied all messages that were in the stream when it connected. */
  readonly hasCaughtUp: boolean;
  /** The reason why reading the stream cannot continue, or null if it can. */
  readonly failure: string | null;
}
