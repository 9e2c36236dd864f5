/** Functions that create the rows of the daemon's metrics. */

import type { ReplicaFigures } from "../../daemon/cluster/history/replica-figures.js";
import type { MessageFigures } from "../../daemon/cluster/peers/shared/cluster-state.js";
import type { JsonReplicaFigures, JsonReplicaServer } from "../../daemon/listener/json-replica-figures.js";
import type { Histogram } from "../../daemon/net/process/histogram.js";
import type { Sources } from "../../daemon/program/inspection/inspected-daemon.js";
import type { ListenerCounts, Metrics } from "../../daemon/program/inspection/metrics.js";
import type { MemberReport } from "../../protocol/figures/timeline-figures.js";
import type { HistogramMetric, Sample, ValueMetric } from "./http/metric.js";

export type ValueRow = ValueMetric<Sources>;
export type HistogramRow = HistogramMetric<Sources>;
export type MetricRow = ValueRow | HistogramRow;

type ValueType = ValueRow["type"];

export function histogram(help: string, read: (metrics: Metrics) => Histogram): HistogramRow {
  return {
    type: "histogram",
    labels: [],
    help,
    read: ({ metrics }) => [{ labels: {}, value: read(metrics) }],
  };
}

/** Returns a metric with a single number, absent on a daemon without a timeline. */
function ofTimeline(type: ValueType, help: string, read: (figures: ReplicaFigures) => number): ValueRow {
  const samples = (figures: ReplicaFigures) => [{ labels: {}, value: read(figures) }];
  return { type, labels: [], help, read: ({ replica }) => samplesOf(replica(), samples) };
}

/** Returns a metric of the messages on channels that members send each other. */
export const ofMessages = (figure: keyof MessageFigures, help: string): ValueRow =>
  ofTimeline("counter", help, ({ messages }) => messages[figure]);

/** Returns a metric with a sample for each member with a known value, except the daemon itself. */
export function perMember(
  type: ValueType,
  help: string,
  read: (member: MemberReport) => number | null,
): ValueRow {
  const samples = ({ members }: ReplicaFigures) =>
    members.flatMap((member) => {
      const value = member.connection === "self" ? null : read(member);
      return value === null ? [] : [{ labels: { member: member.address || (member.id ?? "") }, value }];
    });
  return { type, labels: ["member"], help, read: ({ replica }) => samplesOf(replica(), samples) };
}

export function samplesOf(
  figures: ReplicaFigures | null,
  read: (figures: ReplicaFigures) => readonly Sample<number>[],
): readonly Sample<number>[] {
  return figures === null ? [] : read(figures);
}

export function perJsonReplica(
  type: ValueType,
  help: string,
  read: (figures: JsonReplicaServer) => number,
): ValueRow {
  return {
    type,
    labels: ["replica"],
    help,
    read: ({ jsonReplicas }) =>
      (jsonReplicas()?.servers ?? []).map((figures) => ({
        labels: { replica: figures.replica },
        value: read(figures),
      })),
  };
}

/** Returns a metric with a single number, absent without --json-replica. */
export function ofJsonReplicas(
  type: ValueType,
  help: string,
  read: (figures: JsonReplicaFigures) => number,
): ValueRow {
  const samples = ({ jsonReplicas }: Sources) => {
    const figures = jsonReplicas();
    return figures === null ? [] : [{ labels: {}, value: read(figures) }];
  };
  return { type, labels: [], help, read: samples };
}

/** Returns a metric with samples for each listener. @param labels  names of the labels in addition to the listener */
export function perListener(
  type: ValueType,
  labels: readonly string[],
  help: string,
  read: (counts: ListenerCounts, listener: string) => readonly Sample<number>[],
): ValueRow {
  return {
    type,
    labels: ["listener", ...labels],
    help,
    read: ({ metrics }) =>
      [...metrics.listeners].flatMap(([listener, counts]) =>
        read(counts, listener).map(({ labels, value }) => ({ labels: { listener, ...labels }, value })),
      ),
  };
}
