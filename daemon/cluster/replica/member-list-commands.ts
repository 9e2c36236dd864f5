/**
 * CLUSTER MEMBERS: reports what this daemon knows about the member list, and accepts a new list. The command is not
 * recorded in the timeline. Instead the daemon stores its envelope, which proves the list to other daemons. Source:
 * docs/protocol-v2.md "Members by list".
 */

import { type ByteString, bytesOfText } from "../../../protocol/byte-string.js";
import {
  isMemberListCommand,
  listHash,
  parseMemberList,
  writeMemberList,
} from "../../../protocol/members/member-list.js";
import {
  array,
  bulk,
  type ErrorReply,
  error,
  integer,
  map,
  NIL,
  namesAndValues,
  type Reply,
} from "../../../protocol/reply.js";
import { bytesOfHex, HASH_BYTES, hexOf, needsDaemon } from "../../../protocol/version-2/envelope.js";
import { type EnvelopeAnswer, notApplied, refused, unknown } from "../../engine/answers/request.js";
import { ResultWriter } from "../../engine/answers/result-writer.js";
import type { VerifiedEnvelope } from "../../engine/pipeline/apply-units.js";
import { hashOf } from "../../engine/trust/identity.js";
import { patternNames } from "../../store/rights/decided-patterns.js";
import { refusalOf } from "../../store/unit-permission.js";
import type { ListOrder, MemberLists } from "../members/member-lists.js";
import type { RecordingBase } from "./recording-base.js";
import type { NodeState } from "./replica-context.js";

export class MemberListCommands {
  readonly #lists: MemberLists;
  readonly #node: NodeState;
  readonly #recording: RecordingBase;

  constructor(lists: MemberLists, node: NodeState, recording: RecordingBase) {
    this.#lists = lists;
    this.#node = node;
    this.#recording = recording;
  }

  /**
   * @returns null if the envelope contains another command, or if the key ring has to answer it because it is malformed
   */
  answer(verified: VerifiedEnvelope): EnvelopeAnswer | Promise<EnvelopeAnswer> | null {
    const { envelope, signer, message } = verified;
    const { commands, key, at, multi, if: conditions } = envelope;
    const [argv = []] = commands;
    if (
      signer === null ||
      multi ||
      conditions !== null ||
      commands.length !== 1 ||
      !isMemberListCommand(argv)
    )
      return null;

    const judged = { key, at, commands, conditions, needsDaemon: needsDaemon(envelope) };
    // The rules of daemons' keys exclude administration, but this daemon's own key may query it and give it orders.
    const order = orderIn(argv);
    const isOwn = key === this.#node.identity.id && (argv.length === 2 || order !== undefined);
    const denial = isOwn ? null : refusalOf(judged, signer, this.#node.signers.ring);
    if (denial !== null) return answered(verified, denial);

    if (argv.length === 2) return answered(verified, this.#report());
    if (order !== undefined) return this.#order(verified, order);
    return this.#take(verified, argv, Buffer.from(message.body), Buffer.from(message.signature));
  }

  /** Begins an agreement on a list, on this daemon only. The reply is a report. */
  #order(verified: VerifiedEnvelope, order: ListOrder): EnvelopeAnswer | Promise<EnvelopeAnswer> {
    const lists = this.#lists;
    const obstacle = this.#obstacleTo(verified, order);
    if (obstacle !== null) return answered(verified, problem(obstacle));
    const begin = (): EnvelopeAnswer => {
      const mayLeave = order.kind === "force" ? this.#lost(order.mayLeave) : null;
      if (typeof mayLeave === "string") return answered(verified, problem(mayLeave));
      lists.begin(mayLeave === null ? order : { kind: "force", mayLeave });
      return answered(verified, this.#report());
    };
    const failed = ({ message }: Error) => answered(verified, problem(message));
    return this.#node.haveMembers()?.then(begin, failed) ?? begin();
  }

  #obstacleTo({ envelope }: VerifiedEnvelope, { kind }: ListOrder): string | null {
    const { identity } = this.#node;
    const lists = this.#lists;
    if (envelope.key !== identity.id) return NOT_OWN_KEY;
    if (!lists.isFoundedByMembers) return HAS_ADMINISTRATOR;
    if (!lists.isDurable) return NO_DATA;
    if (kind !== "found") return lists.hasLists ? null : "there is no list yet";
    return lists.hasLists ? "there is a list already" : null;
  }

  /**
   * Returns the members that a forced list may leave out, or the reason why there is none.
   * @param named  the members that the order names; null: those that are not connected now
   */
  #lost(named: ReadonlySet<ByteString> | null): ReadonlySet<ByteString> | string {
    const { others, isMember } = this.#lists;
    if (!isMember || others === null) return "this daemon is not a member of the list";
    const connected = this.#node.peering.members.filter(({ connection }) => connection === "connected");
    const isLost = new Set(others);
    for (const { id } of connected) isLost.delete(id ?? "");
    if (isLost.size === 0) return "all members of the list are connected, so none is lost";
    if (named === null) return isLost;
    return [...named].every((id) => others.has(id))
      ? named
      : "each id after FORCE has to be that of another member of the list";
  }

  #take(
    verified: VerifiedEnvelope,
    [, , text = ""]: readonly ByteString[],
    body: Buffer,
    signature: Buffer,
  ): EnvelopeAnswer | Promise<EnvelopeAnswer> {
    const lists = this.#lists;
    const list = parseMemberList(text);
    if (typeof list === "string") return answered(verified, problem(list));
    if (list.members.includes(this.#node.identity.id) && !lists.isDurable)
      return answered(verified, problem(NO_DATA));
    const loading = this.#node.haveMembers();
    if (loading === null) return this.#takeChecked(verified, text, body, signature);
    return loading.then(
      () => this.#takeChecked(verified, text, body, signature),
      ({ message }: Error) => answered(verified, problem(message)),
    );
  }

  #takeChecked(
    verified: VerifiedEnvelope,
    text: ByteString,
    body: Buffer,
    signature: Buffer,
  ): EnvelopeAnswer | Promise<EnvelopeAnswer> {
    const outcome = this.#lists.take(body, signature);
    const done = bulk(hexOf(listHash(text, hashOf)));
    if (outcome === "old") return answered(verified, done);
    if (outcome === "incomplete") return answered(verified, problem("not all its members have signed it"));
    if (outcome === "unknown-signer") return answered(verified, problem("its signer is no longer known"));
    if ("refused" in outcome) return answered(verified, problem(outcome.refused));
    return outcome.saved.then(
      () => answered(verified, done),
      ({ message }: Error) => unknown(notApplied(verified.id, refused("storage-failed", message))),
    );
  }

  #report(): Reply {
    const lists = this.#lists;
    const { identity, signers, peering } = this.#node;
    const { introduction: command, state } = this.#recording;
    const { patterns } = signers.ring;
    const { isDurable, isJoining, isReporting, refusal } = lists;
    const known = peering.members.filter(({ id, connection }) => id !== null && connection !== "self");

    return map(
      namesAndValues({
        id: bulk(hexOf(identity.id)),
        cluster: bulk(hexOf(signers.cluster)),
        state: bulk(state),
        durable: flag(isDurable),
        joining: flag(isJoining),
        reporting: flag(isReporting),
        refusal: textOrNil(refusal),
        order: textOrNil(lists.order?.kind ?? null),
        "waits-for": textOrNil(lists.agreementWaitsFor),
        stable: integer(peering.stablePoint),
        lists: array(lists.heads.map(({ list }) => bulk(writeMemberList(list)))),
        proofs: array(lists.heads.map(({ body, signature }) => array([body, signature].map(base64)))),
        "decided-patterns": textOrNil(patternNames(patterns.all)),
        "patterns-waiting": textOrNil(patternNames(patterns.all.filter(({ isBegun }) => !isBegun))),
        authorize: command === null ? NIL : bulk(command.join(" ")),
        peers: array(
          known.map(({ id, address, connection }) => {
            const spki = peering.spkiOf(id ?? "");
            const key = spki === null ? NIL : base64(Buffer.from(spki, "latin1"));
            return array([bulk(hexOf(id ?? "")), bulk(bytesOfText(address)), bulk(connection), key]);
          }),
        ),
      }),
    );
  }
}

const textOrNil = (text: string | null): Reply => (text === null ? NIL : bulk(bytesOfText(text)));

/** Returns the order in a command, or undefined if it contains none. */
function orderIn([, , word = "", ...hexIds]: readonly ByteString[]): ListOrder | undefined {
  const ids = hexIds.map((hex) => bytesOfHex(hex, HASH_BYTES) ?? "");
  const [leave = "", add = ""] = ids;
  const name = word.toUpperCase();

  if (name === "FORCE") return { kind: "force", mayLeave: ids.length === 0 ? null : new Set(ids) };
  switch (`${name} ${ids.length}`) {
    case "FOUND 0":
      return { kind: "found" };
    case "REMOVE 1":
      return { kind: "change", leave, add: null };
    case "REPLACE 2":
      return { kind: "change", leave, add };
    default:
      return undefined;
  }
}

const NOT_OWN_KEY = "this order has to be signed with this daemon's own key, which is in its data folder";
const HAS_ADMINISTRATOR = "administrators sign the lists of this cluster: use their key (-k)";
const NO_DATA = "this daemon has no data folder (--data), so it would restart empty: no list can name it";

const problem = (reason: string): ErrorReply => error(`ERR the list of members is not accepted: ${reason}`);

const base64 = (bytes: Buffer): Reply => bulk(bytes.toString("base64"));
const flag = (value: boolean): Reply => integer(value ? 1 : 0);

function answered({ id, maxReplyBytes, readStatus }: VerifiedEnvelope, reply: Reply): EnvelopeAnswer {
  const result = new ResultWriter(maxReplyBytes, readStatus);
  result.add(reply, "");
  return result.done(id);
}
