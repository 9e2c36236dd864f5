/** Finds a daemon by its id, the first digits of that, or an address. */
import { DbsyncError } from "../../client/shared/errors.js";
import type { Greeted } from "./greeted.js";
import type { MemberView } from "./member-views.js";

const ID_DIGITS = 64;
/** Fewer digits of an id are more likely a typing error than a name. */
const PREFIX_DIGITS_MIN = 4;

/** The daemons that a name can refer to. */
export interface Known {
  readonly views: readonly MemberView[];
  /** Hexadecimal ids of the list. */
  readonly listed: readonly string[];
  /** Hexadecimal ids that the list leaves out. */
  readonly left: readonly string[];
  /** Daemons that were queried but do not know the administrator's key, such as one with an empty folder; their hello contains the id. */
  readonly greeted: readonly Greeted[];
}

/** Which daemon is meant if several have had the same address. */
export type Meant = "listed" | "new";

/**
 * Returns the hexadecimal id of the daemon that is meant. A name that matches no daemon of the list may refer to one that the list already
 * leaves out, so that the same command can be repeated.
 * @throws DbsyncError `bad-command`
 */
export function daemonMeant(text: string, meant: Meant, { views, listed, left, greeted }: Known): string {
  // Tables show an id's first digits and an ellipsis.
  const digits = text.replace(/^#?ed25519:|…$/g, "").toLowerCase();
  const isHex = /^[\da-f]+$/.test(digits);
  if (isHex && digits.length === ID_DIGITS) return digits;
  const isThere = ({ address }: { readonly address: string }) => address === text || hostOf(address) === text;
  const peers = views.flatMap((view) => view.peers);
  const isFit = (id: string) => meant === "new" || listed.includes(id);
  // Daemons that answer take precedence; the reports of other daemons may name an earlier one.
  const answering = [...views, ...greeted]
    .filter(isThere)
    .map(({ id }) => id)
    .filter(isFit);
  const byPeers = peers
    .filter(isThere)
    .map(({ id }) => id)
    .filter(isFit);
  const byAddress =
    answering.length > 0 ? answering : meant === "new" ? newestFirst(byPeers, listed, left) : byPeers;
  const known = [...views, ...greeted, ...peers].map(({ id }) => id).concat(listed);
  const byDigits =
    isHex && digits.length >= PREFIX_DIGITS_MIN ? known.filter((id) => id.startsWith(digits)) : [];
  const found = [...new Set([...byAddress, ...byDigits])];
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  if (found.length === 0 && meant === "listed") {
    const there = [...views, ...greeted, ...peers].filter(isThere).map(({ id }) => id);
    const byName = (id: string) =>
      there.includes(id) || (digits.length >= PREFIX_DIGITS_MIN && id.startsWith(digits));
    const leftOut = left.find(byName);
    if (leftOut !== undefined) return leftOut;
  }
  const name = JSON.stringify(text);
  if (found.length > 1 && meant === "new" && byDigits.length === 0 && answering.length === 0)
    throw new DbsyncError(
      "bad-command",
      `${name} does not answer now, and was the address of ${found.length} daemons: start the new one first, or name it by its id`,
    );
  if (found.length > 1)
    throw new DbsyncError(
      "bad-command",
      `${name} means ${found.length} daemons: ${found.join(", ")}; name one by its id`,
    );
  throw new DbsyncError(
    "bad-command",
    `no daemon ${meant === "listed" ? "of the list " : ""}is meant by ${name}, ${ALLOWED}`,
  );
}

/**
 * Returns the daemons that members have seen at an address, the newest ones if possible: members still know a daemon there whose folder is
 * lost, or that the list removes.
 */
function newestFirst(
  ids: readonly string[],
  listed: readonly string[],
  left: readonly string[],
): readonly string[] {
  const present = ids.filter((id) => !left.includes(id));
  const unlisted = present.filter((id) => !listed.includes(id));
  return [unlisted, present].find(({ length }) => length > 0) ?? ids;
}

const ALLOWED =
  `allowed: an id (dbsync members list shows those of the list, a daemon logs its own at its start), its first digits ` +
  `(${PREFIX_DIGITS_MIN} at least), or the address of one that was asked (-s) or that these know`;

/** Returns an address without its port. */
const hostOf = (address: string): string => address.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
