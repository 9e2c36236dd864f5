/**
 * Rules for which entries a daemon accepts, from which members, and when it may report. They follow from the member lists
 * that it knows, as soon as these are in memory.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Standing } from "../../protocol/members/succession.js";

/** The state of a daemon on which these rules depend. */
export interface OwnStanding {
  readonly standing: Standing;
  readonly own: ByteString;
  /** Whether it is caught up, and has raised its watermark above every date that other members call final. */
  readonly isLive: boolean;
}

/** The reason why nothing is accepted from clients. */
export type FirstHandRefusal = "no-data" | "no-member" | "joining" | "skewed";

/** Whether a list says which daemons are members. */
const isListed = ({ heads }: Standing): boolean => heads.length > 0;

/**
 * Whether a daemon may accept entries from another one. As soon as a newer list is seen, nothing is accepted from daemons
 * that it leaves out. A daemon that is in no list itself accepts nothing: while it joins, it could receive entries from a
 * daemon before it learns that the list leaves that daemon out. Without a list every authenticated daemon may send.
 */
export const mayTakeFrom = (standing: Standing, own: ByteString, id: ByteString): boolean =>
  !isListed(standing) || (standing.members.has(own) && standing.members.has(id));

/**
 * Returns why writes of clients are refused; null: they are accepted. A list must not have members without data, because
 * such a member would start again with nothing.
 */
export function firstHandRefusal({
  standing,
  own,
  isLive,
  hasData,
  isSkewed,
}: OwnStanding & { readonly hasData: boolean; readonly isSkewed: boolean }): FirstHandRefusal | null {
  if (isListed(standing) && !hasData) return "no-data";
  if (isListed(standing) && !standing.members.has(own)) return "no-member";
  if (!isLive) return "joining";
  return isSkewed ? "skewed" : null;
}

/**
 * Whether a daemon may report. The list must be on disk, and so must all entries that were held when it was first
 * seen, some of which a daemon may have sent that the list leaves out: a report covers only what is on disk, and
 * later arrivals would follow it. Two parallel lists cannot both be obeyed.
 */
export const mayReport = ({
  standing,
  own,
  isLive,
  isListOnDisk,
  isPastOnDisk,
}: OwnStanding & { readonly isListOnDisk: boolean; readonly isPastOnDisk: boolean }): boolean =>
  standing.heads.length <= 1 &&
  (!isListed(standing) || standing.members.has(own)) &&
  isLive &&
  isListOnDisk &&
  isPastOnDisk;
