/** What a connection is given by its listener, and what it shows to it. */
import type { Socket } from "node:net";
import type { Logger } from "pino";
import type { ByteString } from "../../protocol/byte-string.js";
import type { Hello } from "../../protocol/version-2/messages-v2.js";
import type { RefusalLog } from "../answers/refusal-log.js";
import type { Limits } from "../options/limits.js";
import type { Observer } from "../pipeline/observer.js";
import type { Pipeline } from "../pipeline/pipeline.js";
import type { Environment } from "../process/environment.js";
import type { ByteBudget } from "./byte-budget.js";

/** A connection, as its listener and the byte budget see it. */
export interface Hosted {
  /** Address and port, as the log shows them. */
  readonly remote: string;
  /** Its address alone. */
  readonly address: string;
  /** Bytes of unfinished requests and untaken answers. */
  readonly heldBytes: number;
  /** When the present request began, or it was heard last; `uptime` milliseconds. */
  readonly activeAt: number;
  /** Closes what has been still for too long. Called every now and then. @param now  `uptime` milliseconds */
  checkTime(now: number): void;
  /** Finishes what has been received as whole frames, then closes. */
  stop(): void;
  /** Closes at once, whatever is in flight. */
  destroy(): void;
}

/** Nobody listens to the socket any more, and nothing has come behind the hello. */
export type TakeMember = (socket: Socket, hello: Hello) => void;

/** What every connection is given. */
export interface SocketHost {
  readonly environment: Environment;
  /** Replaced when the configuration is read again. */
  limits: Limits;
  readonly log: Logger;
  readonly refusals: RefusalLog;
  readonly budget: ByteBudget;
  readonly observer: Observer;
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

/** What a connection of versions 1 and 2 is given. */
export interface ConnectionHost extends SocketHost {
  readonly pipeline: Pipeline;
  /** The daemon's id, 32 bytes. */
  readonly daemon: ByteString;
  /** Whether --require leaves version 1 on. */
  readonly takesVersion1: boolean;
  /** Takes connections of other daemons, behind their hello; null: this daemon has no members. */
  readonly members: TakeMember | null;
  /** php-dbsync's -c; version 1 only. */
  readonly closeAfterAnswer: boolean;
}
