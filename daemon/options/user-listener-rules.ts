/** Checks combinations of options that concern listeners for users. */

import type { ListenAddress } from "../net/process/host-and-port.js";
import { StartError } from "../net/process/start-error.js";
import { isRedis } from "./database-list.js";
import { hasTimeline, type Settings, USER_LISTENER_NAMES } from "./settings.js";

/** Returns the flags of all listeners, such as `--resp, --json and --memcached`. */
export function allUserListeners(conjunction: "and" | "or"): string {
  const flags = USER_LISTENER_NAMES.map((name) => `--${name}`);
  return flags.join(", ").replace(/, (?=[^,]*$)/, ` ${conjunction} `);
}

/** Checks the options of the listeners. @throws StartError  the message says what to do */
export function validateUserListeners(settings: Settings): void {
  const { aclFile, database, json, jsonReplicas, allowAnonymous } = settings;
  const { enableDebugCommand, notifyKeyspaceEvents } = settings;
  const requested = USER_LISTENER_NAMES.filter((name) => settings[name] !== null).map((name) => `--${name}`);
  if (aclFile !== null && requested.length === 0)
    fail(`--acl-file lists the users of ${allUserListeners("and")}: add one of them.`);
  if (jsonReplicas.length > 0 && json === null)
    fail("--json-replica forwards the writes of JSON clients: add --json.");
  if (jsonReplicas.length > 0 && hasTimeline(settings))
    fail(
      "--json-replica cannot be combined with --data or --peer: the original renumbers all entries at each deletion, and a daemon with a timeline does " +
        "not. Leave it out: --peer replicates between dbsyncd daemons, and dbsync import json: copies the documents of an original server.",
    );
  if (allowAnonymous && requested.length === 0)
    fail(
      `--allow-anonymous is for the users of ${allUserListeners("and")}: add one of them, or leave it out.`,
    );
  if (enableDebugCommand !== "no" && settings.resp === null)
    fail("--enable-debug-command is for clients of --resp: add --resp, or leave it out.");
  if (notifyKeyspaceEvents.text !== "" && settings.resp === null)
    fail("--notify-keyspace-events is for clients of --resp: add --resp, or leave it out.");
  if (settings.sqlLanguage !== null && settings.sql === null)
    fail("--sql-language is for the answers of --sql: add --sql, or leave it out.");
  if (requested.length === 0) return;
  if (!hasTimeline(settings) && (database.length > 1 || database.some(({ kind }) => isRedis(kind))))
    fail(
      `${requested.join(" and ")} serves the database in this daemon's memory; connect Redis clients directly to the Redis server ` +
        `of -d redis. Leave out ${requested.join(" and ")} or -d.`,
    );
}

/** Checks that listeners have different addresses. @throws StartError */
export function refuseSamePlaces(settings: Settings): void {
  const { bind, port, admin, ws } = settings;
  const own = USER_LISTENER_NAMES.map((name) => [`--${name}`, settings[name]] as const);
  const addresses: readonly (readonly [flag: string, address: ListenAddress | null])[] = [
    ...[["-p", { address: bind, port }] as const, ["--admin", admin] as const],
    ...own,
    ["--ws", ws],
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

/** Reports an error in usage or configuration. @throws StartError  always */
export function fail(sentence: string): never {
  throw new StartError(sentence, 2);
}
