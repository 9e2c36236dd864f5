/** The options and limits of --resp. */
import { formatHost } from "../../daemon/net/process/host-and-port.js";
import { fail } from "../../daemon/net/process/service.js";
import { NO_EVENTS, parseEventFlags } from "../../daemon/options/event-flags.js";
import { type LimitsOf, row, type ValuesOf } from "../../daemon/options/option-row.js";
import { parseServiceAddress } from "../../daemon/options/peer-address.js";
import type { Settings } from "../../daemon/options/settings.js";
import {
  choice,
  HOUR,
  KIB,
  type LimitRow,
  listenAddress,
  MIB,
  SECOND,
  textForm,
} from "../../daemon/options/value-forms.js";
import type { ServiceAddress } from "../../protocol/members/service-address.js";

export const REDIS_OPTIONS = {
  /** The address for Redis clients, or null if there is none. */
  resp: row({
    /** The name of the clients, for the log. */
    clients: "Redis",
    flags: "--resp <address>",
    help: "serve Redis clients on a port of 127.0.0.1 (such as 6379), or on address:port",
    form: listenAddress,
    fallback: null,
    reload: "restart",
    example: "6380",
  }),
  /** The address at which clients reach --resp, or null for the address on which it listens. */
  announce: row({
    flags: "--announce <host:port>",
    help: "address at which clients reach --resp, which sentinels name (--sentinel); default: the address of --resp or, if that is any address, the one from which peers see this daemon",
    form: textForm<ServiceAddress>(parseServiceAddress, formatHost),
    fallback: null,
    reload: "restart",
    example: "redis1.example:6379",
    needs: ["resp"],
    after: "allowAnonymous",
  }),
  /** The Redis clients that may send DEBUG: none, clients of this machine, or all. */
  enableDebugCommand: row({
    flags: "--enable-debug-command <clients>",
    help: "which Redis clients may send DEBUG, as in Redis",
    form: choice(["no", "local", "yes"]),
    fallback: "no",
    reload: "restart",
    example: "local",
    needs: ["resp"],
    after: "announce",
  }),
  /** The events of keys that clients can subscribe to; CONFIG SET changes them. */
  notifyKeyspaceEvents: row({
    flags: "--notify-keyspace-events <letters>",
    help: "events of keys that Redis clients can subscribe to, as in Redis",
    form: textForm(parseEventFlags, (flags) => flags.text),
    fallback: NO_EVENTS,
    reload: "restart",
    example: "KEA",
    needs: ["resp"],
    after: "enableDebugCommand",
  }),
} as const;

export const REDIS_LIMITS = {
  maxHeldBytes: {
    flag: null,
    unit: "bytes",
    fallback: MIB,
    min: KIB,
    max: 511 * MIB,
    summary:
      "RESP: bytes of a connection's answers to reads that may wait for the disk; above it, its next command runs when they are sent",
    reason: "such answers wait for about a millisecond; the memory of a pipeline of long reads stays small",
  },
  maxBulkBytes: {
    flag: null,
    unit: "bytes",
    fallback: 511 * MIB,
    min: MIB,
    max: 511 * MIB,
    summary: "RESP: maximum length of an argument (Redis's proto-max-bulk-len)",
    reason: "Redis has 512 MiB, which is slightly more than the maximum length of a string in V8",
  },
  maxQueryBytes: {
    flag: "max-query-bytes",
    unit: "bytes",
    fallback: KIB * MIB,
    min: MIB,
    max: 1024 * KIB * MIB,
    summary:
      "RESP: bytes of an incomplete command, or of commands after one that waits (Redis's client-query-buffer-limit)",
    reason: "as in Redis; --max-buffered-bytes, for all clients together, is usually lower",
    after: "idleTimeout",
  },
  latencyTime: {
    flag: null,
    unit: "time",
    fallback: 0,
    min: 0,
    max: HOUR,
    summary: "RESP: minimum time of commands that LATENCY samples; 0: none",
    reason: "as in Redis",
  },
  luaTimeLimit: {
    flag: "lua-time-limit",
    unit: "time",
    fallback: 5 * SECOND,
    min: 10,
    max: HOUR,
    summary: "time after which a script of a Redis client is stopped with an error",
    reason:
      "the daemon serves no other client while a script runs; earlier writes of the script remain, as after any error",
    after: "maxReadBytes",
  },
  luaMemory: {
    flag: "lua-memory",
    unit: "bytes",
    fallback: 64 * MIB,
    min: 32 * MIB,
    max: 1024 * MIB,
    summary: "maximum memory of a script of a Redis client; a script that needs more fails",
    reason: "Lua itself needs 16 MiB; further memory is released after the script",
    after: "luaTimeLimit",
  },
} as const satisfies Record<string, LimitRow>;

declare module "../../daemon/options/option-row.js" {
  interface FaceLimits extends LimitsOf<typeof REDIS_LIMITS> {}
  interface FaceSettings extends ValuesOf<typeof REDIS_OPTIONS> {}
  interface UserListeners extends Pick<ValuesOf<typeof REDIS_OPTIONS>, "resp"> {}
}

/** Checks the options that need --resp. @throws StartError */
export function checkRedisOptions(settings: Settings): void {
  const { resp, announce, enableDebugCommand, notifyKeyspaceEvents } = settings;
  if (resp !== null) return;
  if (announce !== null)
    fail("--announce is the address of --resp for clients: add --resp, or leave it out.");
  if (enableDebugCommand !== "no")
    fail("--enable-debug-command is for clients of --resp: add --resp, or leave it out.");
  if (notifyKeyspaceEvents.text !== "")
    fail("--notify-keyspace-events is for clients of --resp: add --resp, or leave it out.");
}
