/** A listener with the daemon's limits, refusals and observer. */

import type { ServiceAddress } from "../../protocol/members/service-address.js";
import { REFUSALS } from "../engine/answers/refusals.js";
import type { InfoFields } from "../engine/info/info-text.js";
import type { Observer } from "../engine/pipeline/pipeline-parts.js";
import type { ConnectionRegistry } from "../net/connections/connection-registry.js";
import { SocketListener, type SocketListenerParts } from "../net/connections/socket-listener.js";
import type { Limits } from "../options/limits.js";

/** The listener as its connections see it. */
export type DaemonSocketHost = ConnectionRegistry<Limits, Observer>;

/** The figures of faces, from which their metrics are made. The file metrics.ts of each face adds its own. */
// biome-ignore lint/suspicious/noEmptyInterface: a build without faces has none
export interface FaceFigures {}

export type DaemonListenerParts = Omit<SocketListenerParts<Limits, Observer>, "refusals">;

export class DaemonListener extends SocketListener<Limits, Observer> {
  constructor(parts: DaemonListenerParts) {
    super({ ...parts, refusals: REFUSALS });
  }

  /** The figures that only this listener has. */
  get figures(): FaceFigures {
    return {};
  }

  /** What this listener adds to /healthz. */
  get health(): Readonly<Record<string, unknown>> {
    return {};
  }

  /** The addresses of this listener for Redis clients and for clients of sentinels. */
  get service(): { readonly resp?: ServiceAddress | null; readonly sentinel?: ServiceAddress | null } {
    return {};
  }

  /**
   * The address at which clients reach this listener, or null before the start.
   * @param announced  the address that the operator has set, or null
   */
  protected reachedAt(announced: ServiceAddress | null): ServiceAddress | null {
    const { address, port } = this.address;
    if (port === 0) return null;
    return announced ?? { host: address === "0.0.0.0" || address === "::" ? "" : address, port };
  }

  /** The fields that this listener adds to INFO replication. */
  get replicationFields(): InfoFields {
    return {};
  }

  /** The reason why documents cannot be read or written yet, or null if they can. */
  get loading(): string | null {
    return null;
  }
}
