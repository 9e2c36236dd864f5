/** The metrics of --json-replica. */
import { labelled, type MetricTable, metricMaker, only } from "../../daemon/net/process/metric-rows.js";
import type { MetricSources } from "../../daemon/program/inspection/inspected-daemon.js";
import type { JsonReplicaFigures } from "./replicas/replicas.js";

declare module "../../daemon/listener/daemon-listener.js" {
  interface FaceFigures {
    /** Returns the servers of --json-replica, or null if there are none. */
    readonly jsonReplicas?: () => JsonReplicaFigures | null;
  }
}

const ofJsonReplicas = metricMaker([], ({ jsonReplicas }: MetricSources) => only(jsonReplicas?.() ?? null));
const perJsonReplica = metricMaker(["replica"], ({ jsonReplicas }: MetricSources) =>
  labelled("replica", jsonReplicas?.()?.servers ?? [], ({ replica }) => replica),
);

/** The rows of the metrics of --json-replica, by their names. */
export const METRICS: MetricTable<MetricSources> = {
  dbsyncd_json_replica_ready: ofJsonReplicas(
    "gauge",
    "1 once the servers of --json-replica have sent their documents, otherwise 0; until then JSON clients are refused.",
    ({ isReady }) => Number(isReady),
  ),
  dbsyncd_json_replica_connected: perJsonReplica(
    "gauge",
    "1 while the server of --json-replica is connected, otherwise 0.",
    ({ isConnected }) => Number(isConnected),
  ),
  dbsyncd_json_replica_is_dbsyncd: perJsonReplica(
    "gauge",
    "1 if the server of --json-replica is a dbsyncd, to which nothing is sent (use --peer instead), otherwise 0.",
    ({ isDbsyncd }) => Number(isDbsyncd),
  ),
  dbsyncd_json_replica_missing_documents: perJsonReplica(
    "gauge",
    "Documents that may be incomplete on the server of --json-replica, because it was disconnected or refused a write.",
    ({ missing }) => missing,
  ),
  dbsyncd_json_replica_different_documents_total: perJsonReplica(
    "counter",
    "Documents that differed between the server of --json-replica and this daemon although the server had missed no write.",
    ({ different }) => different,
  ),
};
