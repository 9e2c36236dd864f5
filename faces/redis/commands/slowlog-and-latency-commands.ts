/** The commands SLOWLOG and LATENCY. Texts: redis-server 7.0. */

import { slowLogReply } from "../../../daemon/engine/slow-log/slow-log.js";
import { findCommand } from "../../../daemon/store/command-table.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { array, bulk, integer, map, OK, type Reply, verbatim } from "../../../protocol/reply.js";
import type { RespSession, Route, SessionHandler } from "../session/resp-session.js";

export const slowHandlers: readonly (readonly [string, SessionHandler])[] = [
  ["SLOWLOG|GET", ({ server }, argv) => slowLogReply(argv, server.daemon.slowLog)],
  ["SLOWLOG|LEN", ({ server }) => integer(server.daemon.slowLog.entries.length)],
  ["SLOWLOG|RESET", resetSlowLog],
  ["LATENCY|DOCTOR", doctor],
  ["LATENCY|HISTOGRAM", histogram],
  ["LATENCY|HISTORY", history],
  ["LATENCY|LATEST", latest],
  ["LATENCY|RESET", reset],
];

function resetSlowLog({ server }: RespSession): Reply {
  server.daemon.slowLog.reset();
  return OK;
}

function history({ server }: RespSession, argv: readonly ByteString[]): Reply {
  const event = server.latency.events.get(argv[2] as ByteString);
  return array(
    (event?.samples ?? []).map(({ at, milliseconds }) => array([integer(at), integer(milliseconds)])),
  );
}

function latest({ server }: RespSession): Reply {
  return array(
    [...server.latency.events].map(([name, { samples, highest }]) => {
      const last = samples.at(-1) ?? { at: 0, milliseconds: 0 };
      return array([bulk(name), integer(last.at), integer(last.milliseconds), integer(highest)]);
    }),
  );
}

/** `LATENCY RESET [event …]` */
function reset({ server }: RespSession, argv: readonly ByteString[]): Reply {
  return integer(server.latency.reset(argv.slice(2)));
}

function doctor({ server }: RespSession): Reply {
  const { latencyTime } = server.host.limits;
  if (latencyTime === 0)
    return verbatim(
      "Latency is not sampled: start sampling with CONFIG SET latency-monitor-threshold <milliseconds>.\n",
    );
  const { events } = server.latency;
  if (events.size === 0) return verbatim(`No command has taken ${latencyTime} ms since sampling began.\n`);
  const lines = [...events].map(([name, { samples, highest }]) => {
    const mean = samples.reduce((sum, { milliseconds }) => sum + milliseconds, 0) / samples.length;
    return `${name}: ${samples.length} samples of ${latencyTime} ms or more, on average ${mean.toFixed(0)}, at most ${highest}.\n`;
  });
  return verbatim(`${lines.join("")}SLOWLOG GET shows which commands took longest.\n`);
}

/** `LATENCY HISTOGRAM [command …]`. Returns only commands that were called. `CLIENT` selects all its subcommands. */
function histogram({ server }: RespSession, argv: readonly ByteString[]): Reply {
  const selected = argv.slice(2).map((name) => findCommand(name)?.name ?? "");
  const items: Reply[] = [];
  for (const [{ name }, counts] of server.counts) {
    if (counts.calls === 0 || (argv.length > 2 && !selected.some((one) => isOf(name, one)))) continue;
    items.push(bulk(name.toLowerCase()), distributionOf(counts));
  }
  return map(items);
}

function isOf(name: string, selected: string): boolean {
  return name === selected || name.startsWith(`${selected}|`);
}

function distributionOf({ calls, distribution }: Route["counts"]): Reply {
  const bounds = distribution.flatMap(([bound, count]) => [integer(bound), integer(count)]);
  return map([bulk("calls"), integer(calls), bulk("histogram_usec"), map(bounds)]);
}
