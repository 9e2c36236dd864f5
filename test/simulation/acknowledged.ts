/**
 * Checks units with conditions: the outcome that the client library reported to a client must be the final outcome,
 * unless an earlier entry in the order had not reached a majority of the hosts by then, or was lost later.
 * Source: docs/consistency.md "What the answer to a condition means".
 */

import "../support/installed-families.js";
import { type CallReport, hasFailedCondition } from "../../client/shared/outcome.js";
import { judge, ruleFor } from "../../client/shared/policy.js";
import { replyValues } from "../../client/shared/reply-conversion.js";
import type { EnvelopeAnswer } from "../../daemon/engine/answers/request.js";
import { isKeyCommand } from "../../daemon/store/key-ring.js";
import { compareEntries, type Entry } from "../../daemon/timeline/entries/entry.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { RespReader } from "../../protocol/resp/resp-reader.js";
import { unitId } from "../../protocol/version-2/unit-names.js";
import type { Word } from "./arrivals.js";
import { shortId } from "./cast.js";
import type { NaiveState } from "./naive-fold.js";
import type { Host, World } from "./world.js";

/** One client's view of a unit. The client sends to all hosts. */
export class ConditionalCall {
  readonly #world: World;
  readonly #entry: Entry;
  readonly #reports: (CallReport | null)[];
  #isDecided = false;

  constructor(world: World, entry: Entry) {
    this.#world = world;
    this.#entry = entry;
    this.#reports = world.hosts.map(() => null);
  }

  /** Records a host's answer. Only the first answer counts. */
  answered(host: Host, answer: EnvelopeAnswer): void {
    const { hosts, ledger } = this.#world;
    const index = hosts.indexOf(host);
    if (this.#isDecided || host.isByzantine || answer.kind !== "result") return;
    this.#reports[index] ??= reportOf(answer);
    const verdict = judge(ruleFor("usual", true), this.#reports, false);
    if (verdict.kind !== "value") return;
    this.#isDecided = true;
    const known = ledger.arrivals.knownBefore(this.#entry.id, hosts);
    const word = hasFailedCondition(verdict.answer.flags) ? "unmet" : "applied";
    ledger.conditional.push({ entry: this.#entry, word, known });
  }
}

function reportOf(answer: EnvelopeAnswer & { readonly kind: "result" }): CallReport {
  const reader = new RespReader(Buffer.from(answer.replies, "latin1"));
  const [reply, flags] = [reader.readReply(), reader.readBulk()];
  if (reply.kind === "error")
    return { ok: false, stage: "reply", detail: reply.text, written: true, at: 0, flags };
  return { ok: true, values: replyValues(reply), reply, flags, isForAll: false, at: 0 };
}

/**
 * Returns a description of each acknowledgement that differs from the final outcome of its unit. Acknowledgements are
 * excused if an earlier entry on which the unit depends had not reached a majority of the hosts at that time, or if
 * faults destroyed it later: the condition then no longer finds the write that it names.
 * @param entries  the entries that all daemons have in the end
 * @param lost     the order keys of entries that faults destroyed
 */
export function wrongAcknowledgements(
  { ledger }: Pick<World, "ledger">,
  entries: readonly Entry[],
  { units }: Pick<NaiveState, "units">,
  lost: ReadonlySet<ByteString>,
): string[] {
  const ids = new Set(entries.map(({ id }) => id));
  const missing = [...lost]
    .flatMap((orderKey) => ledger.sent.get(orderKey.slice(10))?.entry ?? [])
    .filter(({ id }) => !ids.has(id));
  const all = [...entries, ...missing];
  return ledger.conditional.flatMap(({ entry, word, known }) => {
    const unit = units.get(unitId(entry.id, 0));
    if (unit === undefined) return [];
    const became: Word =
      unit.reply.kind === "nil-array" && unit.isVoid
        ? "unmet"
        : unit.isVoid || unit.reply.kind === "error"
          ? "failed"
          : "applied";
    if (became === word || bearingOn(entry, all).some(({ id }) => !known.has(id) || !ids.has(id))) return [];
    return [`${shortId(entry.id)} was acknowledged as ${word}, but became ${became}`];
  });
}

/**
 * Returns the earlier entries on which the conditions and commands of an entry may depend, directly or through other
 * entries.
 */
function bearingOn({ envelope, ...rest }: Entry, entries: readonly Entry[]): readonly Entry[] {
  const entry = { envelope, ...rest };
  const words = wordsOf(entry);
  const before = entries.filter((other) => compareEntries(other, entry) < 0).sort(compareEntries);
  return before.reverse().filter((other) => {
    const { commands } = other.envelope;
    const own = wordsOf(other);
    const isForAll = commands.some(
      (argv) => isKeyCommand(argv) || argv.length === 1 || /^(FLUSH|SWAP|SQL|MDB|DOC)/i.test(argv[0] ?? ""),
    );
    if (!isForAll && ![...own].some((word) => words.has(word))) return false;
    for (const word of own) words.add(word);
    return true;
  });
}

/** Returns the arguments of an envelope's commands and the keys of its conditions. */
function wordsOf({ envelope: { commands, if: conditions, ifs } }: Entry): Set<ByteString> {
  const all = [conditions ?? [], ...(ifs?.values() ?? [])].flat();
  return new Set([...commands.flatMap((argv) => argv.slice(1)), ...all.map(({ key }) => key)]);
}
