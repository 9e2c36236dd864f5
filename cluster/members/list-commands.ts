/**
 * CLUSTER MEMBERS: what this daemon knows of the list of members, and a list that it is to take. Recorded nowhere: the envelope
 * itself is what is kept of it, and what proves it to others. Source: docs/protocol-v2.md "Members by list".
 */

import { type EnvelopeAnswer, notApplied, refused, unknown } from "../../engine/answers/request.js";
import { ResultWriter } from "../../engine/answers/result-writer.js";
import type { Taken } from "../../engine/pipeline/units.js";
import { hashOf } from "../../engine/trust/identity.js";
import type { SignersFace } from "../../engine/trust/signers.js";
import { type ByteString, bytesOfText } from "../../protocol/byte-string.js";
import { listHash, parseMemberList, writeMemberList } from "../../protocol/members/member-list.js";
import { isListCommand } from "../../protocol/members/signed-list.js";
import { array, bulk, type ErrorReply, error, integer, map, NIL, type Reply } from "../../protocol/reply.js";
import { hexOf } from "../../protocol/version-2/envelope.js";
import { refusalOf } from "../../store/judgement.js";
import type { MemberLists } from "./member-lists.js";

export interface ListCommandsParts {
  readonly lists: MemberLists;
  /** The daemon's own id. */
  readonly own: ByteString;
  readonly signers: Pick<SignersFace, "ring" | "cluster">;
  readonly state: () => string;
  /** Everything dated before it is final here; milliseconds since 1970. */
  readonly stable: () => number;
  readonly peers: () => readonly {
    readonly id: ByteString | null;
    readonly address: string;
    readonly connection: string;
  }[];
  /** SubjectPublicKeyInfo of a daemon's key; null: not known. */
  readonly spkiOf: (id: ByteString) => ByteString | null;
  /** The command that authorizes the daemon's own key, which signs for clients without keys; null: there are none, or it is. */
  readonly introduction: () => readonly ByteString[] | null;
}

export class ListCommands {
  readonly #parts: ListCommandsParts;

  constructor(parts: ListCommandsParts) {
    this.#parts = parts;
  }

  /** @returns null: the envelope is for the databases, or the ring says what is wrong with it */
  answer(taken: Taken): EnvelopeAnswer | Promise<EnvelopeAnswer> | null {
    const { envelope, signer, message } = taken;
    const { commands, key, at, as, multi, if: conditions } = envelope;
    const [argv = []] = commands;
    if (signer === null || multi || conditions !== null || commands.length !== 1 || !isListCommand(argv))
      return null;
    const denial = refusalOf({ key, at, commands, conditions, as }, signer, this.#parts.signers.ring);
    if (denial !== null) return answered(taken, denial);
    if (argv.length === 2) return answered(taken, this.#told());
    return this.#take(taken, argv, Buffer.from(message.body), Buffer.from(message.signature));
  }

  #take(
    taken: Taken,
    [, , text = ""]: readonly ByteString[],
    body: Buffer,
    signature: Buffer,
  ): EnvelopeAnswer | Promise<EnvelopeAnswer> {
    const { lists, own } = this.#parts;
    const list = parseMemberList(text);
    if (typeof list === "string") return answered(taken, problem(list));
    if (list.members.includes(own) && !lists.isDurable) return answered(taken, problem(NO_DATA));
    const outcome = lists.take(body, signature);
    const done = bulk(hexOf(listHash(text, hashOf)));
    if (outcome === "old") return answered(taken, done);
    if (outcome === "unknown-signer") return answered(taken, problem("its signer is not known any more"));
    if ("refused" in outcome) return answered(taken, problem(outcome.refused));
    return outcome.saved.then(
      () => answered(taken, done),
      ({ message }: Error) => unknown(notApplied(taken.id, refused("storage-failed", message))),
    );
  }

  #told(): Reply {
    const { lists, own, signers, state, stable, peers, spkiOf, introduction } = this.#parts;
    const command = introduction();
    const { isDurable, isJoining, isReporting, refusal } = lists;
    const known = peers().filter(({ id, connection }) => id !== null && connection !== "self");
    return map(
      Object.entries<Reply>({
        id: bulk(hexOf(own)),
        cluster: bulk(hexOf(signers.cluster)),
        state: bulk(state()),
        durable: flag(isDurable),
        joining: flag(isJoining),
        reporting: flag(isReporting),
        refusal: refusal === null ? NIL : bulk(bytesOfText(refusal)),
        stable: integer(stable()),
        lists: array(lists.heads.map(({ list }) => bulk(writeMemberList(list)))),
        proofs: array(lists.heads.map(({ body, signature }) => array([body, signature].map(base64)))),
        authorize: command === null ? NIL : bulk(command.join(" ")),
        peers: array(
          known.map(({ id, address, connection }) => {
            const spki = spkiOf(id ?? "");
            const key = spki === null ? NIL : base64(Buffer.from(spki, "latin1"));
            return array([bulk(hexOf(id ?? "")), bulk(bytesOfText(address)), bulk(connection), key]);
          }),
        ),
      }).flatMap(([name, value]) => [bulk(name), value]),
    );
  }
}

const NO_DATA =
  "this daemon has no data folder (--data), so it would come back with nothing: no list can name it";

const problem = (reason: string): ErrorReply => error(`ERR the list of members is not taken: ${reason}`);

const base64 = (bytes: Buffer): Reply => bulk(bytes.toString("base64"));
const flag = (value: boolean): Reply => integer(value ? 1 : 0);

function answered({ id, room, standing }: Taken, reply: Reply): EnvelopeAnswer {
  const result = new ResultWriter(room, standing);
  result.add(reply, "");
  return result.done(id);
}
