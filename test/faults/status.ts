/** Reads the fields of TIMELINE STATUS that these tests need. */
import type { Client, ReplyValue } from "../../client/entry.js";

export interface Status {
  readonly state: string;
  /** Why nothing is accepted any more. */
  readonly failure: string | null;
  /** Why nothing dated after a certain time is applied any more. */
  readonly standstill: string | null;
  /** Which source reported that its own key was revoked; null: it was not. */
  readonly revoked: string | null;
  /** Why it is not a member of the current list; "": it is a member, or there is no list. */
  readonly unlisted: string;
  /** The hash of the member list that it uses; "": there is none. */
  readonly listHash: string;
  /** The number of keys that differ on a member. */
  readonly differing: number;
  /** The last date whose state was compared with a member's, and the last date folded; milliseconds since 1970. */
  readonly compared: number;
  readonly newest: number;
  /** Everything dated before it is final; 0: not known. */
  readonly stable: number;
  /** Groups of writes that were missing from the log at its start. */
  readonly lostGroups: number;
  readonly deadLetters: number;
  readonly entries: number;
  /** Fingerprint of everything it holds. */
  readonly fingerprint: string;
  /** Whether it has folded what it holds. */
  readonly isSettled: boolean;
  /** The number of connected members. */
  readonly connected: number;
  /**
   * For each connected member, the date up to which it has dropped entries; milliseconds since 1970, 0: it retains all.
   */
  readonly pruned: readonly number[];
}

/** Reads the status. @param client  an administrator's, of one daemon */
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

function fieldsOf(reply: ReplyValue): Map<string, ReplyValue> {
  const fields = new Map<string, ReplyValue>();
  if (!Array.isArray(reply)) return fields;
  for (let i = 0; i + 1 < reply.length; i += 2) fields.set(String(reply[i]), reply[i + 1] as ReplyValue);
  return fields;
}
