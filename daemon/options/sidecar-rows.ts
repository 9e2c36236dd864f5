/**
 * The options of a daemon that forwards commands: signed to other daemons (-d dbsync), or to Redis servers (-d redis,
 * …).
 */

import { row } from "./option-row.js";
import { path, plain } from "./value-forms.js";

const POLICIES = ["first", "majority", "all", "all-equal"] as const;
/** The policy of the client library, or the number of daemons that must succeed. */
type Policy = (typeof POLICIES)[number] | number;

const CLUSTER_ID = /^[\da-f]{64}$/;

/** Maximum number of replicas that a write can wait for. */
const REPLICAS_MAX = 16;

export const SIDECAR = {
  /** The private key, or null if there is none. Only a daemon that signs for clients needs one. */
  key: row({
    flags: "--key <file>",
    help: "private key that signs commands (dbsync-keygen makes one)",
    form: path,
    fallback: null,
    face: "sidecar",
    reload: "restart",
    example: "private.pem",
    needs: ["database"],
  }),
  /** The policy, or null for the default of the client library. */
  policy: row({
    flags: "--policy <policy>",
    help:
      "answers to wait for: first, majority, all, all-equal, or a number of daemons (default: first, but majority for commands " +
      "with conditions, such as WATCH and cas)",
    form: plain<Policy>(parsePolicy),
    fallback: null,
    face: "sidecar",
    reload: "restart",
    example: "majority",
    needs: ["key"],
  }),
  /** The id of the cluster for which commands are signed, hexadecimal, or null to ask the daemons. */
  cluster: row({
    flags: "--cluster <id>",
    help: "id of the cluster for which commands are signed, as its daemons log it at the start",
    form: plain(parseCluster),
    fallback: null,
    face: "sidecar",
    reload: "restart",
    example: "994dab7c0f2b0a4d4c6b8c8d1a3f5e7992b4d6f8a1c3e5079b2d4f6a8c0e1b3d",
    needs: ["key"],
  }),
  /** The file of authorities, or null to trust those that Node.js trusts. */
  ca: row({
    flags: "--ca <file>",
    help: "authorities that may sign the certificates of daemons with TLS (dbsyncs://)",
    form: path,
    fallback: null,
    face: "sidecar",
    reload: "restart",
    example: "ca.pem",
    needs: ["key"],
  }),
} as const;

export const REDIS = {
  waitReplicas: row({
    flags: "--wait-replicas <number>",
    help: "number of replicas of the Redis that must confirm a write before it is answered; 0: none",
    form: plain(parseReplicas),
    fallback: 0,
    face: "redisBehind",
    reload: "restart",
    example: "1",
    needs: ["database"],
  }),
} as const;

function parsePolicy(value: string): Policy {
  const policy = POLICIES.find((one) => one === value);
  if (policy !== undefined) return policy;
  if (/^[1-9]\d?$/.test(value)) return Number(value);
  throw new RangeError(`Expected ${POLICIES.join(", ")}, or a number of daemons.`);
}

function parseCluster(value: string): string {
  const id = value.toLowerCase();
  if (CLUSTER_ID.test(id)) return id;
  throw new RangeError("Expected 64 hexadecimal digits, as a daemon logs them at its start.");
}

function parseReplicas(value: string): number {
  if (!/^\d{1,2}$/.test(value) || Number(value) > REPLICAS_MAX)
    throw new RangeError(`Expected a number from 0 to ${REPLICAS_MAX}.`);
  return Number(value);
}
