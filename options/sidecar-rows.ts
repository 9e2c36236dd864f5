/** The options of a daemon that passes on what comes in: signed, to other daemons (-d dbsync), or to Redis servers (-d redis, …). */
import { path, plain } from "./forms.js";
import { row } from "./option-row.js";

const POLICIES = ["first", "majority", "all", "all-equal"] as const;
/** The client library's policy; a number: how many daemons have to answer. */
type Policy = (typeof POLICIES)[number] | number;

const CLUSTER_ID = /^[\da-f]{64}$/;

/** A sensible maximum of replicas of a master. */
const REPLICAS_MAX = 16;

export const SIDECAR = {
  /** null: no key, as only a daemon that signs for clients needs one. */
  key: row({
    flags: "--key <file>",
    help: "private key that commands are signed with (dbsync-keygen makes one)",
    form: path,
    fallback: null,
    reload: "restart",
    example: "private.pem",
    needs: ["database"],
  }),
  /** null: the client library's own. */
  policy: row({
    flags: "--policy <policy>",
    help:
      "which answers count: first, majority, all, all-equal, or a number of daemons; without it the first, and of what has " +
      "conditions (WATCH, cas) the outcome that a majority reports",
    form: plain<Policy>(parsePolicy),
    fallback: null,
    reload: "restart",
    example: "majority",
    needs: ["key"],
  }),
  /** The cluster of the commands, in hexadecimal digits; null: the daemons are asked. */
  cluster: row({
    flags: "--cluster <id>",
    help: "the cluster that commands are for, as its daemons print it at their start",
    form: plain(parseCluster),
    fallback: null,
    reload: "restart",
    example: "994dab7c0f2b0a4d4c6b8c8d1a3f5e7992b4d6f8a1c3e5079b2d4f6a8c0e1b3d",
    needs: ["key"],
  }),
  /** null: those that Node.js trusts. */
  ca: row({
    flags: "--ca <file>",
    help: "authorities that may have signed the certificates of daemons with TLS (dbsyncs://)",
    form: path,
    fallback: null,
    reload: "restart",
    example: "ca.pem",
    needs: ["key"],
  }),
} as const;

export const REDIS = {
  waitReplicas: row({
    flags: "--wait-replicas <number>",
    help: "replicas of the Redis that have to confirm a write before it is answered; 0: none",
    form: plain(parseReplicas),
    fallback: 0,
    reload: "restart",
    example: "1",
    needs: ["database"],
  }),
} as const;

function parsePolicy(given: string): Policy {
  const word = POLICIES.find((one) => one === given);
  if (word !== undefined) return word;
  if (/^[1-9]\d?$/.test(given)) return Number(given);
  throw new RangeError(`Expected ${POLICIES.join(", ")}, or a number of daemons.`);
}

function parseCluster(given: string): string {
  const id = given.toLowerCase();
  if (CLUSTER_ID.test(id)) return id;
  throw new RangeError("Expected 64 hexadecimal digits, as a daemon prints them at its start.");
}

function parseReplicas(given: string): number {
  if (!/^\d{1,2}$/.test(given) || Number(given) > REPLICAS_MAX)
    throw new RangeError(`Expected a number from 0 to ${REPLICAS_MAX}.`);
  return Number(given);
}
