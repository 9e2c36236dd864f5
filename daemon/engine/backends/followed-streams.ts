/**
 * Holds back entries of streams from clients that read what follows an entry (XREAD), until the other daemons have
 * closed the entries' dates. Otherwise such a client would miss an entry that arrives later with an earlier id: the id
 * of an entry follows the date that its daemon has given it. Source:
 * docs/decisions/0075-streams-whose-followers-miss-nothing.md.
 */

import { NIL_ARRAY, type Reply } from "../../../protocol/reply.js";
import type { Command } from "../../store/rows/command-row.js";
import type { ClosedDates, LastWrite } from "./command-path.js";

/** The part of a reply to XREAD that may be sent. */
export interface OpenPart {
  /** The reply without the entries that are held back; `nil-array` if none remains. */
  readonly reply: Reply;
  /**
   * The date to close so that the remaining entries may be sent, in milliseconds since 1970; null: none is held back.
   */
  readonly awaited: number | null;
}

/**
 * Returns the part of a reply to XREAD whose dates are closed.
 * @param closedTo  milliseconds since 1970
 * @param newest    the date of the newest write in the state. Only a client can have chosen the id of a later entry, so
 * such an entry is not held back
 */
export function openPart(reply: Reply, closedTo: number, newest: number): OpenPart {
  if (reply.kind !== "map") return { reply, awaited: null };

  const items: Reply[] = [];
  let awaited: number | null = null;
  for (let i = 0; i + 1 < reply.items.length; i += 2) {
    const [key, entries] = [reply.items[i] as Reply, reply.items[i + 1] as Reply];
    const all = entries.kind === "array" ? entries.items : [];
    const open = openCount(all, closedTo, newest);
    for (const entry of all.slice(open)) {
      const at = dateOf(entry);
      if (at <= newest && (awaited === null || at > awaited)) awaited = at;
    }
    if (open === all.length) items.push(key, entries);
    else if (open > 0) items.push(key, { kind: "array", items: all.slice(0, open) });
  }

  if (awaited === null) return { reply, awaited };
  return { reply: items.length === 0 ? NIL_ARRAY : { ...reply, items }, awaited };
}

/** Whether a command reads the entries after an entry, so that its reply is held back. */
export const isFollowing = ({ name }: Command): boolean => name === "XREAD";

/**
 * Answers a read of a client that does not wait for data. If all entries are held back, the answer follows when their
 * dates are closed. Otherwise the client receives those that are not held back, and its next read the remaining ones.
 * The entry that the client itself has just added is not held back.
 * @param reply  the reply to the read now
 * @param read  reads again
 */
export function answerWhenClosed(
  closedDates: ClosedDates,
  reply: Reply,
  read: () => Reply,
  lastWrite: LastWrite | undefined = undefined,
): Reply | Promise<Reply> {
  const { reply: open, awaited } = openPart(reply, closedDates.closedTo(), closedDates.newest);
  if (awaited === null) return reply;
  const isOwn = awaited === lastWrite?.orderKey?.at && entriesIn(reply) - entriesIn(open) === 1;
  if (isOwn) return reply;

  if (open.kind !== "nil-array") {
    closedDates.close(awaited, () => {});
    return open;
  }
  return new Promise((resolve) => {
    closedDates.close(awaited, () => {
      const closedTo = Math.max(awaited, closedDates.closedTo());
      resolve(openPart(read(), closedTo, closedDates.newest).reply);
    });
  });
}

/** Returns the number of entries in a reply to XREAD. */
function entriesIn(reply: Reply): number {
  if (reply.kind !== "map") return 0;
  return reply.items.reduce((sum, item) => sum + (item.kind === "array" ? item.items.length : 0), 0);
}

/** Returns how many entries of a stream may be sent: those before the first one that is held back. */
function openCount(entries: readonly Reply[], closedTo: number, newest: number): number {
  const last = entries.at(-1);
  if (last === undefined || dateOf(last) <= closedTo) return entries.length;
  const held = entries.findIndex((entry) => {
    const at = dateOf(entry);
    return at > closedTo && at <= newest;
  });
  return held < 0 ? entries.length : held;
}

/** Returns the milliseconds in the id of an entry. */
function dateOf(entry: Reply): number {
  const id = entry.kind === "array" ? entry.items[0] : undefined;
  return id?.kind === "bulk" ? Number.parseInt(id.bytes, 10) : 0;
}
