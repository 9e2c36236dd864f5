/** Checks combinations of options that concern listeners. */

import type { ListenAddress } from "../net/process/host-and-port.js";
import { fail } from "../net/process/start-error.js";
import { isRedis } from "./database-list.js";
import { flagsOf } from "./option-row.js";
import { LISTENER_NAMES, USER_LISTENER_NAMES } from "./option-table.js";
import { hasTimeline, type Settings } from "./settings.js";

/** Whether there is a listener for users. */
export function hasUserListener(settings: Settings): boolean {
  return USER_LISTENER_NAMES.some((name) => settings[name] !== null);
}

/** Returns the flags of all listeners, such as `--resp, --json and --memcached`. */
export function allUserListeners(conjunction: "and" | "or"): string {
  return flagsOf(USER_LISTENER_NAMES, conjunction);
}

/** Checks that the listeners for users have a database. @throws StartError  the message says what to do */
export function validateUserListeners(settings: Settings): void {
  const { database } = settings;
  const requested = USER_LISTENER_NAMES.filter((name) => settings[name] !== null).map((name) => `--${name}`);
  if (requested.length === 0) return;
  if (!hasTimeline(settings) && (database.length > 1 || database.some(({ kind }) => isRedis(kind))))
    fail(
      `${requested.join(" and ")} serves the database in this daemon's memory; connect Redis clients directly to the Redis server ` +
        `of -d redis. Leave out ${requested.join(" and ")} or -d.`,
    );
}

/** Checks that listeners have different addresses. @throws StartError */
export function refuseSamePlaces(settings: Settings): void {
  const { bind, port } = settings;
  const values: Readonly<Record<string, unknown>> = { ...settings };
  const addresses: readonly (readonly [flag: string, address: ListenAddress | null])[] = [
    ["-p", { address: bind, port }],
    ...LISTENER_NAMES.map((name) => [`--${name}`, values[name] as ListenAddress | null] as const),
  ];
  for (const [at, [flag, address]] of addresses.entries()) {
    const other = addresses
      .slice(0, at)
      .find(([, one]) => one?.port === address?.port && one?.address === address?.address);
    if (address === null || address.port === 0 || other === undefined) continue;
    fail(
      `${flag} and ${other[0]} both use port ${address.port} of ${address.address}: set a different port for each.`,
    );
  }
}
