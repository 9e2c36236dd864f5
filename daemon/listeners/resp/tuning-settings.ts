/**
 * How Redis keeps values and tidies up: settings that people's scripts set, and that mean nothing here, where values are kept
 * in one way. They are taken within Redis's bounds and told again. Only settings that change no answer are among them.
 * Names, bounds and defaults: redis-server 7.0, config.c.
 */
import {
  HASH_MAX_LISTPACK_ENTRIES,
  LISTPACK_VALUE_MAX,
  SET_MAX_INTSET_ENTRIES,
  ZSET_MAX_LISTPACK_ENTRIES,
} from "../../../store/encoding-name.js";
import { INT64_MAX } from "../../../store/numbers.js";
import { kept, keptSwitch, type Setting } from "./config-setting.js";

const INT_MAX = 2 ** 31 - 1;
const MANY = INT64_MAX;

/** Name, default, least, most. */
const NUMBERS: readonly (readonly [name: string, fallback: number, least: number, most: number | bigint])[] =
  [
    ["active-defrag-cycle-max", 25, 1, 99],
    ["active-defrag-cycle-min", 1, 1, 99],
    ["active-defrag-max-scan-fields", 1000, 1, MANY],
    ["active-defrag-threshold-lower", 10, 0, 1000],
    ["active-defrag-threshold-upper", 100, 0, 1000],
    ["active-expire-effort", 1, 1, 10],
    ["busy-reply-threshold", 5000, 0, MANY],
    ["hash-max-listpack-entries", HASH_MAX_LISTPACK_ENTRIES, 0, MANY],
    ["hz", 10, 0, INT_MAX],
    ["list-compress-depth", 0, 0, INT_MAX],
    ["list-max-listpack-size", -2, -INT_MAX - 1, INT_MAX],
    ["maxmemory-eviction-tenacity", 10, 0, 100],
    ["maxmemory-samples", 5, 1, INT_MAX],
    ["set-max-intset-entries", SET_MAX_INTSET_ENTRIES, 0, MANY],
    ["zset-max-listpack-entries", ZSET_MAX_LISTPACK_ENTRIES, 0, MANY],
  ];

/** The same of bytes. */
const SIZES: typeof NUMBERS = [
  ["active-defrag-ignore-bytes", 100 * 1024 * 1024, 1, MANY],
  ["hash-max-listpack-value", LISTPACK_VALUE_MAX, 0, MANY],
  ["zset-max-listpack-value", LISTPACK_VALUE_MAX, 0, MANY],
];

const SWITCHES: Readonly<Record<string, boolean>> = {
  ...{ activedefrag: false, activerehashing: true, "dynamic-hz": true, "jemalloc-bg-thread": true },
  ...{ "lazyfree-lazy-eviction": false, "lazyfree-lazy-expire": false, "lazyfree-lazy-server-del": false },
  ...{ "lazyfree-lazy-user-del": false, "lazyfree-lazy-user-flush": false, rdbcompression: true },
};

/** Other names of some. */
const ALIASES: Readonly<Record<string, string>> = {
  "hash-max-ziplist-entries": "hash-max-listpack-entries",
  "hash-max-ziplist-value": "hash-max-listpack-value",
  "list-max-ziplist-size": "list-max-listpack-size",
  "lua-time-limit": "busy-reply-threshold",
  "zset-max-ziplist-entries": "zset-max-listpack-entries",
  "zset-max-ziplist-value": "zset-max-listpack-value",
};

const own: Readonly<Record<string, Setting>> = Object.fromEntries([
  ...NUMBERS.map(([name, fallback, least, most]) => [name, kept(name, fallback, { least, most })]),
  ...SIZES.map(([name, fallback, least, most]) => [
    name,
    kept(name, fallback, { least, most, isMemory: true }),
  ]),
  ...Object.entries(SWITCHES).map(([name, fallback]) => [name, keptSwitch(name, fallback)]),
]);

export const TUNING_SETTINGS: Readonly<Record<string, Setting>> = {
  ...own,
  ...Object.fromEntries(Object.entries(ALIASES).map(([alias, name]) => [alias, own[name] as Setting])),
};
