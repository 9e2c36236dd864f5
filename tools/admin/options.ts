/** The options of --admin. */
import { fail } from "../../daemon/net/process/service.js";
import { row, type ValuesOf } from "../../daemon/options/option-row.js";
import type { Settings } from "../../daemon/options/settings.js";
import { listenAddress, listForm } from "../../daemon/options/value-forms.js";

const ADMIN_HOSTS_MAX = 64;
/** A DNS name without a port, with or without a final dot. */
const HOST_NAME = /^[a-z0-9_]([a-z0-9_.-]{0,252})$/i;

export const ADMIN_OPTIONS = {
  /** The address of the dashboard, /healthz and /metrics, or null if there is none. */
  admin: row({
    flags: "--admin <address>",
    help: "serve a dashboard, /healthz and /metrics on a port of 127.0.0.1, or on address:port",
    form: listenAddress,
    fallback: null,
    reload: "restart",
    example: "9465",
    isListener: true,
    section: "Health and metrics:",
  }),
  /** Host names that requests to --admin may use, in lower case, in addition to addresses and localhost. */
  adminHosts: row({
    flags: "--admin-host <name>",
    help: "a host name that requests to --admin may use, in addition to addresses and localhost (repeatable)",
    form: listForm<string>({
      parse: (text) => text.toLowerCase(),
      format: (name) => name,
      check: checkHosts,
    }),
    fallback: [],
    reload: "restart",
    example: "db1.example",
    needs: ["admin"],
    section: "Health and metrics:",
    after: "admin",
  }),
} as const;

declare module "../../daemon/options/option-row.js" {
  interface FaceSettings extends ValuesOf<typeof ADMIN_OPTIONS> {}
}

function checkHosts(names: readonly string[]): void {
  if (names.some((name) => !HOST_NAME.test(name)))
    throw new RangeError("Expected a host name, such as db1.example.");
  if (names.length > ADMIN_HOSTS_MAX) throw new RangeError(`Expected at most ${ADMIN_HOSTS_MAX} names.`);
}

/** Checks the options of --admin. @throws StartError */
export function checkAdminOptions({ admin, adminHosts }: Settings): void {
  if (admin === null && adminHosts.length > 0)
    fail("--admin-host lists host names for requests to --admin: add --admin.");
}
