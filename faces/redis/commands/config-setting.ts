/** A setting of CONFIG GET and CONFIG SET, and the kinds of settings. Error texts: redis-server 7.0, config.c. */

import type { LimitName } from "../../../daemon/options/limits.js";
import { ALL_LIMITS } from "../../../daemon/options/option-table.js";
import { parseInteger } from "../../../daemon/store/arguments/number-arguments.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { RespSession } from "../session/resp-session.js";

export interface Setting {
  /** Returns the value for CONFIG GET. */
  readonly text: (session: RespSession) => ByteString;
  /**
   * Returns a function that sets the value, to be called once the complete CONFIG SET has been checked. If the value is
   * invalid, returns an error message instead.
   */
  readonly prepare: (session: RespSession, value: ByteString) => (() => void) | string;
}

/** A setting that corresponds to one of our limits. */
export interface LimitSetting {
  readonly limit: LimitName;
  /** The number of our units in one unit of Redis: 1000 if we count milliseconds and Redis counts seconds. */
  readonly scale: number;
  /** Whether the value is an amount of memory, which may have a unit. */
  readonly isMemory?: true;
  /** Whether Redis writes -1 for no limit. */
  readonly mayBeNegative?: true;
}

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 1000,
  kb: 1024,
  m: 1000 ** 2,
  mb: 1024 ** 2,
  g: 1000 ** 3,
  gb: 1024 ** 3,
};

/** Parses a number of bytes, with or without one of Redis's units; returns undefined if the text is invalid. */
export function parseMemory(text: ByteString): number | undefined {
  const [, digits, unit = ""] = /^(\d{1,15})([a-z]{0,2})$/i.exec(text) ?? [];
  const factor = UNITS[unit.toLowerCase()];
  return digits === undefined || factor === undefined ? undefined : Number(digits) * factor;
}

interface NumberBounds {
  readonly min: number | bigint;
  readonly max: number | bigint;
  readonly isMemory?: boolean;
}

/** Parses a number within bounds. If the text is invalid, returns an error message instead. */
export function parseNumber(
  text: ByteString,
  { min, max, isMemory }: NumberBounds,
): number | bigint | string {
  const value = isMemory === true ? parseMemory(text) : parseInteger(text);
  if (value === undefined)
    return isMemory === true
      ? "argument must be a memory value"
      : "argument couldn't be parsed into an integer";
  return value < min || value > max ? `argument must be between ${min} and ${max} inclusive` : value;
}

export function limit({ limit: name, scale, isMemory = undefined, mayBeNegative }: LimitSetting): Setting {
  const { min, max } = ALL_LIMITS[name];
  const bounds = {
    min: mayBeNegative === true ? -1 : Math.ceil(min / scale),
    max: Math.floor(max / scale),
    isMemory: isMemory === true,
  };
  return {
    text: ({ server }) => {
      const value = server.host.limits[name];
      return mayBeNegative && value === Number.POSITIVE_INFINITY ? "-1" : String(Math.round(value / scale));
    },
    prepare: ({ server }, text) => {
      const value = parseNumber(text, bounds);
      if (typeof value === "string") return value;
      const changed = value < 0 ? Number.POSITIVE_INFINITY : Number(value) * scale;
      return () => {
        server.host.limits = { ...server.host.limits, [name]: changed };
      };
    },
  };
}

/** Creates a setting with a fixed value; CONFIG SET accepts only that value, and otherwise returns the reason. */
export function fixed(text: Setting["text"], reason = "can't set immutable config"): Setting {
  const nothing = () => {};
  return {
    text,
    prepare: (session, value) => (text(session) === value ? nothing : reason),
  };
}

/** Creates a numeric setting that CONFIG SET stores and CONFIG GET returns, without any other effect. */
export function storedNumber(name: string, fallback: number, bounds: NumberBounds): Setting {
  return {
    text: ({ server }) => server.settings.get(name) ?? String(fallback),
    prepare: ({ server }, text) => {
      const value = parseNumber(text, bounds);
      return typeof value === "string" ? value : () => server.settings.set(name, String(value));
    },
  };
}

/** Creates a yes/no setting that CONFIG SET stores and CONFIG GET returns, without any other effect. */
export function storedSwitch(name: string, fallback: boolean): Setting {
  return {
    text: ({ server }) => server.settings.get(name) ?? (fallback ? "yes" : "no"),
    prepare: ({ server }, text) => {
      const word = text.toLowerCase();
      if (word !== "yes" && word !== "no") return "argument must be 'yes' or 'no'";
      return () => server.settings.set(name, word);
    },
  };
}
