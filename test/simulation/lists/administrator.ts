/**
 * An administrator of a run: queries daemons about the member list and signs the next list, in the same steps as
 * `dbsync members`. The administrator signs nothing that `dbsync members` would refuse.
 */

import { DbsyncError } from "../../../client/shared/errors.js";
import { replyValue } from "../../../client/shared/reply-conversion.js";
import type { EnvelopeAnswer } from "../../../daemon/engine/answers/request.js";
import type { Entry } from "../../../daemon/timeline/entries/entry.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { type KnownList, listHash } from "../../../protocol/members/member-list.js";
import { RespReader } from "../../../protocol/resp/resp-reader.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import {
  type MemberView,
  newestListsOf,
  type ReportedList,
  type VerifiesList,
  viewsOf,
} from "../../../tools/cli/members/member-views.js";
import { type ListChange, nextMembers } from "../../../tools/cli/members/next-member-list.js";
import type { SeededRandom } from "../../support/seeded-random.js";
import { randomBytes, shortId } from "../cast.js";
import { type SimulatedKey, sha256, sign, signatureOf } from "../signatures.js";
import type { Host, World } from "../world.js";
import { isInEach, isSound, type SignedLists } from "./known-lists.js";

const COMMAND = ["CLUSTER", "MEMBERS"];

/** The daemons' answers, and the heads among their lists. */
export interface Answers {
  readonly views: readonly MemberView[];
  readonly heads: readonly ReportedList[];
}

/** The change to sign; ids are hexadecimal. */
export type Wanted = Pick<ListChange, "add" | "evict"> & Partial<ListChange>;

export interface AdministratorParts {
  readonly name: string;
  readonly world: World;
  /** The administrator's own generator, so that its draws do not change the rest of the run. */
  readonly random: SeededRandom;
  readonly signed: SignedLists;
  /**
   * The keys with which the administrator signs, and which it knows in addition to the cluster's first keys. Default:
   * the first keys only.
   */
  readonly keys?: readonly SimulatedKey[];
}

export class Administrator {
  readonly #parts: AdministratorParts;

  constructor(parts: AdministratorParts) {
    this.#parts = parts;
  }

  /** Queries daemons. @param then  called with the answers that arrived in time, at least one */
  query(hosts: readonly Host[], patienceMs: number, then: (answers: Answers) => void): void {
    const { world, name } = this.#parts;
    const answers: Parameters<typeof viewsOf>[0][number][] = [];
    for (const host of hosts)
      this.#deliver(host, this.#envelope(COMMAND), (answer) => {
        const reply = answer.kind === "result" ? replyIn(answer.replies) : null;
        if (reply !== null) answers.push({ address: `${host.name}:1111`, reply, error: null });
      });
    world.scheduler.after(patienceMs, null, () => {
      // Later answers are ignored.
      const arrived = answers.splice(0).sort((a, b) => (a.address < b.address ? -1 : 1));
      if (arrived.length === 0) return;
      const views = viewsOf(arrived, this.#verifies);
      world.trace(name, () => `receives ${views.map(shownView).join(", ")}`);
      then({ views, heads: newestListsOf(views) });
    });
  }

  /** Signs the next list and sends it to some hosts. @returns why it did not sign, or null if it did */
  sign(
    { views, heads }: Answers,
    { add, evict, isReplacing = false, isRenewed = false, force = false }: Wanted,
    to: readonly Host[],
  ): string | null {
    const { world, name, signed } = this.#parts;
    try {
      const change = { add, evict, isReplacing, isRenewed, force, queried: views.length };
      const { list, text, isUnchanged } = nextMembers(views, heads, change);
      if (isUnchanged) return "the list already contains this change";
      const known: KnownList = { list, hash: listHash(text, sha256) };
      const others = world.heads.filter(({ hash }) => !list.parents.includes(hash) && hash !== known.hash);
      const keeps = [known, ...others];
      if (!world.hosts.some((host) => isInEach(keeps, host) && isSound(host, heads.length > 0)))
        return "it would retain no daemon that has all entries";
      signed.add(known);
      world.trace(
        name,
        () =>
          `signs list ${list.number} ${shortId(known.hash)} of ${list.members.map(shortId)} after ${list.parents.map(shortId)}, sends it to ${to.map((host) => host.name)}`,
      );
      const envelope = this.#envelope([...COMMAND, text]);
      for (const host of to) this.#deliver(host, envelope, () => {});
      return null;
    } catch (problem) {
      if (!(problem instanceof DbsyncError)) throw problem;
      world.trace(name, () => `does not sign: ${problem.message}`);
      return problem.message;
    }
  }

  /** Signs a command once and sends it to some hosts. */
  send(command: readonly ByteString[], to: readonly Host[]): void {
    const envelope = this.#envelope(command);
    this.#parts.world.ledger.sent.set(envelope.id, { entry: envelope, isRead: false, outcomes: [] });
    for (const host of to) this.#deliver(host, envelope, () => {});
  }

  get #keys(): readonly SimulatedKey[] {
    return this.#parts.keys ?? this.#parts.world.genesis.roots;
  }

  #envelope(command: readonly ByteString[]): Entry {
    const { world, random } = this.#parts;
    const { genesis, hosts } = world;
    const clocks = hosts.map((host) => host.clock()).sort((a, b) => a - b);
    const at = clocks[(clocks.length - 1) >> 1] as number;
    const header = { cluster: genesis.cluster, nonce: randomBytes(random, 16), at, seq: 0 };
    return sign(random.oneOf(this.#keys), header, [command]);
  }

  /** Verifies a list. The administrators know each other's keys. */
  readonly #verifies: VerifiesList = (signer, signed, signature) => {
    const known = [...this.#keys, ...this.#parts.world.genesis.roots];
    const root = known.find(({ id }) => id === signer);
    return root === undefined ? null : signatureOf(root.spki, signed).equals(signature);
  };

  #deliver(host: Host, envelope: Entry, answered: (answer: EnvelopeAnswer) => void): void {
    const { world, name } = this.#parts;
    world.network.send(name, host.name, () =>
      host.send(envelope, undefined, (answer) => {
        world.trace(host.name, () => `answers ${name}: ${shownAnswer(answer)}`);
        world.network.send(host.name, name, () => answered(answer));
      }),
    );
  }
}

/** Returns the value of a reply, or null if the reply is an error. */
function replyIn(replies: ByteString): ReturnType<typeof replyValue> | null {
  const reply = new RespReader(Buffer.from(replies, "latin1")).readReply();
  return reply.kind === "error" ? null : replyValue(reply, false, null);
}

const shownAnswer = (answer: EnvelopeAnswer): string => {
  if (answer.kind === "refused") return `${answer.code} ${answer.detail}`;
  return answer.errors > 0 ? answer.replies : answer.kind;
};

const shownView = ({ address, id, state, joining, lists }: MemberView): string =>
  `${address} ${id.slice(0, 8)} ${joining ? "joining" : state} by ${lists.map(({ hash }) => hexOf(hash).slice(0, 8))}`;
