/** The options of --admin: where it is served, and by which names. */
import { InvalidArgumentError, Option } from "commander";
import { StartError } from "../process/start-error.js";
import { explained } from "./option-values.js";
import { type ListenPlace, parsePlace } from "./place.js";
import type { Settings } from "./settings.js";

const NAMES_MOST = 64;
/** Without a port: a name of DNS, with or without a dot at its end. */
const NAME = /^[a-z0-9_]([a-z0-9_.-]{0,252})$/i;

/** What commander leaves. */
export interface RawAdminOptions {
  admin?: ListenPlace;
  adminHost: readonly string[];
}

export function adminOptions(group: string): Option[] {
  return [
    new Option("--admin <place>", "serve /healthz and /metrics on a port of 127.0.0.1, or on address:port")
      .argParser((text: string) => explained(() => parsePlace(text)))
      .env("DBSYNCD_ADMIN")
      .helpGroup(group),
    new Option(
      "--admin-host <name>",
      "a name by which they may be asked for, besides addresses and localhost (repeatable)",
    )
      .default([], "none")
      .argParser(addNames)
      .env("DBSYNCD_ADMIN_HOST")
      .helpGroup(group),
  ];
}

/** With commas between, since a variable can stand there but once. */
function addNames(text: string, before: readonly string[] = []): readonly string[] {
  return adminHostsOf(text.split(","), before);
}

/** @param texts  one name each, as in a configuration file */
export function adminHostsOf(texts: readonly string[], before: readonly string[] = []): readonly string[] {
  const names = [...before, ...texts.map((text) => text.trim().toLowerCase())];
  const wrong = names.find((name) => !NAME.test(name));
  if (wrong !== undefined) throw new InvalidArgumentError(`Expected a host's name, such as db1.example.`);
  if (names.length > NAMES_MOST) throw new InvalidArgumentError(`Expected ${NAMES_MOST} names at most.`);
  return names;
}

export function adminSettingsOf({
  admin,
  adminHost,
}: RawAdminOptions): Pick<Settings, "admin" | "adminHosts"> {
  return { admin: admin ?? null, adminHosts: adminHost };
}

/** @throws StartError */
export function validateAdmin({ admin, adminHosts }: Pick<Settings, "admin" | "adminHosts">): void {
  if (admin === null && adminHosts.length > 0)
    throw new StartError("--admin-host names what --admin is asked for by: give --admin too.", 2);
}
