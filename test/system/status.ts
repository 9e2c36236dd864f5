/** Reads the fields of TIMELINE STATUS that these tests need. */
import type { Client, ReplyValue } from "../../client/public-api.js";

export interface Status {
  readonly state: string;
  /** The reason why the daemon no longer accepts writes, or null. */
  readonly failure: string | null;
  /** The reason why the daemon no longer applies entries after a certain date, or null. */
  readonly standstill: string | null;
  /** The source that reported the revocation of the daemon's own key, or null. */
  readonly revoked: string | null;
  /** The reason why the daemon is not a member in the current list. It is "" for a member, and without a list. */
  readonly unlisted: string;
  /** The hash of the daemon's member list, or "" without a list. */
  readonly listHash: string;
  /** The number of keys whose values differ from another member's. */
  readonly differing: number;
  /**
   * The last date whose state was compared with a member's, and the last date that was folded, both in milliseconds
   * since 1970.
   */
  readonly compared: number;
  readonly newest: number;
  /** The date before which all entries are final, or 0 if it is unknown. */
  readonly stable: number;
  /** The number of groups that were missing from the log at the start. */
  readonly lostGroups: number;
  readonly deadLetters: number;
  readonly entries: number;
  /** The fingerprint of all entries of the daemon. */
  readonly fingerprint: string;
  /** Whether the daemon has folded all its entries. */
  readonly isSettled: boolean;
  /** The number of connected members. */
  readonly connected: number;
  /**
   * The date up to which each connected member has pruned its entries, in milliseconds since 1970. It is 0 for a
   * member that has all entries.
   */
  readonly pruned: readonly number[];
}

/** Reads the status of a daemon. @param client  an administrator's client of that daemon */
export async function readStatus(client: Client): Promise<Status> {
  const fields = fieldsOf(await client.call(["TIMELINE", "STATUS"]));
  const text = (name: string) => String(fields.get(name) ?? "");
  const members = fields.get("members");
  const rows = Array.isArray(members) ? members.map(fieldsOf) : [];
  const connected = rows.filter((row) => row.get("connection") === "connected");
  const differing = fields.get("differing");
  const failure = fields.get("failure");

  return {
    state: text("state"),
    failure: failure == null ? null : String(failure),
    standstill: fields.get("standstill") == null ? null : text("standstill"),
    revoked: fields.get("revoked") == null ? null : text("revoked"),
    unlisted: text("unlisted"),
    listHash: text("list-hash"),
    differing: Array.isArray(differing) ? differing.length : 0,
    compared: Number(text("compared")),
    newest: Number(text("newest")),
    stable: Number(text("stable")),
    lostGroups: Number(text("lost-groups")),
    deadLetters: Number(text("dead-letters")),
    entries: Number(text("ring-entries")) + Number(text("data-entries")),
    fingerprint: ["ring-entries", "ring-sum", "data-entries", "data-sum"].map(text).join(" "),
    isSettled: text("state") === "live" && text("waiting") === "0",
    connected: connected.length,
    pruned: connected.map((row) => Number(row.get("pruned-to") ?? 0)),
  };
}

export function fieldsOf(reply: ReplyValue): Map<string, ReplyValue> {
  const fields = new Map<string, ReplyValue>();
  if (!Array.isArray(reply)) return fields;
  for (let i = 0; i + 1 < reply.length; i += 2) fields.set(String(reply[i]), reply[i + 1] as ReplyValue);
  return fields;
}
