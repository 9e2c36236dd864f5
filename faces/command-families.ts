/**
 * The families of commands that belong to faces, and how to load their code. To add a family, add a line to this file and
 * to `OWN_ORDER` of daemon/store/command-table.ts, and run `npm run tables`.
 */
import type { LoadRows } from "../daemon/store/rows/command-families.js";

export const COMMAND_FAMILIES = {
  bitmaps: async () => (await import("./redis/store/commands/bitmaps/bitmaps.js")).bitmaps,
  hyperloglogs: async () => (await import("./redis/store/commands/hyperloglogs.js")).hyperloglogs,
  dumps: async () => (await import("./redis/store/commands/dump.js")).dumps,
  sorting: async () => (await import("./redis/store/commands/sort.js")).sorting,
  streams: async () => (await import("./redis/store/commands/streams/streams.js")).streams,
  "consumer-groups": async () =>
    (await import("./redis/store/commands/streams/consumer-groups.js")).consumerGroups,
  geo: async () => (await import("./redis/store/commands/geo/geo.js")).geo,
  documents: async () => (await import("./json/store/commands/documents.js")).documents,
  relations: async () => (await import("./sql/store/commands/sql-commands.js")).relations,
  collections: async () => (await import("./mongo/store/commands/mdb-commands.js")).collections,
} as const satisfies Readonly<Record<string, LoadRows>>;
