/**
 * The imports of the core that lead into faces/ or tools/. Each is removed when a registry of the core takes its place;
 * none is added. The list of faces, daemon/program/faces.ts, is no exception: test/tidy.test.ts has its rule.
 */
export const CORE_EXCEPTIONS: Readonly<Record<string, readonly string[]>> = {
  "daemon/store/command-table.ts": [
    "faces/json/store/commands/documents.ts",
    "faces/mongo/store/commands/mdb-commands.ts",
    "faces/redis/store/commands/bitmaps/bitmaps.ts",
    "faces/redis/store/commands/dump.ts",
    "faces/redis/store/commands/geo/geo.ts",
    "faces/redis/store/commands/hyperloglogs.ts",
    "faces/redis/store/commands/sort.ts",
    "faces/redis/store/commands/streams/consumer-groups.ts",
    "faces/redis/store/commands/streams/streams.ts",
    "faces/sql/store/commands/sql-commands.ts",
  ],
  "daemon/store/registered-kinds.ts": [
    "faces/json/store/values/document.ts",
    "faces/mongo/store/values/collection.ts",
    "faces/redis/store/values/streams/stream.ts",
    "faces/sql/store/values/table.ts",
  ],
};
