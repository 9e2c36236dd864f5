/**
 * Logs what operators need to know when a daemon starts: the contents of its data folder, the daemon's pin, its
 * pruning, the daemons that it rejects, and whether its key has to be authorized.
 */
import { resolve } from "node:path";
import { dateText } from "../../../protocol/version-2/envelope.js";
import { pinText } from "../../options/peer-address.js";
import type { KeyRing } from "../../store/key-ring.js";
import type { Gateway } from "./gateway.js";
import { authorizationCommandOf, isUnauthorized } from "./own-envelopes.js";
import type { NodeState, ReplicaContext } from "./replica-context.js";

/**
 * Logs the data folder, with the number and the last date of its entries.
 * @param isNew  whether this start created the folder
 * @param milliseconds  how long it took to read the entries
 */
export function logFolder(
  { settings: { data }, timeline, log }: NodeState,
  isNew: boolean,
  milliseconds: number,
): void {
  if (data === null) return;
  const folder = { data: resolve(data) };
  if (isNew) {
    log.info(folder, "created a new data folder");
    return;
  }
  const { index, newest, figures } = timeline;
  const entries = index.total("ring").count + index.total("data").count;
  const last = newest.at === 0 ? {} : { last: dateText(newest.at) };
  log.info({ ...folder, entries, ...last, milliseconds, ...figures }, "opened the data folder");
}

/** @param hasSecret  whether members can authenticate each other by the cluster's secret */
export function logAtStart(node: NodeState & { readonly gateway: Gateway | null }, hasSecret: boolean): void {
  const { identity, settings, log, timeline, gateway } = node;
  log.info(
    { pin: `--peer host:port${pinText(identity.id)}` },
    "to pin this daemon, start the other daemons with",
  );
  if (settings.data === null) log.warn(IN_MEMORY);
  for (const { host, port, pin } of settings.peers) {
    if (pin === null && !hasSecret) log.info({ peer: `${host}:${port}` }, NOT_PINNED);
  }
  // Only the gateway needs the daemon's key: it signs for clients without keys.
  if (gateway !== null) logUnauthorized(timeline.ring, node);
}

/** Logs a warning if an administrator has to authorize the daemon's key. @returns whether that is necessary */
export function logUnauthorized(ring: KeyRing, { identity, log }: ReplicaContext): boolean {
  if (!isUnauthorized(ring, identity)) return false;
  log.warn({ command: authorizationCommandOf(identity).join(" ") }, UNAUTHORIZED);
  return true;
}

const IN_MEMORY =
  "without --data this daemon loses its data when it stops, and relies on its peers: acknowledged writes are lost " +
  "if all of them stop";
const NOT_PINNED =
  "this peer is admitted once an administrator has added its key (CLUSTER ADD); or pin it with #ed25519:…, or start all daemons with the same --cluster-secret";
const UNAUTHORIZED =
  "writes of clients that do not sign, such as Redis clients and those of version 1, are refused until an administrator signs this command, which authorizes this daemon's key";
