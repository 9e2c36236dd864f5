/**
 * The families of commands that belong to faces, and how to load their code. To add a family, add a line to this file and
 * to daemon/store/command-table.ts, and run `npm run tables`.
 */
import { loadFamilies, provideFamilies } from "../daemon/store/family-code.js";
import type { LoadRows } from "../daemon/store/rows/command-families.js";

export const FACES_FAMILIES = {
  "redis/bitmaps": async () => (await import("./redis/store/commands/bitmaps/bitmaps.js")).bitmaps,
  "redis/hyperloglogs": async () => (await import("./redis/store/commands/hyperloglogs.js")).hyperloglogs,
  "redis/dumps": async () => (await import("./redis/store/commands/dump.js")).dumps,
  "redis/sorting": async () => (await import("./redis/store/commands/sort.js")).sorting,
  "redis/streams": async () => [
    ...(await import("./redis/store/commands/streams/streams.js")).streams,
    ...(await import("./redis/store/commands/streams/consumer-groups.js")).consumerGroups,
  ],
  "redis/geo": async () => (await import("./redis/store/commands/geo/geo.js")).geo,
  "json/documents": async () => (await import("./json/store/commands/documents.js")).documents,
  "sql/relations": async () => (await import("./sql/store/commands/sql-commands.js")).relations,
  "mongo/collections": async () => (await import("./mongo/store/commands/mdb-commands.js")).collections,
} as const satisfies Readonly<Record<string, LoadRows>>;

/** Loads the code of all families, for a program that runs commands of all kinds. */
export async function useAllFamilies(): Promise<void> {
  provideFamilies(FACES_FAMILIES);
  await loadFamilies();
}
