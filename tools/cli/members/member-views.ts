/** The daemons' views of the member list, and the newest list among all of them. */

import { DbsyncError } from "../../../client/shared/errors.js";
import type { ReplyValue } from "../../../client/shared/reply-value.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { takeList } from "../../../protocol/members/list-succession.js";
import { bytesOfHex, HASH_BYTES } from "../../../protocol/version-2/envelope.js";
import type { Answer } from "../keys/fetch-key-rings.js";
import { fieldsOf } from "../shared/output.js";
import { type ReportedList, reportedList, type VerifiesList } from "./reported-member-list.js";

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
    refusal: fields["refusal"] == null ? null : text("refusal"),
    authorize: fields["authorize"] == null ? null : text("authorize"),
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
