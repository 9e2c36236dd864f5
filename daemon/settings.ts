/** The daemon's configuration, whole and checked, and where each value came from. */
import type { BackendSpecification } from "./backends/specification.js";
import type { Limits } from "./limits.js";
import type { LogFormat, LogLevel } from "./log.js";

export interface Settings {
  /** An address or a host name, without brackets. */
  readonly bind: string;
  /** 0: a free one. */
  readonly port: number;
  /** Files and folders; none: unsigned commands. */
  readonly signKey: readonly string[];
  readonly database: readonly BackendSpecification[];
  readonly close: boolean;
  readonly allowUnsigned: boolean;
  readonly compat: "php-dbsync" | null;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  readonly limits: Limits;
  /** A line for each default that differs from php-dbsync's; none where a value was chosen. */
  readonly differences: readonly string[];
}
