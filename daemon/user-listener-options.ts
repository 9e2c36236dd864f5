/** The options of the listeners for users, and which combinations of them make sense. */
import { Option } from "commander";
import { type AdminPlace, parsePlace } from "./admin/place.js";
import { explained, parsePath } from "./option-values.js";
import type { Settings, UserListenerName } from "./settings.js";
import { StartError } from "./start-error.js";

/** The original server's. */
const JSON_PORT = "8888";
const GROUP = "Clients without signatures:";

/** Each an option, and a setting of the same name. */
export const USER_LISTENER_NAMES: readonly UserListenerName[] = ["resp", "json"];

/** What commander leaves. */
export interface RawUserListenerOptions extends Partial<Record<UserListenerName, AdminPlace>> {
  aclFile?: string;
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
    new Option("--acl-file <file>", "their users, passwords and rules, in the format of Redis's aclfile")
      .argParser(parsePath)
      .env("DBSYNCD_ACL_FILE")
      .helpGroup(GROUP),
  ];
}

export function userListenerSettingsOf({
  resp,
  json,
  aclFile,
}: RawUserListenerOptions): Pick<Settings, UserListenerName | "aclFile"> {
  return { resp: resp ?? null, json: json ?? null, aclFile: aclFile ?? null };
}

/** Whether there is any. */
export function hasUserListener(settings: Pick<Settings, UserListenerName>): boolean {
  return USER_LISTENER_NAMES.some((name) => settings[name] !== null);
}

/** @throws StartError  with the cures */
export function validateUserListeners(settings: Settings): void {
  const { aclFile, database, bind, port, admin } = settings;
  const asked = USER_LISTENER_NAMES.filter((name) => settings[name] !== null).map((name) => `--${name}`);
  if (aclFile !== null && asked.length === 0) {
    const all = USER_LISTENER_NAMES.map((name) => `--${name}`).join(" and ");
    fail(`--acl-file names the users of ${all}: give --resp PORT too.`);
  }
  if (asked.length === 0) return;
  if (database.length > 1 || database.some(({ kind }) => kind !== "memory"))
    fail(
      `${asked.join(" and ")} serves the database in this daemon's memory; a Redis server behind -d redis serves its ` +
        `clients itself. Leave out ${asked.join(" and ")} or -d.`,
    );
  const own = USER_LISTENER_NAMES.map((name) => [`--${name}`, settings[name]] as const);
  refuseSamePlaces([["-p", { address: bind, port }], ["--admin", admin], ...own]);
}

function refuseSamePlaces(places: readonly (readonly [flag: string, place: AdminPlace | null])[]): void {
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
