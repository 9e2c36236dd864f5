/** INFO in signed envelopes. dbsync status and dbsync top read its section dbsync. */

import type { ByteString } from "../../../protocol/byte-string.js";
import {
  INFO_FIGURES,
  type InfoFigures,
  infoFields,
  pairsText,
} from "../../../protocol/figures/info-figures.js";
import { type InfoFields, type InfoValues, infoText, stateFigures } from "../../engine/info/info-text.js";
import { version } from "../../net/process/version.js";
import { type InspectedDaemon, OWN_SECTION } from "./inspected-daemon.js";

const MS_PER_SECOND = 1000;
const MICROSECONDS = 1e6;

/** Formats sections. @param sections  names of sections; none, default, all or everything: all sections */
export function daemonInfo(sections: readonly ByteString[], daemon: InspectedDaemon): ByteString {
  const values = valuesOf(daemon);
  return infoText(sections, values, {
    [OWN_SECTION]: () => ownFields(daemon, values),
    server: () => ({ dbsync_daemon: daemon.id(), dbsync_cluster: daemon.cluster() }),
    clients: () =>
      Object.fromEntries(
        daemon.listeners().map(({ name, clients }) => [`clients_${name}`, [...clients].length]),
      ),
    stats: () => refusalFields(daemon),
  });
}

/** Returns the daemon's values; the counts include all listeners. */
function valuesOf(daemon: InspectedDaemon): InfoValues {
  const settings = daemon.settings();
  let [clients, accepted, commands, errors] = [0, 0, 0, 0];
  for (const counts of daemon.metrics.listeners.values()) {
    clients += counts.connections;
    accepted += counts.connected;
    commands += counts.ok + counts.errors;
    errors += counts.errors;
  }

  return {
    uptime: daemon.uptime() - daemon.startedAt,
    now: daemon.clock(),
    settings,
    port: settings.port,
    maxClients: settings.limits.maxConnections,
    ...{ clients, accepted, commands, errors },
    memory: daemon.memory(),
    workingMemory: daemon.workingMemory(),
    eviction: daemon.eviction(),
    keys: daemon.keys(),
    condition: daemon.condition(),
    members: daemon.members(),
  };
}

/** Returns all fields that dbsync status and dbsync top need, so that they request only one section. */
function ownFields(daemon: InspectedDaemon, values: InfoValues): InfoFields {
  const { metrics } = daemon;
  const { clients, commands, errors, keys, memory } = values;
  const backends = daemon.health().backends;

  return {
    ...infoFields(INFO_FIGURES, {
      software: version,
      node: process.versions.node,
      ...stateFigures(values),
      uptime: Math.floor(values.uptime / MS_PER_SECOND),
      ...{ clients, commands, errors },
      refusals: metrics.totals.clientRefusals,
      followersGaps: daemon.replica()?.followersGaps ?? null,
      ...decisionFigures(daemon),
      master: daemon.replica()?.master ?? null,
      keys: keys === null ? null : sum(keys.keyCounts.map((counts) => counts.keys)),
      used: memory.used,
      resident: process.memoryUsage.rss(),
      limit: memory.limit,
      ...orderFigures(daemon),
      answers: sum(metrics.answers.counts),
      answerTime: Math.round(metrics.answers.sum * MICROSECONDS),
      times: times(daemon),
    }),
    ...Object.fromEntries(
      backends.map(({ name, up }, index) => [`backend${index}`, `up=${Number(up)},name=${name}`]),
    ),
  };
}

function decisionFigures({ replica, clock }: InspectedDaemon): Pick<InfoFigures, "decisions" | "undecided"> {
  const figures = replica();
  if (figures === null) return { decisions: null, undecided: null };
  const {
    isKeeper,
    decidedSlots: slots,
    decidedUnits: units,
    decidedAt,
    waitingEnvelopes: waiting,
  } = figures;

  const counts = { keeper: Number(isKeeper), slots, units, waiting, age: Math.max(0, clock() - decidedAt) };
  const isUsed = decidedAt > 0 || waiting > 0;
  return { decisions: isUsed ? pairsText(Object.entries(counts)) : null, undecided: figures.undecidedCause };
}

/** Returns the figures of the stream; `unknown` counts messages that may or may not be in the stream. */
function orderFigures({ order }: InspectedDaemon): Pick<InfoFigures, "order" | "orderTrouble" | "lowDisk"> {
  const figures = order();
  if (figures === null) return { order: null, orderTrouble: null, lowDisk: null };

  const { applied, behind, waiting, connections, published, trouble, lowDisk } = figures;
  const { stored, repeated, refused, unknown } = published;
  const counts = { applied, behind, waiting, connections, stored, repeated, refused, unknown };

  return {
    order: pairsText(Object.entries(counts)),
    orderTrouble: trouble,
    lowDisk:
      lowDisk === null
        ? null
        : pairsText([
            ["free", lowDisk.free],
            ["size", lowDisk.size],
          ]),
  };
}

/** Returns the number of answers by maximum microseconds. */
function times({ metrics: { answers } }: InspectedDaemon): string {
  const ends = [...answers.bounds.map((bound) => String(Math.round(bound * MICROSECONDS))), "more"];
  return pairsText(ends.map((end, index) => [end, answers.counts[index] ?? 0]));
}

/** Returns the number of requests without an answer, in total and by the code of the refusal. */
function refusalFields(daemon: InspectedDaemon): InfoFields {
  const byCode = [...refusalsOf(daemon)].map(([code, count]) => [`refused_${code}`, count]);
  return { dbsync_refusals: daemon.metrics.totals.clientRefusals, ...Object.fromEntries(byCode) };
}

/** Returns the refusals of all listeners by code, without the codes that have not occurred. */
function refusalsOf({ metrics }: InspectedDaemon): ReadonlyMap<string, number> {
  const refusals = new Map<string, number>();
  for (const counts of metrics.listeners.values())
    for (const [code, count] of Object.entries(counts.refusals))
      if (count > 0) refusals.set(code, (refusals.get(code) ?? 0) + count);
  return refusals;
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}
