/** Which daemon is meant: by its id, the first digits of that, or an address. */
import { DbsyncError } from "../../shared/errors.js";
import type { MemberView } from "./member-views.js";

const ID_DIGITS = 64;
/** Fewer digits of an id are more likely a slip than a name. */
const PREFIX_DIGITS_MIN = 4;

/** Of several daemons that were at one address, which is meant. */
export type Meant = "listed" | "new";

/**
 * @param listed  hexadecimal ids of the list
 * @returns its id, hexadecimal
 * @throws DbsyncError `bad-command`
 */
export function daemonMeant(
  text: string,
  meant: Meant,
  { views, listed }: { readonly views: readonly MemberView[]; readonly listed: readonly string[] },
): string {
  const digits = text.replace(/^#?ed25519:/, "").toLowerCase();
  const isHex = /^[\da-f]+$/.test(digits);
  if (isHex && digits.length === ID_DIGITS) return digits;
  const isThere = ({ address }: { readonly address: string }) => address === text || hostOf(address) === text;
  const peers = views.flatMap((view) => view.peers);
  const isFit = (id: string) => meant === "new" || listed.includes(id);
  // Who answers there is there; the others tell who was.
  const answering = views
    .filter(isThere)
    .map(({ id }) => id)
    .filter(isFit);
  const byAddress =
    answering.length > 0
      ? answering
      : peers
          .filter(isThere)
          .map(({ id }) => id)
          .filter(isFit);
  const known = [...views, ...peers].map(({ id }) => id).concat(listed);
  const byDigits =
    isHex && digits.length >= PREFIX_DIGITS_MIN ? known.filter((id) => id.startsWith(digits)) : [];
  const found = [...new Set([...byAddress, ...byDigits])];
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
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

const ALLOWED =
  `allowed: an id (dbsync members list shows those of the list, a daemon logs its own at its start), its first digits ` +
  `(${PREFIX_DIGITS_MIN} at least), or the address of one that was asked (-s) or that these know`;

/** Without the port. */
const hostOf = (address: string): string => address.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
