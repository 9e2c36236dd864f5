/**
 * Decides which entries a daemon accepts, from which members, and when it may report. The rules depend on the member
 * lists that the daemon knows, even if these are not on disk yet.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { MembershipState } from "../../../protocol/members/list-succession.js";

/** A daemon, and the lists that it knows. */
interface ListedDaemon {
  readonly membership: MembershipState;
  readonly own: ByteString;
}

/** The state of a daemon that may report. */
export interface OwnMembership extends ListedDaemon {
  /** Whether the daemon has caught up, and has raised its watermark above every date that other members call final. */
  readonly isLive: boolean;
}

/** The reason why the lists do not permit a daemon to accept writes from clients. */
export type ListRefusal = "no-data" | "no-member";

/** Whether any list determines which daemons are members. */
const isListed = ({ heads }: MembershipState): boolean => heads.length > 0;

/**
 * Whether a daemon may accept entries from another daemon. As soon as the daemon knows a newer list, it accepts no
 * entries from daemons that the list leaves out. A daemon that no list names accepts no entries: while it joins, it
 * could receive entries from a daemon before it learns that the list leaves that daemon out. Without a list every
 * authenticated daemon may send entries.
 */
export const mayAcceptFrom = (membership: MembershipState, own: ByteString, id: ByteString): boolean =>
  !isListed(membership) || (membership.members.has(own) && membership.members.has(id));

/**
 * Returns why the lists do not permit a daemon to accept writes from clients, or null if they do. A list must not have
 * members without a data folder, because such a member would restart empty.
 */
export function listRefusal({
  membership,
  own,
  hasData,
}: ListedDaemon & { readonly hasData: boolean }): ListRefusal | null {
  if (!isListed(membership)) return null;
  if (!hasData) return "no-data";
  return membership.members.has(own) ? null : "no-member";
}

/**
 * Whether a daemon may report. The list must be on disk, and so must all entries that the daemon had when it first
 * received the list; a daemon that the list leaves out may have sent some of them. A report covers only what is on
 * disk, so it would not cover such an entry if the entry reached the disk later. While there are two parallel lists, no
 * daemon may report, because a report is made under one list.
 */
export const mayReport = ({
  membership,
  own,
  isLive,
  isListOnDisk,
  isPastOnDisk,
}: OwnMembership & { readonly isListOnDisk: boolean; readonly isPastOnDisk: boolean }): boolean =>
  membership.heads.length <= 1 &&
  (!isListed(membership) || membership.members.has(own)) &&
  isLive &&
  isListOnDisk &&
  isPastOnDisk;
