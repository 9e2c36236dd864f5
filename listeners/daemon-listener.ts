/** A listener of the daemon: it knows all limits and reasons of the daemon, and tells its observer. */

import { REFUSALS } from "../engine/answers/refusals.js";
import type { Observer } from "../engine/pipeline/observer.js";
import type { ConnectionRegistry } from "../net/connections/connection-registry.js";
import { SocketListener, type SocketListenerParts } from "../net/connections/socket-listener.js";
import type { Limits } from "../options/limits.js";
import type { JsonReplicaFigures } from "./replica-figures.js";

/** What every connection of the daemon's listeners is given. */
export type DaemonSocketHost = ConnectionRegistry<Limits, Observer>;

/** Of the commands of one family, since the start. */
export interface FamilyCounts {
  /** As ACL categories call it. */
  readonly family: string;
  readonly calls: number;
  /** Answered with an error. */
  readonly failed: number;
  /** That they ran, all together. */
  readonly seconds: number;
}

export type DaemonListenerParts = Omit<SocketListenerParts<Limits, Observer>, "refusals">;

export class DaemonListener extends SocketListener<Limits, Observer> {
  constructor(parts: DaemonListenerParts) {
    super({ ...parts, refusals: REFUSALS });
  }

  /** What its clients called, by families of commands; null: that is not counted. */
  get families(): readonly FamilyCounts[] | null {
    return null;
  }

  /** Why documents are neither read nor written; null: they are. */
  get loading(): string | null {
    return null;
  }

  /** Servers that are sent what clients write; null: the listener has none. */
  get jsonReplicas(): JsonReplicaFigures | null {
    return null;
  }
}
