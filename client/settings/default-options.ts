/**
 * Reads the defaults of options: from the environment, then from dbsync.ini, then the defaults of the original driver.
 * Each setting is looked up separately. This module caches nothing; dbsync-send.ts caches the defaults.
 */
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { didYouMean } from "../../protocol/nearest-name.js";
import { badOption, DbsyncError } from "../shared/errors.js";
import type { Format } from "../shared/outcome.js";
import {
  type Address,
  parseServers,
  readVersions,
  VERSIONS_ALLOWED,
  type Versions,
} from "../shared/server-list.js";

/** The original daemon's default address. */
const DEFAULT_SERVERS = "127.0.0.1:1111";
const BY_DEFAULT = "the default";

const INI_NAME = "dbsync.ini";

/**
 * The defaults. `signkey` is a path, "" for unsigned; `cluster` is "" if not configured. The fields `…From` name the
 * source of a value, for messages.
 */
export interface Defaults {
  readonly servers: readonly Address[];
  readonly serversFrom: string;
  readonly signkey: string;
  readonly signkeyFrom: string;
  readonly cluster: string;
  /** A path; "" for the authorities that Node.js trusts. */
  readonly ca: string;
  readonly caFrom: string;
  readonly keepalive: boolean;
  readonly format: Format;
  /** The allowed versions, or null if they are not configured. */
  readonly versions: Versions | null;
}

/** The variables and folders of the process, or of a test. */
export interface DefaultSources {
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly folder: string;
  readonly home: string;
  readonly system: string;
}

export function defaultSources(): DefaultSources {
  return { variables: process.env, folder: process.cwd(), home: homedir(), system: "/etc" };
}

/**
 * Reads the defaults.
 * @throws DbsyncError `bad-config`: the first dbsync.ini found is not readable or not valid;
 * `bad-option`: DBSYNC_SERVERS, DBSYNC_CLUSTER or DBSYNC_VERSIONS is not valid
 */
export function readDefaults(sources: DefaultSources): Defaults {
  const {
    DBSYNC_SERVERS: servers = "",
    DBSYNC_SIGNKEY: signkey,
    DBSYNC_CLUSTER: cluster,
  } = sources.variables;
  // If the environment names servers and a key, no ini file is read, because its cluster belongs to other servers.
  const ini = servers !== "" && signkey !== undefined ? null : findIni(sources);

  return {
    ...readServers(servers, ini),
    ...readSignkey(signkey, ini),
    cluster: readCluster(cluster, ini),
    ...readCa(sources, ini),
    versions: readVersionsFrom(sources, ini),
    ...readKeepaliveAndFormat(ini),
  };
}

/** The values of a boolean setting, as in PHP. */
const ON: readonly string[] = ["1", "on", "yes", "true"];
const OFF: readonly string[] = ["0", "off", "no", "false", "none", ""];

const FORMATS: readonly Format[] = ["text", "php-dbsync"];

/** Reads the settings that exist only in dbsync.ini. */
function readKeepaliveAndFormat(ini: FoundIni | null): { keepalive: boolean; format: Format } {
  const { keepalive = "1", format = "text" } = ini?.settings ?? {};
  const fail = (name: string, value: string, allowed: string) =>
    new DbsyncError(
      "bad-config",
      `${ini?.file}: dbsync.${name} is ${JSON.stringify(value)}, allowed: ${allowed}`,
    );

  const isKeepalive = ON.includes(keepalive.toLowerCase());
  if (!isKeepalive && !OFF.includes(keepalive.toLowerCase()))
    throw fail("keepalive", keepalive, "1 or 0, On or Off");

  const known = FORMATS.find((each) => each === format);
  if (known === undefined) throw fail("format", format, FORMATS.join(" or "));
  return { keepalive: isKeepalive, format: known };
}

function readVersionsFrom({ variables }: DefaultSources, ini: FoundIni | null): Versions | null {
  const variable = variables["DBSYNC_VERSIONS"];
  const text = variable ?? ini?.settings.versions ?? "";
  const versions = readVersions(text);
  if (text === "" || versions !== null) return versions;
  if (variable !== undefined) throw badOption("DBSYNC_VERSIONS", text, VERSIONS_ALLOWED);
  throw new DbsyncError(
    "bad-config",
    `${ini?.file}: dbsync.versions is ${JSON.stringify(text)}, allowed: ${VERSIONS_ALLOWED}`,
  );
}

function readCa({ variables }: DefaultSources, ini: FoundIni | null): { ca: string; caFrom: string } {
  const file = variables["DBSYNC_CA"];
  if (file !== undefined) return { ca: file, caFrom: "DBSYNC_CA" };
  if (!ini?.settings.ca) return { ca: "", caFrom: BY_DEFAULT };
  return { ca: resolve(dirname(ini.file), ini.settings.ca), caFrom: `${ini.file}: dbsync.ca` };
}

function readCluster(variable: string | undefined, ini: FoundIni | null): string {
  const cluster = variable ?? ini?.settings.cluster ?? "";
  if (cluster === "" || /^[\da-f]{64}$/i.test(cluster)) return cluster;
  if (variable !== undefined) throw badOption("DBSYNC_CLUSTER", cluster, "64 hexadecimal digits");
  throw new DbsyncError(
    "bad-config",
    `${ini?.file}: dbsync.cluster is ${cluster}, allowed: 64 hexadecimal digits`,
  );
}

function readServers(
  variable: string,
  ini: FoundIni | null,
): { servers: readonly Address[]; serversFrom: string } {
  if (variable !== "")
    return { servers: parseServers(variable, "DBSYNC_SERVERS"), serversFrom: "DBSYNC_SERVERS" };
  if (!ini?.settings.servers) return { servers: parseServers(DEFAULT_SERVERS), serversFrom: BY_DEFAULT };
  try {
    return { servers: parseServers(ini.settings.servers, "dbsync.servers"), serversFrom: ini.file };
  } catch (cause) {
    if (!(cause instanceof DbsyncError)) throw cause;
    throw new DbsyncError("bad-config", `${ini.file}: ${cause.message}`, { cause });
  }
}

function readSignkey(
  variable: string | undefined,
  ini: FoundIni | null,
): { signkey: string; signkeyFrom: string } {
  if (variable !== undefined) return { signkey: variable, signkeyFrom: "DBSYNC_SIGNKEY" };
  if (!ini?.settings.signkey) return { signkey: "", signkeyFrom: ini === null ? BY_DEFAULT : ini.file };
  return { signkey: resolve(dirname(ini.file), ini.settings.signkey), signkeyFrom: ini.file };
}

interface FoundIni {
  readonly file: string;
  readonly settings: IniSettings;
}

function findIni(sources: DefaultSources): FoundIni | null {
  const userFolder = sources.variables["XDG_CONFIG_HOME"] || join(sources.home, ".config");
  const files = [
    resolve(sources.folder, INI_NAME),
    join(userFolder, "dbsync", INI_NAME),
    join(sources.system, INI_NAME),
  ];
  for (const file of files) {
    const text = readIfThere(file);
    if (text !== null) return { file, settings: parseIni(text, file) };
  }
  return null;
}

function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    throw new DbsyncError("bad-config", `${file} cannot be read (${code}); make it readable or remove it`, {
      cause,
    });
  }
}

const SETTINGS = ["servers", "signkey", "cluster", "ca", "keepalive", "format", "versions"] as const;

/** Lines of a php.ini fragment for the original extension that have no meaning here. */
const FOREIGN = ["extension"];

/** The settings that the file contains. */
type IniSettings = Partial<Record<(typeof SETTINGS)[number], string>>;

/**
 * Parses the text of an ini file, which has the syntax of php.ini: `dbsync.servers = …`; `;` begins a comment, quotes
 * are optional, section headers are ignored. The prefix is optional. `extension = …` is for PHP and is skipped. If a
 * setting occurs twice, the last one is used, as in PHP.
 * @param file  for messages
 * @throws DbsyncError `bad-config`, naming file and line
 */
export function parseIni(text: string, file: string): IniSettings {
  const settings: IniSettings = {};
  for (const [index, raw] of text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith(";") || /^\[[^\]]*\]\s*(;.*)?$/.test(line)) continue;
    const fail = (problem: string) => new DbsyncError("bad-config", `${file}, line ${index + 1}: ${problem}`);
    if (line.startsWith("#")) throw fail("a comment begins with ;, not with #");

    const equals = line.indexOf("=");
    if (equals < 1) throw fail(`expected "name = value", found ${JSON.stringify(line)}`);
    const name = line.slice(0, equals).trim();
    if (FOREIGN.includes(name)) continue;

    const known = SETTINGS.find((setting) => name === setting || name === `dbsync.${setting}`);
    if (known === undefined) {
      throw fail(
        `there is no setting ${JSON.stringify(name)}: ${didYouMean(name, SETTINGS.map(named))}There are ${SETTINGS.map(named).join(", ")}`,
      );
    }
    settings[known] = readValue(line.slice(equals + 1).trim(), fail);
  }
  return settings;
}

const named = (setting: string): string => `dbsync.${setting}`;

function readValue(text: string, fail: (problem: string) => DbsyncError): string {
  const quote = text[0];
  if (quote !== '"' && quote !== "'") return (text.split(";", 1)[0] ?? "").trim();
  const end = text.indexOf(quote, 1);
  if (end < 0) throw fail(`the quote ${quote} is not closed`);
  const rest = text.slice(end + 1).trim();
  if (rest !== "" && !rest.startsWith(";"))
    throw fail(`expected nothing after the closing quote, found ${rest}`);
  return text.slice(1, end);
}
