/** The users that listeners begin with, or go on with: none of them may open a listener that is in reach of others. */
import { isLoopback } from "./loopback.js";
import type { Settings, UserListenerName } from "./settings.js";
import { StartError } from "./start-error.js";
import { USER_LISTENER_NAMES } from "./user-listener-options.js";
import { Users } from "./users.js";

/** Where users may come in. */
export type Doors = Pick<Settings, UserListenerName | "tls">;

/** The users of a file. @throws StartError  it cannot be read, or they open a listener: with the cures */
export function readUsers(settings: Doors & Pick<Settings, "aclFile">): Users {
  const users = new Users(settings.aclFile);
  checkDoors(users, settings);
  return users;
}

/**
 * Off loopback somebody has to log in, or at least nobody may listen in.
 * @throws StartError  with the cures
 */
export function checkDoors(users: Users, settings: Doors): void {
  for (const name of USER_LISTENER_NAMES) {
    const address = settings[name]?.address;
    if (address === undefined || isLoopback(address) === true) continue;
    if (settings.tls !== null || users.anonymous === null) continue;
    throw new StartError(
      `--${name} ${address} can be reached from other machines, and anybody there could send commands. Give users ` +
        "with passwords (--acl-file, with a line such as: user default off), or TLS (--tls-cert, --tls-key), or listen " +
        "on 127.0.0.1.",
      2,
    );
  }
}
