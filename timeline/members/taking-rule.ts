/** What a daemon takes, and from which others, and when it may report: by the lists that it knows, in memory at once. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Standing } from "../../protocol/members/succession.js";

/** A daemon, as far as it decides about what it takes and says. */
export interface OwnStanding {
  readonly standing: Standing;
  readonly own: ByteString;
  /** Whether it is caught up, and has raised its watermark above what others call final. */
  readonly isLive: boolean;
}

/** Why nothing is taken from clients. */
export type FirstHandRefusal = "no-data" | "no-member" | "joining" | "skewed";

/** Whether there is any list that says who the members are. */
const isListed = ({ heads }: Standing): boolean => heads.length > 0;

/**
 * From the moment that a newer list is seen nothing comes from those that it leaves out; nor to a daemon that is in none itself:
 * one that is to join would hear from one that was left out before it hears that it was. Without a list each has proved itself.
 */
export const mayTakeFrom = (standing: Standing, own: ByteString, id: ByteString): boolean =>
  !isListed(standing) || (standing.members.has(own) && standing.members.has(id));

/** A list has no member without data, as it would come back with nothing. */
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
 * The list is on disk, and all that was held when it was first seen, some of it perhaps given by one that it leaves out: a report
 * says only what is on disk, and what is not would come up behind it. And what two lists that do not follow each other say cannot both be driven. */
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
