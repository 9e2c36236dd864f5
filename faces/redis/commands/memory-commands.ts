/**
 * The subcommands of MEMORY about the process. The figures come from V8, and differ from those of Redis's allocator.
 * Texts: redis-server 7.0.
 */
import { getHeapStatistics } from "node:v8";
import { bulk, double, integer, map, OK, type Reply, verbatim } from "../../../protocol/reply.js";
import type { RespSession, SessionHandler } from "../session/resp-session.js";

export const memoryHandlers: readonly (readonly [string, SessionHandler])[] = [
  ["MEMORY|DOCTOR", memoryDoctor],
  ["MEMORY|MALLOC-STATS", heapStatistics],
  ["MEMORY|PURGE", () => OK],
  ["MEMORY|STATS", memoryStatistics],
];

/** The share of the heap limit above which V8 spends most of its time on garbage collection. */
const HIGH_HEAP_SHARE = 0.8;

function memoryDoctor(): Reply {
  const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
  const share = Math.round((used / limit) * 100);
  const verdict =
    used / limit > HIGH_HEAP_SHARE
      ? "that is close to the limit; raise it with NODE_OPTIONS=--max-old-space-size=<MiB>"
      : "there is enough space";
  return bulk(`V8 uses ${share}% of its heap limit: ${verdict}.\n`);
}

function heapStatistics(): Reply {
  const lines = Object.entries(getHeapStatistics()).map(([name, value]) => `${name}: ${value}\n`);
  return verbatim(lines.join(""));
}

function memoryStatistics({ server }: RespSession): Reply {
  const { rss, heapUsed, heapTotal, external } = process.memoryUsage();
  const used = heapUsed + external;
  const keys = server.path.keyCounts.reduce((sum, counts) => sum + counts.keys, 0);
  const clients = server.clients.all();
  const buffered = clients.reduce(
    (sum, { requestBytes, answerBytes }) => sum + requestBytes + answerBytes,
    0,
  );
  return map([
    ...[bulk("total.allocated"), integer(used)],
    ...[bulk("clients.normal"), integer(buffered)],
    ...[bulk("keys.count"), integer(keys)],
    ...[bulk("keys.bytes-per-key"), integer(keys === 0 ? 0 : Math.round(used / keys))],
    ...[bulk("allocator.allocated"), integer(used)],
    ...[bulk("allocator.active"), integer(heapTotal + external)],
    ...[bulk("allocator.resident"), integer(rss)],
    ...[bulk("fragmentation"), double(Math.round((rss / used) * 100) / 100)],
    ...[bulk("fragmentation.bytes"), integer(Math.max(0, rss - used))],
  ]);
}
