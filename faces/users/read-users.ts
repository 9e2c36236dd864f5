/**
 * Reads the users of the listeners, at the start and on SIGHUP. Checks that no client on another machine can connect
 * without a password, unless --allow-anonymous is set.
 */
import { statSync } from "node:fs";
import { isLoopback } from "../../daemon/net/process/host-and-port.js";
import { StartError } from "../../daemon/net/process/service.js";
import type { UserListenerName } from "../../daemon/options/option-table.js";
import type { Settings } from "../../daemon/options/settings.js";
import type { PasswordSecrets } from "./password-secrets.js";
import { DEFAULT_USER, Users } from "./users.js";

const OTHERS_READ = 0o004;

/** The settings of the listeners through which users connect. */
export type ListenerSettings = Pick<Settings, UserListenerName | "allowAnonymous" | "table">;

/**
 * Reads the users of a file.
 * @param secrets  receives the passwords, or null if only their hashes are needed
 * @throws StartError  the file cannot be read, or clients on other machines could connect without a password; the
 * message states how to fix this
 */
export function readUsers(
  settings: ListenerSettings & Pick<Settings, "aclFile">,
  secrets: PasswordSecrets | null = null,
): Users {
  const users = new Users(settings.aclFile, secrets);
  requirePasswords(users, settings);
  return users;
}

/**
 * Reads the users again while clients are being served. Access without a password must not become possible because the
 * file was emptied, or lost its line for the default user.
 * @throws StartError  the message states how to fix this
 */
export function readUsersAgain(before: Users, settings: ListenerSettings & Pick<Settings, "aclFile">): Users {
  const users = readUsers(settings, before.secrets);
  if (before.anonymous !== null || users.anonymous === null || users.definesDefaultUser) return users;
  const { aclFile } = settings;
  throw new StartError(
    `--acl-file${aclFile === null ? "" : ` ${aclFile}`} no longer names user ${DEFAULT_USER}, so any client could connect ` +
      `without a password; the users are unchanged. Write: user ${DEFAULT_USER} off, or, if this is intended: ` +
      `user ${DEFAULT_USER} on nopass ~* +@all.`,
    2,
  );
}

/**
 * Checks that a login is required on every address other than loopback, even with TLS, which does not authenticate
 * clients.
 * @throws StartError  the message states how to fix this
 */
export function requirePasswords(users: Users, settings: ListenerSettings): void {
  const open = users.withoutPassword;
  if (open === null || settings.allowAnonymous) return;

  for (const name of settings.table.userListeners) {
    const address = settings[name]?.address;
    if (address === undefined || isLoopback(address) === true) continue;
    const who = open.name === DEFAULT_USER ? "" : `, as user ${open.name}`;
    throw new StartError(
      `--${name} ${address} can be reached from other machines, and any client there could send commands${who}, without a ` +
        "password. Give users passwords (--acl-file, with a line such as: user default off), or listen on 127.0.0.1, or " +
        "permit this with --allow-anonymous.",
      2,
    );
  }
}

/**
 * Returns a warning if other users of this machine can read the file with the user names and password hashes, otherwise
 * null.
 */
export function permissionWarning(aclFile: string | null): string | null {
  if (aclFile === null || ((statSync(aclFile, { throwIfNoEntry: false })?.mode ?? 0) & OTHERS_READ) === 0)
    return null;
  return `${aclFile} can be read by all users of this machine, but contains passwords or their hashes: chmod o= ${aclFile}`;
}
