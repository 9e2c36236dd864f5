/**
 * Profiles: servers with their pins, and a key, under a name. They are stored in `dbsync/profiles.json` in
 * XDG_CONFIG_HOME (~/.config). Only the file's owner may write it, because a changed profile would send commands to
 * other servers.
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import {
  type DefaultSources,
  type Defaults,
  readDefaults,
} from "../../../client/settings/default-options.js";
import { DbsyncError } from "../../../client/shared/errors.js";
import { parseServers, readVersions, VERSIONS_ALLOWED } from "../../../client/shared/server-list.js";
import { shown } from "../../../daemon/net/terminal/terminal-text.js";
import { discard, makeFolder, publishOver, stage, writingFailure } from "../../../keys/atomic-file.js";
import { didYouMean } from "../../../protocol/nearest-name.js";

/** A profile. Files are absolute paths, "" for none. It contains no secrets: the key is the path of its file. */
export interface Profile {
  /** Servers in the form of -s, with pins. */
  readonly servers: string;
  readonly key: string;
  readonly ca: string;
  readonly cluster: string;
  /** The allowed versions of the protocol, "" for the default. */
  readonly versions: string;
}

export interface Profiles {
  /** The profile that is used if no option or variable names servers, or null if there is none. */
  readonly current: string | null;
  readonly profiles: ReadonlyMap<string, Profile>;
}

const FILE = "profiles.json";
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
const WRITABLE_BY_OTHERS = 0o022;
const BYTES_MAX = 1_048_576;
const FIELDS = ["servers", "key", "ca", "cluster", "versions"] as const satisfies (keyof Profile)[];
const NAME = /^[a-z0-9][\w.-]{0,63}$/i;
export const NAME_FORM =
  "up to 64 letters, digits, dots, dashes and underscores, and begins with a letter or digit";

export const isProfileName = (name: string): boolean => NAME.test(name);

export function profilesFile({ variables, home }: DefaultSources): string {
  return join(variables["XDG_CONFIG_HOME"] || join(home, ".config"), "dbsync", FILE);
}

/** Reads all profiles. @throws DbsyncError `bad-config` */
export function readProfiles(sources: DefaultSources): Profiles {
  const file = profilesFile(sources);
  const fail = (problem: string) => new DbsyncError("bad-config", `${file} ${problem}`);
  let text: string;
  try {
    const { mode, size } = statSync(file);
    if ((mode & WRITABLE_BY_OTHERS) !== 0)
      throw fail(`can be changed by other users, who could redirect your commands: chmod 600 ${file}`);
    if (size > BYTES_MAX)
      throw fail(`has more than ${BYTES_MAX} bytes; remove it and add the profiles again`);
    text = readFileSync(file, "utf8");
  } catch (cause) {
    if (cause instanceof DbsyncError) throw cause;
    const { code = "" } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return { current: null, profiles: new Map() };
    throw fail(`cannot be read (${code}); make it readable or remove it`);
  }

  const found = parseProfiles(text);
  if (found === null)
    throw fail(
      'has the wrong format; expected {"current": name or null, "profiles": {name: {"servers": …}}}; correct it or remove it',
    );
  return found;
}

/** Parses a file of profiles. Returns null if it is invalid. */
function parseProfiles(text: string): Profiles | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return null;
  }

  if (!isObject(parsed) || !isObject(parsed["profiles"])) return null;
  const { current, profiles } = parsed;
  const entries = Object.entries(profiles as Record<string, unknown>).map(
    ([name, fields]): [string, Profile | null] => [name, isProfileName(name) ? profileOf(fields) : null],
  );
  const isCurrent =
    current === null || (typeof current === "string" && entries.some(([name]) => name === current));
  if (!isCurrent || entries.some(([, profile]) => profile === null)) return null;
  return { current: current as string | null, profiles: new Map(entries as [string, Profile][]) };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function profileOf(fields: unknown): Profile | null {
  if (!isObject(fields)) return null;
  const texts = FIELDS.map((name) => [name, fields[name] ?? ""] as const);
  if (texts.some(([, text]) => typeof text !== "string")) return null;
  const profile = Object.fromEntries(texts) as unknown as Profile;
  return profile.servers === "" ? null : profile;
}

/** Writes all profiles. @throws DbsyncError `bad-config`: the file cannot be written */
export function writeProfiles(sources: DefaultSources, { current, profiles }: Profiles): void {
  const file = profilesFile(sources);
  let staged: string | null = null;
  try {
    makeFolder(dirname(file), FOLDER_MODE);
    const text = JSON.stringify({ current, profiles: Object.fromEntries(profiles) }, null, 2);
    staged = stage(file, `${text}\n`, FILE_MODE);
    publishOver(staged, file);
  } catch (cause) {
    const reason = writingFailure(cause) ?? (cause as Error).message;
    throw new DbsyncError(
      "bad-config",
      `${file} cannot be written (${reason}). Correct the folder, or set XDG_CONFIG_HOME to another one`,
      { cause },
    );
  } finally {
    if (staged !== null) discard(staged);
  }
}

/** Returns the profile with the given name. @throws DbsyncError `bad-option`: there is no such profile */
export function profileNamed(name: string, { profiles }: Profiles): Profile {
  const profile = profiles.get(name);
  if (profile !== undefined) return profile;
  throw new DbsyncError(
    "bad-option",
    `there is no profile ${JSON.stringify(name)}: ${didYouMean(name, profiles.keys())}dbsync profile list shows all profiles`,
  );
}

/** The profile that a call uses. */
export interface UsedProfile {
  readonly name: string;
  readonly profile: Profile;
  /** Whether --profile or DBSYNC_PROFILE named it; otherwise `dbsync profile use` selected it. */
  readonly isNamed: boolean;
}

/**
 * Returns the profile that names the servers, or null if they come from another source. Options and variables take
 * precedence over profiles, and a dbsync.ini in the current folder takes precedence over the profile of `dbsync profile
 * use`.
 * @throws DbsyncError
 */
export function profileFor(
  { servers, profile: wanted }: { readonly servers?: string; readonly profile?: string },
  sources: DefaultSources,
): UsedProfile | null {
  if (wanted !== undefined)
    return { name: wanted, profile: profileNamed(wanted, readProfiles(sources)), isNamed: true };
  const { DBSYNC_SERVERS: listed = "", DBSYNC_PROFILE: variable = "" } = sources.variables;
  if (servers !== undefined || listed !== "") return null;
  if (variable !== "")
    return { name: variable, profile: profileNamed(variable, readProfiles(sources)), isNamed: true };
  if (existsSync(resolve(sources.folder, "dbsync.ini"))) return null;
  const known = readProfiles(sources);
  const { current } = known;
  return current === null ? null : { name: current, profile: profileNamed(current, known), isNamed: false };
}

/**
 * Returns the values of a profile, completed from the environment.
 * @throws DbsyncError  as `readDefaults`; the message names the profile
 */
export function defaultsOf({ name, profile, isNamed }: UsedProfile, sources: DefaultSources): Defaults {
  const from = `the profile ${name}`;
  const own = {
    DBSYNC_SERVERS: profile.servers,
    DBSYNC_SIGNKEY: profile.key,
    DBSYNC_CLUSTER: profile.cluster,
    DBSYNC_CA: profile.ca,
    DBSYNC_VERSIONS: profile.versions,
  };

  const variables = isNamed
    ? { ...sources.variables, ...own }
    : { ...own, ...withoutEmpty(sources.variables) };
  checkProfile(profile, name);
  const keyFrom = variables.DBSYNC_SIGNKEY === profile.key ? from : "DBSYNC_SIGNKEY";
  return {
    ...readDefaults({ ...sources, variables }),
    serversFrom: from,
    signkeyFrom: keyFrom,
  };
}

/** Returns the variables that are set; an empty DBSYNC_SERVERS counts as unset. */
const withoutEmpty = (variables: DefaultSources["variables"]): Record<string, string | undefined> =>
  Object.fromEntries(
    Object.entries(variables).filter(
      ([name, value]) => value !== undefined && (name !== "DBSYNC_SERVERS" || value !== ""),
    ),
  );

/** Checks a profile's fields. @throws DbsyncError `bad-option`: a field is invalid */
export function checkProfile({ servers, cluster, versions }: Profile, name: string): void {
  parseServers(servers, `the servers of the profile ${name}`);
  const fail = (field: string, allowed: string) =>
    new DbsyncError("bad-option", `the ${field} of the profile ${name} cannot be used, allowed: ${allowed}`);
  if (cluster !== "" && !/^[\da-f]{64}$/i.test(cluster)) throw fail("cluster", "64 hexadecimal digits");
  if (versions !== "" && readVersions(versions) === null) throw fail("versions", VERSIONS_ALLOWED);
}

/** Describes a profile, such as `the profile prod: db1:1111,db2:1111`. */
export const describeProfile = ({ name, profile }: UsedProfile): string =>
  `the profile ${name}: ${shown(profile.servers)}`;
