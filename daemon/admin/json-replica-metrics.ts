/** Metrics of --json-replica: the original servers that are sent the writes. */
import { type MetricRow, ofJsonReplicas, perJsonReplica } from "./metric-row.js";

export const JSON_REPLICA_METRICS: Readonly<Record<string, MetricRow>> = {
  dbsyncd_json_replica_ready: ofJsonReplicas(
    "gauge",
    "Whether the servers of --json-replica have given their documents; until then JSON clients are refused.",
    ({ isReady }) => Number(isReady),
  ),
  dbsyncd_json_replica_connected: perJsonReplica(
    "gauge",
    "1 while the server of --json-replica is connected, else 0.",
    ({ isConnected }) => Number(isConnected),
  ),
  dbsyncd_json_replica_is_dbsyncd: perJsonReplica(
    "gauge",
    "1 if the server of --json-replica is a dbsyncd, which is sent nothing: replicate with --peer; else 0.",
    ({ isDbsyncd }) => Number(isDbsyncd),
  ),
  dbsyncd_json_replica_missing_documents: perJsonReplica(
    "gauge",
    "Documents of which the server of --json-replica may not have all: it was away, or refused a write.",
    ({ missing }) => missing,
  ),
  dbsyncd_json_replica_different_documents_total: perJsonReplica(
    "counter",
    "Documents of which the server of --json-replica had other contents than this daemon though it missed nothing.",
    ({ different }) => different,
  ),
};
