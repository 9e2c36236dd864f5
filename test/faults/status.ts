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
  const failure = fields.get("failure");
  return {
    state: text("state"),
    failure: failure == null ? null : String(failure),
    standstill: fields.get("standstill") == null ? null : text("standstill"),
    revoked: fields.get("revoked") == null ? null : text("revoked"),
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
