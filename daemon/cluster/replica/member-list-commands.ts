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
import { hexOf, needsDaemon } from "../../../protocol/version-2/envelope.js";
import { type EnvelopeAnswer, notApplied, refused, unknown } from "../../engine/answers/request.js";
import { ResultWriter } from "../../engine/answers/result-writer.js";
import type { VerifiedEnvelope } from "../../engine/pipeline/apply-units.js";
import { hashOf } from "../../engine/trust/identity.js";
import { refusalOf } from "../../store/unit-permission.js";
import type { MemberLists } from "../members/member-lists.js";
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
    const denial = refusalOf(judged, signer, this.#node.signers.ring);
    if (denial !== null) return answered(verified, denial);
    if (argv.length === 2) return answered(verified, this.#report());
    return this.#take(verified, argv, Buffer.from(message.body), Buffer.from(message.signature));
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
        refusal: refusal === null ? NIL : bulk(bytesOfText(refusal)),
        stable: integer(peering.stablePoint),
        lists: array(lists.heads.map(({ list }) => bulk(writeMemberList(list)))),
        proofs: array(lists.heads.map(({ body, signature }) => array([body, signature].map(base64)))),
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

const NO_DATA = "this daemon has no data folder (--data), so it would restart empty: no list can name it";

const problem = (reason: string): ErrorReply => error(`ERR the list of members is not accepted: ${reason}`);

const base64 = (bytes: Buffer): Reply => bulk(bytes.toString("base64"));
const flag = (value: boolean): Reply => integer(value ? 1 : 0);

function answered({ id, maxReplyBytes, readStatus }: VerifiedEnvelope, reply: Reply): EnvelopeAnswer {
  const result = new ResultWriter(maxReplyBytes, readStatus);
  result.add(reply, "");
  return result.done(id);
}
