/**
 * The daemons' views of the member list, the newest list among all of them, and the daemon that a name means among
 * those that are known.
 */
import { createPublicKey, hash, type KeyObject } from "node:crypto";
import type { Settings } from "../../../client/settings/client-settings.js";
import { realEnvironment } from "../../../client/shared/client-environment.js";
import { DbsyncError } from "../../../client/shared/errors.js";
import type { ReplyValue } from "../../../client/shared/reply-value.js";
import { readHello } from "../../../client/version-2/single-hello.js";
import { verifyEnvelope } from "../../../keys/signatures.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { MalformedFrame } from "../../../protocol/errors.js";
import {
  isListText,
  type KnownList,
  listHash,
  parseMemberList,
  readListAlone,
  takeList,
} from "../../../protocol/members/member-list.js";
import { readListProof } from "../../../protocol/members/members-proof.js";
import {
  bytesOfHex,
  type EnvelopeHead,
  HASH_BYTES,
  hexOf,
  signedBytes,
} from "../../../protocol/version-2/envelope.js";
import { readHead } from "../../../protocol/version-2/envelope-head.js";
import type { Answer } from "../keys/fetch-key-rings.js";
import { fieldsOf } from "../shared/read-figures.js";

/** A peer of the queried daemon. */
export interface SeenPeer {
  /** The peer's id, hexadecimal. */
  readonly id: string;
  readonly address: string;
  readonly connection: string;
  /** The peer's public key, DER in base64, or null if it is unknown. */
  readonly key: string | null;
}

/** The view of one daemon. Ids are hexadecimal. */
export interface MemberView {
  readonly address: string;
  readonly id: string;
  readonly cluster: string;
  readonly state: string;
  /** Whether the daemon has a data folder. */
  readonly durable: boolean;
  /** Whether a list has added the daemon, but no live member has answered it yet. */
  readonly joining: boolean;
  /** Whether the remaining members may rely on the daemon's reports, because it uses its list. */
  readonly reporting: boolean;
  /** The order to agree on a list that the daemon still follows, or null. */
  readonly order: string | null;
  /** What this agreement waits for, or null. */
  readonly waitsFor: string | null;
  /** The reason why the daemon is not a member, or null if it is a member or there is no list. */
  readonly refusal: string | null;
  /** The command that authorizes the daemon's key to sign for clients without keys, or null if no command is needed. */
  readonly authorize: string | null;
  readonly lists: readonly ReportedList[];
  readonly peers: readonly SeenPeer[];
}

/**
 * Returns the views of the daemons that answered.
 * @throws DbsyncError  no daemon answered (throws the first error), or the daemons belong to different clusters
 */
export function viewsOf(
  answers: readonly Answer[],
  verifies: VerifiesList,
): readonly [MemberView, ...MemberView[]] {
  const [first, ...others] = answers.flatMap((answer) =>
    answer.error === null ? [viewOf(answer, verifies)] : [],
  );
  if (first === undefined) throw answers[0]?.error;
  const other = others.find(({ cluster }) => cluster !== first.cluster);
  if (other === undefined) return [first, ...others];
  throw new DbsyncError(
    "bad-option",
    `${first.address} and ${other.address} belong to different clusters: specify the daemons of one cluster (-s)`,
  );
}

/**
 * Returns the newest lists: the reported lists that no other reported list follows. Several newest lists are parallel.
 */
export function newestListsOf(views: readonly MemberView[]): readonly ReportedList[] {
  // Verified lists come last, so that a proof from one daemon counts for all daemons that report the same list.
  const reported = views
    .flatMap(({ lists }) => lists)
    .sort((a, b) => Number(a.signatureProblem === null) - Number(b.signatureProblem === null));
  const all = new Map(reported.map((list) => [list.hash, list] as const));

  const cluster = rawId(views[0]?.cluster ?? "");
  let heads: readonly ReportedList[] = [];
  for (const list of [...all.values()].sort((a, b) => a.list.number - b.list.number)) {
    const result = takeList(heads, list, cluster);
    if (typeof result === "object" && "heads" in result) heads = result.heads;
  }
  return heads;
}

/** @param hex  64 digits */
export const rawId = (hex: string): ByteString => bytesOfHex(hex, HASH_BYTES) ?? "";

function viewOf({ address, reply }: Extract<Answer, { error: null }>, verifies: VerifiesList): MemberView {
  const fields = fieldsOf(reply);
  const text = (name: string) => String(fields[name] ?? "");
  const textOrNull = (name: string) => (fields[name] == null ? null : text(name));
  const items = (name: string): readonly ReplyValue[] => {
    const value = fields[name];
    return Array.isArray(value) ? value : [];
  };
  return {
    address,
    id: text("id"),
    cluster: text("cluster"),
    state: text("state"),
    durable: text("durable") === "1",
    joining: text("joining") === "1",
    reporting: text("reporting") === "1",
    order: textOrNull("order"),
    waitsFor: textOrNull("waits-for"),
    refusal: textOrNull("refusal"),
    authorize: textOrNull("authorize"),
    lists: items("lists").flatMap((item, index) => {
      const proof = items("proofs")[index];
      return reportedList(String(item), Array.isArray(proof) ? proof.map(String) : [], verifies) ?? [];
    }),
    peers: items("peers").map((item) => {
      const [id, address, connection, key] = Array.isArray(item) ? item : [];
      return {
        id: String(id ?? ""),
        address: String(address ?? ""),
        connection: String(connection ?? ""),
        key: key == null ? null : String(key),
      };
    }),
  };
}

/**
 * A reported list with its signer. `signatureProblem` is null if the signer is an administrator whose public key is
 * known, and the signature is correct; or if members have signed the list, all with correct signatures. Whether these
 * are enough depends on the list before, which is not reported.
 */
export interface ReportedList extends KnownList {
  /** The signature's date in milliseconds since 1970, or null if the daemon reported no envelope for this list. */
  readonly signedAt: number | null;
  /** Id of the key that signed the list; empty if its members have signed it. */
  readonly signer: ByteString;
  /** The number of members that have signed the list, or null if it is not proved by its members. */
  readonly memberSignatures: number | null;
  readonly signatureProblem: "no-proof" | "unknown-key" | "bad-signature" | null;
}

export const sha256 = (bytes: Buffer): ByteString => hash("sha256", bytes, "binary");

/** Returns whether the key signed the bytes, or null if the key is not that of a known administrator. */
export type VerifiesList = (signer: ByteString, signed: Buffer, signature: Buffer) => boolean | null;

/** Returns a function that verifies signatures. @param keys  public keys of administrators */
export function listVerifier(keys: readonly KeyObject[]): VerifiesList {
  const byId = new Map(keys.map((key) => [sha256(key.export({ type: "spki", format: "der" })), key]));
  return (signer, signed, signature) => {
    const key = byId.get(signer);
    return key === undefined ? null : verifyEnvelope(signed, signature, key);
  };
}

/** Parses a list and checks its proof (body and signature in base64). @returns null if the text is not a list */
export function reportedList(
  text: string,
  [body = "", signature = ""]: readonly string[],
  verifies: VerifiesList,
): ReportedList | null {
  const list = parseMemberList(text);
  if (typeof list === "string") return null;
  const known = { list, hash: listHash(text, sha256) };
  const bytes = Buffer.from(body, "base64");
  const proof = Buffer.from(signature, "base64");
  if (isListText(bytes)) return listOfMembers(known, bytes, proof);

  const head = headOf(bytes, known);
  const unsigned = { ...known, signedAt: null, signer: "", memberSignatures: null };
  if (head === null) return { ...unsigned, signatureProblem: "no-proof" };
  const facts = { ...unsigned, signedAt: head.at, signer: head.key };
  const isCorrect = verifies(head.key, signedBytes(bytes), proof);
  return {
    ...facts,
    signatureProblem: isCorrect ? null : isCorrect === null ? "unknown-key" : "bad-signature",
  };
}

/** Returns a list with the result of the check of its members' signatures. @param body  the text that they sign */
function listOfMembers(known: KnownList, body: Buffer, proof: Buffer): ReportedList {
  const list = { ...known, signedAt: null, signer: "", memberSignatures: null };
  if (listHash(body.toString("latin1"), sha256) !== known.hash)
    return { ...list, signatureProblem: "no-proof" };
  const signatures = readListProof(known, body, proof, { hash: sha256, verify: verifyMember });
  const memberSignatures = signatures?.size ?? 0;
  return { ...list, memberSignatures, signatureProblem: memberSignatures > 0 ? null : "bad-signature" };
}

function verifyMember(spki: ByteString, signed: Buffer, signature: Buffer): boolean {
  try {
    const key = createPublicKey({ key: Buffer.from(spki, "latin1"), format: "der", type: "spki" });
    return verifyEnvelope(signed, signature, key);
  } catch {
    // The bytes are not a valid key.
    return false;
  }
}

/**
 * Returns the head of an envelope that contains only this list, for the list's cluster, or null if it contains
 * anything else.
 */
function headOf(body: Buffer, { list, hash }: KnownList): EnvelopeHead | null {
  try {
    const found = readListAlone(body, Buffer.alloc(0), list.cluster, sha256);
    return "refused" in found || found.hash !== hash ? null : readHead(body);
  } catch (problem) {
    if (problem instanceof MalformedFrame) return null;
    throw problem;
  }
}

const ID_DIGITS = 64;
/** Minimum digits of an abbreviated id; a shorter one is probably a typing error. */
const PREFIX_DIGITS_MIN = 4;

/** The daemons that a name can refer to. */
interface KnownDaemons {
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

  const named = hostAndPort(text);
  const hasName = ({ address }: { readonly address: string }) =>
    [hostAndPort(address), hostOf(hostAndPort(address))].includes(named);
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
    `there is no daemon ${name}${preferred === "listed" ? " on the list" : ""}; ${ALLOWED}; ` +
      `known: ${knownNames([...views, ...identifiedByHello, ...peers], listed, preferred)}`,
  );
}

/** Maximum number of daemons that an error lists. */
const KNOWN_MAX = 16;
/** Number of an id's digits in the list of known daemons. */
const KNOWN_DIGITS = 16;

/**
 * Lists the daemons that a name could mean, with their addresses and the first digits of their ids, such as
 * "db1:1111 (4f3a9c0e77b1d2c3…)". A member at an unknown address appears with its id only.
 */
function knownNames(
  daemons: readonly IdentifiedDaemon[],
  listed: readonly string[],
  preferred: NamePreference,
): string {
  const addresses = new Map<string, string>();
  for (const { id, address } of daemons) {
    const isCandidate = id !== "" && (preferred === "new" || listed.includes(id));
    if (isCandidate && !addresses.get(id)) addresses.set(id, hostAndPort(address));
  }
  for (const id of listed) if (!addresses.has(id)) addresses.set(id, "");

  const names = [...addresses].map(([id, address]) => {
    const digits = `${id.slice(0, KNOWN_DIGITS)}…`;
    return address === "" ? digits : `${address} (${digits})`;
  });
  const more = names.length - KNOWN_MAX;
  if (names.length === 0) return "none";
  return `${names.slice(0, KNOWN_MAX).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
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

/** Returns an address without its scheme and pin, so that a daemon with TLS has the same name as one without. */
const hostAndPort = (address: string): string => address.replace(/^\w+:\/\//, "").replace(/#.*$/, "");

/** Returns an address without its port. */
const hostOf = (address: string): string => address.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");

/** A daemon of which both the address and the id are known. */
export interface IdentifiedDaemon {
  readonly address: string;
  /** The daemon's id, hexadecimal. */
  readonly id: string;
}

/**
 * Returns the ids of the daemons that rejected the administrator's key as unknown, from their hellos. A daemon with an
 * empty folder knows only the keys of its options. It receives the remaining keys after a list has added it.
 * @param cluster  hexadecimal; daemons of other clusters are left out
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
