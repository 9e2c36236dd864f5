/** The values of the options of the log. This file imports no package: it is part of the types of `dbsyncd/testing`. */

export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export const LOG_FORMATS = ["auto", "json", "pretty"] as const;
/** The format of the log. `auto`: pretty on a terminal, otherwise json. */
export type LogFormat = (typeof LOG_FORMATS)[number];
