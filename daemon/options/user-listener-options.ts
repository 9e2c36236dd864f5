/** The options of the listeners for users, and which combinations of them make sense. */
import { InvalidArgumentError, Option } from "commander";
import { StartError } from "../process/start-error.js";
import { explained, parsePath } from "./option-values.js";
import { parsePeer } from "./peer-address.js";
import type { ReplicaPlace } from "./place.js";
import { type ListenPlace, parsePlace } from "./place.js";
import { DEBUG_CLIENTS, type DebugClients, type Settings, type UserListenerName } from "./settings.js";
import { hasTimeline } from "./timeline-options.js";

/** The original server's. */
const JSON_PORT = "8888";
const GROUP = "Clients without signatures:";

/** Each an option, and a setting of the same name. */
export const USER_LISTENER_NAMES: readonly UserListenerName[] = ["resp", "json"];

/** What commander leaves. */
export interface RawUserListenerOptions extends Partial<Record<UserListenerName, ListenPlace>> {
  aclFile?: string;
  jsonReplica: readonly ReplicaPlace[];
  allowAnonymous: boolean;
  enableDebugCommand: DebugClients;
}

export function userListenerOptions(): Option[] {
  return [
    new Option("--resp <place>", "serve Redis clients on a port of 127.0.0.1 (6379, say), or on address:port")
      .argParser((text: string) => explained(() => parsePlace(text)))
      .env("DBSYNCD_RESP")
      .helpGroup(GROUP),
    new Option(
      "--json [place]",
      `serve JSON lines on a port of 127.0.0.1 (${JSON_PORT} unless given), or on address:port`,
    )
      .preset(JSON_PORT)
      .argParser((text: string) => explained(() => parsePlace(text)))
      .env("DBSYNCD_JSON")
      .helpGroup(GROUP),
    new Option(
      "--json-replica <host:port>",
      "an original server that is sent what JSON clients write (repeatable)",
    )
      .default([], "none")
      .argParser(addReplicas)
      .env("DBSYNCD_JSON_REPLICA")
      .helpGroup(GROUP),
    new Option("--acl-file <file>", "their users, passwords and rules, in the format of Redis's aclfile")
      .argParser(parsePath)
      .env("DBSYNCD_ACL_FILE")
      .helpGroup(GROUP),
    new Option(
      "--allow-anonymous",
      "although some user needs no password, listen for them on addresses that others can reach",
    )
      .default(false)
      .env("DBSYNCD_ALLOW_ANONYMOUS")
      .helpGroup(GROUP),
    new Option("--enable-debug-command <who>", "which Redis clients may send DEBUG, as in Redis")
      .choices(DEBUG_CLIENTS)
      .default("no" satisfies DebugClients)
      .env("DBSYNCD_ENABLE_DEBUG_COMMAND")
      .helpGroup(GROUP),
  ];
}

/** With commas between, since a variable can stand there but once. */
function addReplicas(text: string, before: readonly ReplicaPlace[] = []): readonly ReplicaPlace[] {
  return replicasOf(text.split(","), before);
}

/** @param texts  one server each, as in a configuration file */
export function replicasOf(
  texts: readonly string[],
  before: readonly ReplicaPlace[] = [],
): readonly ReplicaPlace[] {
  const replicas = [...before, ...texts.map((text) => explained(() => parseReplica(text.trim())))];
  const places = replicas.map(({ host, port }) => `${host} ${port}`);
  if (new Set(places).size < places.length) throw new InvalidArgumentError("A server is named twice.");
  return replicas;
}

/** @throws RangeError  a sentence: what is expected */
function parseReplica(text: string): ReplicaPlace {
  if (/^dbsyncs:|#/.test(text)) throw new RangeError("Expected host:port: the original knows no encryption.");
  try {
    const { host, port } = parsePeer(text);
    return { host, port };
  } catch {
    throw new RangeError(`Expected host:port, such as db1:${JSON_PORT}.`);
  }
}

export function userListenerSettingsOf({
  resp,
  json,
  aclFile,
  jsonReplica,
  allowAnonymous,
  enableDebugCommand,
}: RawUserListenerOptions): Pick<
  Settings,
  UserListenerName | "aclFile" | "jsonReplicas" | "allowAnonymous" | "enableDebugCommand"
> {
  return {
    ...{ resp: resp ?? null, json: json ?? null, aclFile: aclFile ?? null },
    ...{ jsonReplicas: jsonReplica, allowAnonymous, enableDebugCommand },
  };
}

/** Whether there is any. */
export function hasUserListener(settings: Pick<Settings, UserListenerName>): boolean {
  return USER_LISTENER_NAMES.some((name) => settings[name] !== null);
}

/** @throws StartError  with the cures */
export function validateUserListeners(settings: Settings): void {
  const { aclFile, database, bind, port, admin, json, jsonReplicas, allowAnonymous } = settings;
  const { enableDebugCommand } = settings;
  const asked = USER_LISTENER_NAMES.filter((name) => settings[name] !== null).map((name) => `--${name}`);
  if (aclFile !== null && asked.length === 0) {
    const all = USER_LISTENER_NAMES.map((name) => `--${name}`).join(" and ");
    fail(`--acl-file names the users of ${all}: give one of them too.`);
  }
  if (jsonReplicas.length > 0 && json === null)
    fail("--json-replica passes on what JSON clients write: give --json too.");
  if (jsonReplicas.length > 0 && hasTimeline(settings))
    fail(
      "--json-replica stands with the database in memory alone: with --data or --peer entries have ids of 19 digits, " +
        "which the original does not keep. Leave it out, and move over with dbsync import.",
    );
  if (allowAnonymous && asked.length === 0)
    fail("--allow-anonymous is about the users of --resp and --json: give one of them too, or leave it out.");
  if (enableDebugCommand !== "no" && settings.resp === null)
    fail("--enable-debug-command is about the clients of --resp: give it too, or leave this out.");
  if (asked.length === 0) return;
  if (database.length > 1 || database.some(({ kind }) => kind !== "memory"))
    fail(
      `${asked.join(" and ")} serves the database in this daemon's memory; a Redis server behind -d redis serves its ` +
        `clients itself. Leave out ${asked.join(" and ")} or -d.`,
    );
  const own = USER_LISTENER_NAMES.map((name) => [`--${name}`, settings[name]] as const);
  refuseSamePlaces([["-p", { address: bind, port }], ["--admin", admin], ...own]);
}

function refuseSamePlaces(places: readonly (readonly [flag: string, place: ListenPlace | null])[]): void {
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
