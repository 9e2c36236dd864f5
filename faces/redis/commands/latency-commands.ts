/** The subcommands of SLOWLOG and LATENCY: which commands took long, and when. Texts: redis-server 7.0. */
import { slowLogReply } from "../../../daemon/engine/slow-log/slow-log.js";
import { findCommand } from "../../../daemon/store/command-table.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { array, bulk, integer, map, OK, type Reply, verbatim } from "../../../protocol/reply.js";
import type { RespSession, Route, SessionHandler } from "../session/resp-session.js";

export const latencyHandlers: readonly (readonly [string, SessionHandler])[] = [
  ["SLOWLOG|GET", ({ server }, argv) => slowLogReply(argv, server.daemon.slowLog)],
  ["SLOWLOG|LEN", ({ server }) => integer(server.daemon.slowLog.entries.length)],
  ["SLOWLOG|RESET", resetSlowLog],
  ["LATENCY|DOCTOR", latencyDoctor],
  ["LATENCY|HISTOGRAM", latencyHistogram],
  ["LATENCY|HISTORY", latencyHistory],
  ["LATENCY|LATEST", latestSamples],
  ["LATENCY|RESET", resetLatency],
];

function resetSlowLog({ server }: RespSession): Reply {
  server.daemon.slowLog.reset();
  return OK;
}

/** `LATENCY HISTORY event`: the date of each sample in Unix seconds, and its milliseconds. */
function latencyHistory({ server }: RespSession, argv: readonly ByteString[]): Reply {
  const event = server.latency.events.get(argv[2] as ByteString);
  return array(
    (event?.samples ?? []).map(({ at, milliseconds }) => array([integer(at), integer(milliseconds)])),
  );
}

/** `LATENCY LATEST`: the last and the highest sample of each event. */
function latestSamples({ server }: RespSession): Reply {
  return array(
    [...server.latency.events].map(([name, { samples, highest }]) => {
      const last = samples.at(-1) ?? { at: 0, milliseconds: 0 };
      return array([bulk(name), integer(last.at), integer(last.milliseconds), integer(highest)]);
    }),
  );
}

/** `LATENCY RESET [event …]` */
function resetLatency({ server }: RespSession, argv: readonly ByteString[]): Reply {
  return integer(server.latency.reset(argv.slice(2)));
}

function latencyDoctor({ server }: RespSession): Reply {
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

/**
 * Returns the reply of `LATENCY HISTOGRAM [command …]`, which contains only commands that were called. `CLIENT` selects
 * all its subcommands.
 */
function latencyHistogram({ server }: RespSession, argv: readonly ByteString[]): Reply {
  const selected = argv.slice(2).map((name) => findCommand(name)?.name ?? "");
  const namesAndCounts: Reply[] = [];
  for (const [{ name }, counts] of server.counts) {
    if (counts.calls === 0 || (argv.length > 2 && !selected.some((command) => isOrIsIn(name, command))))
      continue;
    namesAndCounts.push(bulk(name.toLowerCase()), distributionOf(counts));
  }
  return map(namesAndCounts);
}

/** Returns whether a command is another one, or a subcommand of it. */
function isOrIsIn(name: string, container: string): boolean {
  return name === container || name.startsWith(`${container}|`);
}

function distributionOf({ calls, distribution }: Route["counts"]): Reply {
  const bounds = distribution.flatMap(([bound, count]) => [integer(bound), integer(count)]);
  return map([bulk("calls"), integer(calls), bulk("histogram_usec"), map(bounds)]);
}
