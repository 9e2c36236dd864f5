/** Mutants of the order of scans. With each of them, pages skip existing elements. */
import type { Mutant } from "./mutant.js";

const PAGE = "daemon/store/values/tables/scan-page.js";
const TABLE = "test/daemon/store/values/tables/dense-table.test.js";

export const scanMutants: readonly Mutant[] = [
  {
    name: "scans: the next page of an index begins where its pass over a segment ended",
    file: PAGE,
    find: "return next;\n}",
    replace: "return end;\n}",
    test: TABLE,
  },
  {
    name: "scans: the end of a page separates names with the same hash",
    file: PAGE,
    find: "while (found[size]?.hash === found[size - 1].hash)\n        size++;\n    const next = found[size]?.hash ?? end;",
    replace: "const next = found[size].hash + 1;",
    test: TABLE,
  },
  {
    name: "scans: a cursor of another process is continued with the hashes of this one",
    file: PAGE,
    find: "return isOfOtherProcess(cursor) ? 0 : cursor % HASHES;",
    replace: "return cursor % HASHES;",
    test: "test/daemon/store/commands/generic.test.js",
  },
  {
    name: "scans: a transaction accepts the cursor of another daemon",
    file: "daemon/cluster/replica/timeline-backend.js",
    find: "return refused ?? database.sharing",
    replace: "return this.standstill ?? database.sharing",
    test: "test/daemon/engine/backends/scan-cursor.test.js",
  },
  {
    name: "scans: another daemon's cursor is found only in its usual form",
    file: "daemon/engine/backends/scan-cursor.js",
    find: "cursor === undefined ? undefined : cursorOf(cursor)",
    replace: "cursor === undefined || !/^\\d+$/.test(cursor) ? undefined : cursorOf(cursor)",
    test: "test/daemon/engine/backends/scan-cursor.test.js",
  },
  {
    name: "scans: log --follow skips entries that are missing in one answer",
    file: "tools/history/log.js",
    find: "const readsEarlierPage = isMissing && ",
    replace: "const asksOn = false && ",
    test: "test/tools/history/log.test.js",
  },
  {
    name: "scans: a table is scanned by position",
    file: "daemon/store/values/tables/dense-table.js",
    find: "return indexedPage(this.#index, request);",
    replace:
      "{ const at = request.from || this.items.length; const to = Math.max(0, at - request.count); return { slots: Array.from({ length: at - to }, (_, i) => to + i), next: to }; }",
    test: "test/daemon/timeline/fold/scan-order.test.js",
  },
  {
    name: "scans: states are summed by position, so that keys that move count twice",
    file: "daemon/timeline/state-digests.js",
    find: "let from = 0;\n    do {",
    replace:
      "for (let slot = keyspace.size - 1; slot >= 0; slot--) { if (keyspace.entries[slot] !== undefined) visit(keyspace.entries[slot]); if (slot % KEYS_PER_STEP === 0) yield; }\n    return;\n    let from = 0;\n    do {",
    test: "test/daemon/timeline/state-digests.test.js",
  },
];
