/** The settings of a client that its daemons' links share. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Address, Versions } from "../shared/server-list.js";

export interface FleetSettings {
  readonly addresses: readonly Address[];
  /** The cluster's id, 32 bytes, or "" to query the daemons. */
  readonly cluster: ByteString;
  /** The versions for daemons whose address names none, or null if they are not set. */
  readonly versions: Versions | null;
  readonly keepalive: boolean;
  /** Whether signed calls wait for unreachable daemons until their deadline; otherwise they fail immediately. */
  readonly isPatient: boolean;
  /** Whether reads must see the client's acknowledged writes; otherwise each call is independent. */
  readonly isSession: boolean;
}
