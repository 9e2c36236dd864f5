/** Metrics of --json-replica: the servers that are sent the writes, and which of them leads. */
import { type MetricRow, ofJsonFleet, perJsonReplica } from "./metric-row.js";

export const JSON_REPLICA_METRICS: Readonly<Record<string, MetricRow>> = {
  dbsyncd_json_replica_ready: ofJsonFleet(
    "gauge",
    "Whether the servers of --json-replica have given their documents; until then JSON clients are refused.",
    ({ isReady }) => Number(isReady),
  ),
  dbsyncd_json_replica_leading: ofJsonFleet(
    "gauge",
    "1 while this daemon orders the writes of --json-replica, else 0.",
    ({ isLeading }) => Number(isLeading),
  ),
  dbsyncd_json_replica_term: ofJsonFleet(
    "gauge",
    "Changes with the server that orders the writes of --json-replica; the same on all that agree.",
    ({ term }) => term,
  ),
  dbsyncd_json_replica_level: ofJsonFleet(
    "gauge",
    "1 while this daemon has all that the one has which orders the writes of --json-replica, as far as it knows, else 0.",
    ({ isLevel }) => Number(isLevel),
  ),
  dbsyncd_json_replica_refused_documents: ofJsonFleet(
    "gauge",
    "Documents of the daemon that orders the writes of --json-replica which this one refuses: the log says why.",
    ({ refused }) => refused,
  ),
  dbsyncd_json_replica_connected: perJsonReplica(
    "gauge",
    "1 while the server of --json-replica is connected, else 0.",
    ({ isConnected }) => Number(isConnected),
  ),
  dbsyncd_json_replica_leads: perJsonReplica(
    "gauge",
    "1 if the daemon of --json-replica orders the writes, else 0; 0 for all where this daemon does.",
    ({ isLeader }) => Number(isLeader),
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
