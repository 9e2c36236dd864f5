/** Finds a daemon by its id, the first digits of its id, or its address. */

import type { Settings } from "../../../client/settings/client-settings.js";
import { realEnvironment } from "../../../client/shared/client-environment.js";
import { DbsyncError } from "../../../client/shared/errors.js";
import { readHello } from "../../../client/version-2/single-hello.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import type { Answer } from "../keys/fetch-key-rings.js";
import type { MemberView } from "./member-views.js";

const ID_DIGITS = 64;
/** Minimum digits of an abbreviated id; a shorter one is probably a typing error. */
const PREFIX_DIGITS_MIN = 4;

/** The daemons that a name can refer to. */
export interface KnownDaemons {
  readonly views: readonly MemberView[];
  /** Hexadecimal ids of the members on the list. */
  readonly listed: readonly string[];
  /** Hexadecimal ids of the daemons that the list removes. */
  readonly left: readonly string[];
  /**
   * Queried daemons that do not know the administrator's key, for example because their folder is empty. The id comes
   * from the hello.
   */
  readonly identifiedByHello: readonly IdentifiedDaemon[];
}

/** Which daemon to prefer if several have had the same address: the one on the list, or a new one. */
export type NamePreference = "listed" | "new";

/**
 * Returns the hexadecimal id of the daemon that a name means. If no daemon on the list matches, a removed daemon may
 * match, so that users can repeat a command.
 * @throws DbsyncError `bad-command`
 */
export function daemonNamed(
  text: string,
  preferred: NamePreference,
  { views, listed, left, identifiedByHello }: KnownDaemons,
): string {
  // Tables show an id's first digits and an ellipsis.
  const digits = text.replace(/^#?ed25519:|…$/g, "").toLowerCase();
  const isHex = /^[\da-f]+$/.test(digits);
  if (isHex && digits.length === ID_DIGITS) return digits;
  const hasName = ({ address }: { readonly address: string }) => address === text || hostOf(address) === text;
  const peers = views.flatMap((view) => view.peers);
  const isCandidate = (id: string) => preferred === "new" || listed.includes(id);
  // Daemons that answer take precedence over reports of peers, which may name an earlier daemon at the same address.
  const answering = [...views, ...identifiedByHello]
    .filter(hasName)
    .map(({ id }) => id)
    .filter(isCandidate);
  const byPeers = peers
    .filter(hasName)
    .map(({ id }) => id)
    .filter(isCandidate);
  const byAddress =
    answering.length > 0 ? answering : preferred === "new" ? newestFirst(byPeers, listed, left) : byPeers;
  const known = [...views, ...identifiedByHello, ...peers].map(({ id }) => id).concat(listed);
  const byDigits =
    isHex && digits.length >= PREFIX_DIGITS_MIN ? known.filter((id) => id.startsWith(digits)) : [];
  const found = [...new Set([...byAddress, ...byDigits])];
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  if (found.length === 0 && preferred === "listed") {
    const matching = [...views, ...identifiedByHello, ...peers].filter(hasName).map(({ id }) => id);
    const byName = (id: string) =>
      matching.includes(id) || (digits.length >= PREFIX_DIGITS_MIN && id.startsWith(digits));
    const leftOut = left.find(byName);
    if (leftOut !== undefined) return leftOut;
  }
  const name = JSON.stringify(text);
  if (found.length > 1 && preferred === "new" && byDigits.length === 0 && answering.length === 0)
    throw new DbsyncError(
      "bad-command",
      `${name} does not answer now, and ${found.length} daemons have had this address: start the new one first, or name it by its id`,
    );
  if (found.length > 1)
    throw new DbsyncError(
      "bad-command",
      `${name} matches ${found.length} daemons: ${found.join(", ")}; name one by its id`,
    );
  throw new DbsyncError(
    "bad-command",
    `there is no daemon ${name}${preferred === "listed" ? " on the list" : ""}; ${ALLOWED}`,
  );
}

/**
 * Returns the newest daemons that members have seen at an address: unlisted ones if there are any, otherwise listed
 * ones, otherwise removed ones. Members still know earlier daemons at that address.
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
  `allowed: an id (dbsync members list shows the ids of members, and a daemon logs its own when it starts), its first digits ` +
  `(at least ${PREFIX_DIGITS_MIN}), or the address of a queried daemon (-s) or of one of its peers`;

/** Returns an address without its port. */
const hostOf = (address: string): string => address.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");

export interface IdentifiedDaemon {
  readonly address: string;
  /** The daemon's id, hexadecimal. */
  readonly id: string;
}

/**
 * Finds the ids of daemons that do not know the administrator's key. A daemon with an empty folder knows only the
 * keys of its options. It receives the remaining keys after a list has added it. Until then, its hello reports its
 * id. Returns the daemons that rejected the key as unknown.
 * @param cluster hexadecimal; daemons of other clusters are left out
 */
export async function idsFromHellos(
  { servers, timeout }: Settings,
  answers: readonly Answer[],
  cluster: string,
): Promise<readonly IdentifiedDaemon[]> {
  const rejecting = servers.filter((_, index) => /unknown-key/.test(answers[index]?.error?.message ?? ""));
  const greetings = await Promise.all(rejecting.map((server) => readHello(server, realEnvironment, timeout)));
  return greetings.flatMap((greeting, index) => {
    const address = rejecting[index]?.text;
    if (greeting.kind !== "hello" || address === undefined || hexOf(greeting.hello.cluster) !== cluster)
      return [];
    return { address, id: hexOf(greeting.hello.daemon) };
  });
}
