/**
 * Folders with modules, such as daemon/: what each module imports, and what the folder's README permits it to
 * import.
 */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { repositoryRoot } from "../support/repository.js";
import { importsOf, startedBy, texts } from "./imports.js";

/** Folders whose README has a table of modules, from the lowest up. */
export const HOUSES = [
  "protocol",
  "store",
  "timeline",
  "net",
  "options",
  "client",
  "engine",
  "cluster",
  "listeners",
  "daemon",
  "cli",
  "proxy",
] as const;
/**
 * The files directly in a folder. Without a row in the table they connect the modules, and may import all of them.
 */
export const HALL = ".";
/** A row of the table: a module, its purpose, the modules that it may import. */
const ROW = /^\| `([\w/-]+|\.)\/` \| [^|]+ \| ([^|]*) \|$/gm;

/** Returns module → modules that it may import, in the table's order: from the lowest up. */
export function roomsOfReadme(house: string): Map<string, readonly string[]> {
  const readme = readFileSync(join(repositoryRoot, house, "README.md"), "utf8");
  return new Map(
    [...readme.matchAll(ROW)].map(([, room, allowed]) => [
      room as string,
      [...(allowed as string).matchAll(/`([\w/-]+|\.)`/g)].map(([, name]) => name as string),
    ]),
  );
}

/** Returns null if the file is not in this folder. */
function roomOf(house: string, file: string): string | null {
  if (!file.startsWith(`${house}/`)) return null;
  return dirname(file).slice(house.length + 1) || HALL;
}

/** Returns module → number of its files. */
export function sizes(house: string): Map<string, number> {
  const found = new Map<string, number>();
  for (const file of texts.keys()) {
    const room = roomOf(house, file);
    if (room !== null) found.set(room, (found.get(room) ?? 0) + 1);
  }
  return found;
}

/** Returns module → modules that it imports → the files that show it, as `file → file`. */
export function arrows(house: string): Map<string, Map<string, string[]>> {
  const found = new Map<string, Map<string, string[]>>();
  for (const file of texts.keys()) {
    const from = roomOf(house, file);
    if (from === null) continue;
    for (const known of [...importsOf(file), ...startedBy(file)]) {
      const to = roomOf(house, known);
      if (to === null || to === from) continue;
      const rooms = found.get(from) ?? new Map<string, string[]>();
      found.set(from, rooms.set(to, [...(rooms.get(to) ?? []), `${file} → ${known}`]));
    }
  }
  return found;
}

/** Returns folder → number of its source files. */
export function folderSizes(): Map<string, number> {
  const found = new Map<string, number>();
  for (const file of texts.keys()) found.set(dirname(file), (found.get(dirname(file)) ?? 0) + 1);
  return found;
}
