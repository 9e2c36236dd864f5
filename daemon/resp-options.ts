/** The options of the listener for Redis clients, and which combinations of them make sense. */
import { Option } from "commander";
import { type AdminPlace, parsePlace } from "./admin/place.js";
import { explained, parsePath } from "./option-values.js";
import type { Settings } from "./settings.js";
import { StartError } from "./start-error.js";

const GROUP = "Redis clients:";

/** What commander leaves. */
export interface RawRespOptions {
  resp?: AdminPlace;
  aclFile?: string;
}

export function respOptions(): Option[] {
  return [
    new Option("--resp <place>", "serve Redis clients on a port of 127.0.0.1 (6379, say), or on address:port")
      .argParser((text: string) => explained(() => parsePlace(text)))
      .env("DBSYNCD_RESP")
      .helpGroup(GROUP),
    new Option("--acl-file <file>", "their users, passwords and rules, in the format of Redis's aclfile")
      .argParser(parsePath)
      .env("DBSYNCD_ACL_FILE")
      .helpGroup(GROUP),
  ];
}

export function respSettingsOf({ resp, aclFile }: RawRespOptions): Pick<Settings, "resp" | "aclFile"> {
  return { resp: resp ?? null, aclFile: aclFile ?? null };
}

/** @throws StartError  with the cures */
export function validateResp({ resp, aclFile, database, bind, port, admin }: Settings): void {
  if (aclFile !== null && resp === null) fail("--acl-file names the users of --resp: give --resp PORT too.");
  if (resp === null) return;
  if (database.length > 1 || database.some(({ kind }) => kind !== "memory"))
    fail(
      "--resp serves the database in this daemon's memory; a Redis server behind -d redis serves its clients itself. " +
        "Leave out --resp or -d.",
    );
  const others = { "-p": { address: bind, port }, "--admin": admin };
  for (const [flag, other] of Object.entries(others)) {
    if (resp.port !== 0 && other?.port === resp.port && other.address === resp.address)
      fail(`--resp and ${flag} both name port ${resp.port} of ${resp.address}: give each a port of its own.`);
  }
}

function fail(sentence: string): never {
  throw new StartError(sentence, 2);
}
