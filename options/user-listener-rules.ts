/** Checks combinations of options with listeners for users, or without. */

import type { ListenPlace } from "../net/process/place.js";
import { StartError } from "../net/process/start-error.js";
import { isRedis } from "./database-list.js";
import { hasTimeline, type Settings, USER_LISTENER_NAMES } from "./settings.js";

/** `--resp, --json and --memcached`. */
export function allUserListeners(word: "and" | "or"): string {
  const flags = USER_LISTENER_NAMES.map((name) => `--${name}`);
  return flags.join(", ").replace(/, (?=[^,]*$)/, ` ${word} `);
}

/** @throws StartError  with the cures */
export function validateUserListeners(settings: Settings): void {
  const { aclFile, database, json, jsonReplicas, allowAnonymous } = settings;
  const { enableDebugCommand, notifyKeyspaceEvents } = settings;
  const asked = USER_LISTENER_NAMES.filter((name) => settings[name] !== null).map((name) => `--${name}`);
  if (aclFile !== null && asked.length === 0)
    fail(`--acl-file names the users of ${allUserListeners("and")}: give one of them too.`);
  if (jsonReplicas.length > 0 && json === null)
    fail("--json-replica passes on what JSON clients write: give --json too.");
  if (jsonReplicas.length > 0 && hasTimeline(settings))
    fail(
      "--json-replica requires the in-memory database: an original numbers all entries again at each deletion, and a daemon with --data or " +
        "--peer does not. Leave it out: --peer replicates between dbsyncd daemons, dbsync import json: takes over an original's documents.",
    );
  if (allowAnonymous && asked.length === 0)
    fail(
      `--allow-anonymous is about the users of ${allUserListeners("and")}: give one of them too, or leave it out.`,
    );
  if (enableDebugCommand !== "no" && settings.resp === null)
    fail("--enable-debug-command is about the clients of --resp: give it too, or leave this out.");
  if (notifyKeyspaceEvents.text !== "" && settings.resp === null)
    fail("--notify-keyspace-events is about the clients of --resp: give it too, or leave this out.");
  if (settings.sqlLanguage !== "mg" && settings.sql === null)
    fail("--sql-language is about the answers of --sql: give --sql too, or leave this out.");
  if (asked.length === 0) return;
  if (!hasTimeline(settings) && (database.length > 1 || database.some(({ kind }) => isRedis(kind))))
    fail(
      `${asked.join(" and ")} serves the database in this daemon's memory; the Redis server of -d redis serves its ` +
        `clients itself. Leave out ${asked.join(" and ")} or -d.`,
    );
}

/** @throws StartError  two listeners have the same place */
export function refuseSamePlaces(settings: Settings): void {
  const { bind, port, admin, ws } = settings;
  const own = USER_LISTENER_NAMES.map((name) => [`--${name}`, settings[name]] as const);
  const places: readonly (readonly [flag: string, place: ListenPlace | null])[] = [
    ...[["-p", { address: bind, port }] as const, ["--admin", admin] as const],
    ...own,
    ["--ws", ws],
  ];
  for (const [at, [flag, place]] of places.entries()) {
    const other = places
      .slice(0, at)
      .find(([, one]) => one?.port === place?.port && one?.address === place?.address);
    if (place === null || place.port === 0 || other === undefined) continue;
    fail(
      `${flag} and ${other[0]} both name port ${place.port} of ${place.address}: give each a port of its own.`,
    );
  }
}

function fail(sentence: string): never {
  throw new StartError(sentence, 2);
}
