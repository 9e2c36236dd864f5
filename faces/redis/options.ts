/** The options of --resp. */
import { fail } from "../../daemon/net/process/start-error.js";
import { NO_EVENTS, parseEventFlags } from "../../daemon/options/event-flags.js";
import { row, type ValuesOf } from "../../daemon/options/option-row.js";
import type { Settings } from "../../daemon/options/settings.js";
import { choice, listenAddress, text } from "../../daemon/options/value-forms.js";

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
  /** The Redis clients that may send DEBUG: none, clients of this machine, or all. */
  enableDebugCommand: row({
    flags: "--enable-debug-command <clients>",
    help: "which Redis clients may send DEBUG, as in Redis",
    form: choice(["no", "local", "yes"]),
    fallback: "no",
    reload: "restart",
    example: "local",
    needs: ["resp"],
  }),
  /** The events of keys that clients can subscribe to; CONFIG SET changes them. */
  notifyKeyspaceEvents: row({
    flags: "--notify-keyspace-events <letters>",
    help: "events of keys that Redis clients can subscribe to, as in Redis",
    form: text(parseEventFlags, (flags) => flags.text),
    fallback: NO_EVENTS,
    reload: "restart",
    example: "KEA",
    needs: ["resp"],
  }),
} as const;

declare module "../../daemon/options/option-row.js" {
  interface FaceSettings extends ValuesOf<typeof REDIS_OPTIONS> {}
  interface UserListeners extends Pick<ValuesOf<typeof REDIS_OPTIONS>, "resp"> {}
}

/** Checks the options that need --resp. @throws StartError */
export function checkRedisOptions({ resp, enableDebugCommand, notifyKeyspaceEvents }: Settings): void {
  if (resp !== null) return;
  if (enableDebugCommand !== "no")
    fail("--enable-debug-command is for clients of --resp: add --resp, or leave it out.");
  if (notifyKeyspaceEvents.text !== "")
    fail("--notify-keyspace-events is for clients of --resp: add --resp, or leave it out.");
}
