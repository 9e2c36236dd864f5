/** How a daemon stands to the stream that orders its writes, and what it has made of it: its parts are handed all of it. */
import type { ReplicaContext } from "../replica/replica-context.js";
import type { TimelineBackend } from "../replica/timeline-backend.js";
import type { OrderStream } from "./order-stream.js";
import type { OrderedState } from "./ordered-state.js";

export interface OrderStanding extends ReplicaContext {
  readonly state: OrderedState;
  readonly stream: OrderStream;
  readonly backend: TimelineBackend;
  /** Whether all has been applied that stood in the stream when the daemon came to it. */
  readonly hasCaughtUp: boolean;
  /** Why the stream cannot be read on; null: it can. */
  readonly failure: string | null;
}
