/**
 * The families of commands that belong to faces, and how to load their code and the kinds of their values. To add a family, add a line to this file and
 * to daemon/store/command-table.ts, and run `npm run tables`.
 */
import { loadFamilies, provideFamilies } from "../daemon/store/family-code.js";
import type { LoadRows } from "../daemon/store/rows/command-families.js";
import { registerValueKind } from "../daemon/store/values/value-kinds.js";

export const FACES_FAMILIES = {
  "redis/bitmaps": async () => (await import("./redis/store/commands/bitmaps/bitmaps.js")).bitmaps,
  "redis/hyperloglogs": async () => (await import("./redis/store/commands/hyperloglogs.js")).hyperloglogs,
  "redis/dumps": async () => (await import("./redis/store/commands/dump.js")).dumps,
  "redis/sorting": async () => (await import("./redis/store/commands/sort.js")).sorting,
  "redis/streams": async () => {
    registerValueKind((await import("./redis/store/values/streams/stream.js")).STREAM_KIND);
    const { streams } = await import("./redis/store/commands/streams/streams.js");
    const { consumerGroups } = await import("./redis/store/commands/streams/consumer-groups.js");
    return [...streams, ...consumerGroups];
  },
  "redis/geo": async () => (await import("./redis/store/commands/geo/geo.js")).geo,
  "json/documents": async () => {
    registerValueKind((await import("./json/store/values/document.js")).DOCUMENT_KIND);
    return (await import("./json/store/commands/documents.js")).documents;
  },
  "sql/relations": async () => {
    registerValueKind((await import("./sql/store/values/table.js")).TABLE_KIND);
    return (await import("./sql/store/commands/sql-commands.js")).relations;
  },
  "mongo/collections": async () => {
    registerValueKind((await import("./mongo/store/values/collection.js")).COLLECTION_KIND);
    return (await import("./mongo/store/commands/mdb-commands.js")).collections;
  },
} as const satisfies Readonly<Record<string, LoadRows>>;

/** Loads the code of all families, for a program that runs commands of all kinds. */
export async function useAllFamilies(): Promise<void> {
  provideFamilies(FACES_FAMILIES);
  await loadFamilies();
}
