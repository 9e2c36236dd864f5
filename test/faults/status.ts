/** TIMELINE STATUS, as far as these tests ask it. */
import type { Client, ReplyValue } from "../../client/entry.js";

export interface Status {
  readonly state: string;
  /** Why nothing is taken any more. */
  readonly failure: string | null;
  /** Why nothing is applied any more from a date on. */
  readonly standstill: string | null;
  /** Who tells that its own key was revoked; null: it was not. */
  readonly revoked: string | null;
  /** Why it is no member of the list that there is; "": it is one, or there is none. */
  readonly unlisted: string;
  /** By which list of members it goes; "": there is none. */
  readonly listHash: string;
  /** Keys of which a member holds something else. */
  readonly differing: number;
  /** The last date whose state was compared with a member's, and the last of what it has folded; milliseconds since 1970. */
  readonly compared: number;
  readonly newest: number;
  /** Everything dated before it is final; 0: not known. */
  readonly stable: number;
  /** Groups of writes that were not in the log at its start. */
  readonly lostGroups: number;
  readonly deadLetters: number;
  readonly entries: number;
  /** Of everything it holds. */
  readonly fingerprint: string;
  /** Whether it has folded what it holds. */
  readonly isSettled: boolean;
  /** How many members it is connected to. */
  readonly connected: number;
  /** Of each of those, the date up to which it keeps nothing any more; milliseconds since 1970, 0: it keeps all. */
  readonly pruned: readonly number[];
}

/** @param client  an administrator's, of one daemon */
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
