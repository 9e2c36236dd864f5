/**
 * Redis settings whose values are lists. They are accepted in Redis's form and shown in Redis's order. Only the
 * notified events, and the limit of output bytes pending for a client, have an effect here. Forms and texts:
 * redis-server 7.0, config.c, notify.c.
 */

import { parseEventFlags } from "../../../daemon/options/event-flags.js";
import { LIMITS } from "../../../daemon/options/limits.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { RespSession } from "../session/resp-session.js";
import { parseMemory, type Setting } from "./config-setting.js";

export const notifyKeyspaceEvents: Setting = {
  text: ({ server }) => server.notices.flags.text,
  prepare: ({ server: { notices } }, value) => {
    try {
      const flags = parseEventFlags(value);
      if (!notices.isPossible && flags.text !== "")
        return "the keys are on other daemons, which do not report their events";
      return () => {
        notices.flags = flags;
      };
    } catch (problem) {
      return (problem as RangeError).message;
    }
  },
};

const CLASSES = ["normal", "slave", "pubsub"] as const;
const CLASS_NAMES: ReadonlyMap<string, (typeof CLASSES)[number]> = new Map<string, (typeof CLASSES)[number]>(
  Object.entries({
    normal: "normal",
    slave: "slave",
    replica: "slave",
    pubsub: "pubsub",
  }),
);
/** The limits of a client class in bytes. The soft limit may be exceeded for the given number of seconds. */
type Bounds = readonly [hard: number, soft: number, seconds: number];

const OUTPUT = "client-output-buffer-limit";

function outputBounds({ server }: RespSession): Record<(typeof CLASSES)[number], Bounds> {
  const numbers = (server.settings.get(OUTPUT) ?? "").match(/\d+/g)?.map(Number) ?? [];
  const of = (index: number): Bounds => [
    numbers[3 * index] ?? 0,
    numbers[3 * index + 1] ?? 0,
    numbers[3 * index + 2] ?? 0,
  ];
  const normal = of(0);
  const hard = server.settings.has(OUTPUT) && normal[0] === 0 ? 0 : server.host.limits.maxOutputBytes;
  return { normal: [hard, normal[1], normal[2]], slave: of(1), pubsub: of(2) };
}

const boundsText = (all: ReturnType<typeof outputBounds>): ByteString =>
  CLASSES.map((name) => `${name} ${all[name].join(" ")}`).join(" ");

/**
 * The output limits. Only the hard limit of normal clients has an effect; 0, which is Redis's default, changes nothing.
 */
export const clientOutputBufferLimit: Setting = {
  text: (session) => boundsText(outputBounds(session)),
  prepare: (session, value) => {
    const { server } = session;
    const words = value.split(" ").filter((word) => word !== "");
    if (words.length % 4 !== 0) return "Wrong number of arguments in buffer limit configuration.";
    const all = outputBounds(session);
    for (let at = 0; at < words.length; at += 4) {
      const name = CLASS_NAMES.get(words[at]?.toLowerCase() ?? "");
      if (name === undefined) return "Invalid client class specified in buffer limit configuration.";
      const hard = parseMemory(words[at + 1] ?? "");
      const soft = parseMemory(words[at + 2] ?? "");
      const seconds = Number(words[at + 3]);
      if (hard === undefined || soft === undefined || !Number.isSafeInteger(seconds) || seconds < 0)
        return "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
      all[name] = [hard, soft, seconds];
    }
    const { min, max } = LIMITS.maxOutputBytes;
    const [hard] = all.normal;
    if (hard !== 0 && (hard < min || hard > max))
      return `the hard limit of normal clients must be 0, or between ${min} and ${max}`;
    return () => {
      server.settings.set(OUTPUT, boundsText(all));
      if (hard !== 0) server.host.limits = { ...server.host.limits, maxOutputBytes: hard };
    };
  },
};

/** The save intervals. They have no effect: acknowledged writes are on disk, and nothing is saved at intervals. */
export const save: Setting = {
  text: ({ server }) => server.settings.get("save") ?? "",
  prepare: ({ server }, value) => {
    const words = value.split(" ").filter((word) => word !== "");
    const isValid =
      words.length % 2 === 0 &&
      words.every((word, i) => /^\d{1,9}$/.test(word) && (i % 2 === 1 || Number(word) > 0));
    return isValid ? () => server.settings.set("save", words.join(" ")) : "Invalid save parameters";
  },
};

/** The percentiles in INFO latencystats. */
export const PERCENTILES = "latency-tracking-info-percentiles";
const PERCENTILES_DEFAULT = "50 99 99.9";

export function percentilesOf({ server }: RespSession): readonly ByteString[] {
  return (server.settings.get(PERCENTILES) ?? PERCENTILES_DEFAULT).split(" ").filter((one) => one !== "");
}

export const latencyPercentiles: Setting = {
  text: (session) => percentilesOf(session).join(" "),
  prepare: ({ server }, value) => {
    const words = value.split(" ").filter((word) => word !== "");
    if (words.some((word) => !/^\d+(\.\d+)?$/.test(word) || Number(word) > 100))
      return `${PERCENTILES} parameters should sit between [0.0,100.0]`;
    return () => server.settings.set(PERCENTILES, words.map((word) => String(Number(word))).join(" "));
  },
};
