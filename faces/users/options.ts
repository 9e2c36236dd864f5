/** The options of users with names and passwords, and the limit of their connections. */
import { fail } from "../../daemon/net/process/service.js";
import {
  flagsOf,
  type LimitsOf,
  row,
  type UserListeners,
  type ValuesOf,
} from "../../daemon/options/option-row.js";
import type { Settings } from "../../daemon/options/settings.js";
import { HOUR, type LimitRow, path, toggle } from "../../daemon/options/value-forms.js";

export const USER_OPTIONS = {
  /** The file of the users of these listeners, or null for one user with all permissions. */
  aclFile: row({
    flags: "--acl-file <file>",
    help: "users of these listeners with passwords and rules, in the format of Redis's aclfile",
    form: path,
    fallback: null,
    reload: "immediately",
    example: "users.acl",
    needs: ["resp"],
    after: "jsonReplicas",
  }),
  /** Whether these listeners may be reachable from other machines although a user has no password. */
  allowAnonymous: row({
    flags: "--allow-anonymous",
    help: "listen on addresses that other machines can reach even if a user has no password",
    form: toggle,
    fallback: false,
    reload: "restart",
    example: "true",
    needs: ["resp"],
    after: "aclFile",
  }),
} as const;

export const USER_LIMITS = {
  respIdleTimeout: {
    flag: "resp-idle-timeout",
    unit: "time",
    fallback: 0,
    min: 0,
    max: 24 * HOUR,
    summary:
      "RESP and JSON: time without a command after which a connection is closed; 0: never (Redis's timeout)",
    reason: "pools of Redis clients keep connections for hours and do not expect them to be closed",
    after: "jsonReplicaTimeout",
  },
} as const satisfies Record<string, LimitRow>;

declare module "../../daemon/options/option-row.js" {
  interface FaceLimits extends LimitsOf<typeof USER_LIMITS> {}
  interface FaceSettings extends ValuesOf<typeof USER_OPTIONS> {}
}

/** Checks that there are listeners for the users. @throws StartError  the message says what to do */
export function checkUserOptions(settings: Settings, listeners: readonly (keyof UserListeners)[]): void {
  if (listeners.some((name) => settings[name] !== null)) return;
  const flags = flagsOf(listeners, "and");
  if (settings.aclFile !== null) fail(`--acl-file lists the users of ${flags}: add one of them.`);
  if (settings.allowAnonymous)
    fail(`--allow-anonymous is for the users of ${flags}: add one of them, or leave it out.`);
}
