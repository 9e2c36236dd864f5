/** What a connection is given by its listener, and what it shows to it. */
import type { Logger } from "pino";
import type { Environment } from "../process/environment.js";
import type { ByteBudget } from "./byte-budget.js";
import type { ConnectionLimits } from "./connection-limits.js";
import type { ConnectionObserver } from "./connection-observer.js";
import type { ClientDoing } from "./dialect.js";
import type { Pushes } from "./pushes.js";
import type { RefusalLog } from "./refusal-log.js";

/** A connection, as its listener and the byte budget see it. */
export interface Hosted {
  /** Address and port, as the log shows them. */
  readonly remote: string;
  /** Its address alone. */
  readonly address: string;
  /** Bytes of unfinished requests and untaken answers. */
  readonly heldBytes: number;
  readonly doing: ClientDoing;
  /** `uptime` milliseconds. */
  readonly openedAt: number;
  /** When the present request began, or it was heard last; `uptime` milliseconds. */
  readonly activeAt: number;
  /** Closes what has been still for too long. Called every now and then. @param now  `uptime` milliseconds */
  checkTime(now: number): void;
  /** Finishes what has been received as whole frames, then closes. */
  stop(): void;
  /** Closes at once, whatever is in flight. */
  destroy(): void;
}

/** What every connection is given; programs know more limits, and tell of more. */
export interface SocketHost<
  L extends ConnectionLimits = ConnectionLimits,
  O extends ConnectionObserver = ConnectionObserver,
> {
  readonly environment: Environment;
  /** Replaced when the configuration is read again. */
  limits: L;
  readonly log: Logger;
  readonly refusals: RefusalLog;
  readonly budget: ByteBudget;
  readonly pushes: Pushes;
  readonly observer: O;
  /** Connections that were not let in, since there were too many. */
  rejected: number;
  /** A connection on which nothing has been proved yet has sent something. */
  heard(connection: Hosted): void;
  /** Its client has shown that it may send commands here. */
  proved(connection: Hosted): void;
  /** The connection is no more. */
  leave(connection: Hosted): void;
  /** The budget is exceeded: somebody has to go. */
  overBudget(): void;
}
