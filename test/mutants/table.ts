/**
 * The rules that keep daemons equal, each broken in one position. The comments of the broken code explain the rule. A
 * mutant that survives means an unnecessary rule, or an incomplete test.
 */

import { acknowledgedMutants } from "./acknowledged-table.js";
import { budgetMutants } from "./budget-table.js";
import { collectionMutants } from "./collection-table.js";
import { fetchMutants } from "./fetch-table.js";
import { groupMutants } from "./group-table.js";
import { listMutants } from "./list-table.js";
import { memberMutants } from "./member-table.js";
import type { Mutant } from "./mutant.js";
import { noticeMutants } from "./notice-table.js";
import { proxyMutants } from "./proxy-table.js";
import { queryMutants } from "./query-table.js";
import { recipeMutants } from "./recipe-table.js";
import { scanMutants } from "./scan-table.js";
import { scriptMutants } from "./script-table.js";
import { semanticsMutants } from "./semantics-table.js";
import { sqlMutants } from "./sql-table.js";
import { webMutants } from "./web-table.js";

export const mutants: readonly Mutant[] = [
  {
    name: "a key that has been changed since is told of",
    file: "timeline/state-digests.js",
    find: "!changed.has(nameOf(named))",
    replace: "true",
    test: "test/timeline/state-digests.test.js",
  },
  {
    name: "a state is told that is not all on the disk",
    file: "timeline/state-digests.js",
    find: " && archive.countsBefore(at)",
    replace: "",
    test: "test/timeline/state-digests.test.js",
  },
  {
    name: "messages of members told again",
    file: "engine/pipeline/broadcasts.js",
    find: "this.#seen.add(id, at, null);\n        if (from !== null)",
    replace: "if (from !== null)",
    test: "test/engine/pipeline/broadcasts.test.js",
  },
  {
    name: "channels of a key's rules not asked for",
    file: "store/key-ring.js",
    find: "denial = acl.denial(command, argv) ?? acl.channelDenial(command, argv);",
    replace: "denial = acl.denial(command, argv);",
    test: "test/cluster/replica/message-check.test.js",
  },
  {
    name: "a listen that any daemon takes",
    file: "listeners/dbsync/live-session.js",
    find: "if (envelope.only === null)",
    replace: "if (false)",
    test: "test/listeners/dbsync/live.test.js",
  },
  {
    name: "a key that hears on when its rules are others",
    file: "listeners/dbsync/live-session.js",
    find: "if (record === before)",
    replace: "if (true)",
    test: "test/client/live/live.test.js",
  },
  {
    name: "dedupe off",
    file: "timeline/archive.js",
    find: `if (place.at <= this.prunedTo || this.#unflushed.has(place.id))
            return true;`,
    replace: "return false;",
  },
  {
    name: "order of arrival used",
    file: "timeline/fold/fold.js",
    find: "if (isAfter(entries, this.#newest))\n            return entries.map(",
    replace: "if (true)\n            return entries.map(",
    killer: "fold",
  },
  {
    name: "read and write sets taken from execution",
    file: "timeline/fold/affected-units.js",
    find: "const { writes } = from;",
    replace: "const writes = from.writes && (!from.unit.isApplied || from.unit.records !== null);",
    test: "test/timeline/fold-cases.test.js",
  },
  {
    name: "denied units left out of the sets",
    file: "timeline/fold/touched-tail.js",
    find: "const units = entry.unfold(this.#databases, this.#known);",
    replace: "const units = entry.unfold(this.#databases, this.#known).filter(({ isDenied }) => !isDenied);",
    killer: "fold",
  },
  {
    name: "failed units left out of the sets",
    file: "timeline/fold/touched-tail.js",
    find: "const units = entry.unfold(this.#databases, this.#known);",
    replace:
      "const units = entry.unfold(this.#databases, this.#known).filter(({ isDenied, records }) => isDenied || records !== null);",
    killer: "fold",
  },
  {
    name: "closure without what may write what these read",
    file: "timeline/fold/affected-units.js",
    find: "if (writes || node.writes)",
    replace: "if (writes)",
    killer: "fold",
  },
  {
    name: "conditions left out of the sets",
    file: "timeline/fold/unit.js",
    find: "if (envelope.if === null)\n        return;",
    replace: "return;",
    killer: "fold",
  },
  {
    name: "undo out of order",
    file: "timeline/fold/fold.js",
    find: "for (let i = affected.length - 1; i >= 0; i--)",
    replace: "for (let i = 0; i < affected.length; i++)",
    killer: "fold",
  },
  {
    name: "an inverse that appends instead of restoring the place",
    file: "store/keyspace/undo.js",
    find: "set.restoreAt(slot, member)",
    replace: "set.push(member)",
    test: "test/store/keyspace/undo.test.js",
  },
  {
    name: "expiry dropped by the clock",
    file: "timeline/timeline.js",
    find: "this.#fold.dropExpired(EXPIRED_A_TICK)",
    replace: "this.#fold.database.dropExpired(this.#parts.clock(), EXPIRED_A_TICK)",
    from: 11,
  },
  {
    name: "watermark checked at decode",
    file: "timeline/timeline.js",
    find: "if (place.at <= this.#watermark.value ||",
    // The watermark when the envelope was decoded, some time before.
    replace: "if (place.at <= this.#watermark.value - 2000 ||",
    from: 71,
  },
  {
    name: "watermark published before it is durable",
    file: "timeline/watermark.js",
    find: "this.#isWriting = true;",
    replace: "this.#isWriting = true; this.published = value;",
  },
  {
    name: "permission at the listener only",
    file: "timeline/fold/apply.js",
    find: "const refusal = verdictOn(unit, signer, ring);",
    replace: "const refusal = null;",
  },
  {
    name: "permission by the newest ring",
    file: "timeline/fold/fold.js",
    find: "signer: ring.recordAt(unit.envelope.key, unit),",
    replace: "signer: ring.newest.find(unit.envelope.key),",
    killer: "fold",
  },
  {
    name: "verdicts that flip are not redone",
    file: "timeline/fold/fold.js",
    find: "!== null) !== unit.isDenied;",
    replace: "!== null) !== unit.isDenied && false;",
    killer: "fold",
  },
  {
    name: "the fold reads a local setting",
    file: "timeline/folding.js",
    find: "folded = this.#fold.mergeWithin(REDO_MAX, entries)",
    replace: `folded = this.#fold.mergeWithin(REDO_MAX, entries.map((entry) => {
        const most = this.#parts.limits.tailBytes < 1e6 ? 3 : 4096;
        return { ...entry, envelope: { ...entry.envelope, commands: entry.envelope.commands.slice(0, most) } };
    }))`,
  },
  {
    name: "the envelope as the unit",
    file: "timeline/fold/unit.js",
    find: "const isOneUnit = ({ multi, if: conditions }) => multi || conditions !== null;",
    replace:
      "const isOneUnit = ({ multi, if: conditions, commands }) => multi || conditions !== null || commands.length > 1;",
    killer: "fold",
  },
  {
    name: "late units dropped",
    file: "timeline/timeline.js",
    find: "this.waiting.add(unfolded, this.#dates.dueUntil);",
    replace:
      "this.waiting.add(unfolded.filter((entry) => !(entry.envelope.at < this.#fold.newest?.at)), this.#dates.dueUntil);",
  },
  {
    name: "members told before the disk has it",
    file: "timeline/archive.js",
    find: "storage.put(values,",
    replace: "this.#parts.owner.flushed(entries.map(flushedEntry), from); storage.put(values,",
  },
  {
    name: "a stable point without comparing",
    file: "timeline/members/stable-rule.js",
    find: "report.watermark < at || !isSame(report.digest, own.digest)",
    replace: "report.watermark < at",
    test: "test/cluster/peers/past/stable-point.test.js",
  },
  {
    name: "a stable point without the watermarks",
    file: "timeline/members/stable-rule.js",
    find: "report.watermark < at || ",
    replace: "",
    test: "test/timeline/members/rules.test.js",
  },
  {
    name: "what comes during a refold is folded twice",
    file: "timeline/refolding.js",
    find: "this.#arrived.add(id);",
    replace: "void id;",
    test: "test/timeline/refolding.test.js",
  },
  {
    name: "future entries folded never",
    file: "timeline/timeline.js",
    find: "this.waiting.addLate(this.waiting.takeDue(this.#dates.dueUntil));",
    replace: "this.waiting.takeDue(this.#dates.dueUntil);",
  },
  {
    name: "damaged signatures believed",
    file: "timeline/entries/stored-value.js",
    find: "if (value.length < HEAD_BYTES || crc32(value.subarray(CRC_BYTES)) !== value.readUInt32BE(0))",
    replace: "if (value.length < HEAD_BYTES)",
  },
  {
    name: "what lost keys have signed stays",
    file: "timeline/lost-entries.js",
    find: "[...unknown, ...damaged]",
    replace: "[...damaged]",
    killer: "handover",
  },
  {
    name: "what stands before the entry that names its key goes",
    file: "timeline/unverifiable.js",
    find: "for (let before = -1; before !== unknown.length; yield) {",
    replace: "for (let before = -1; before !== -1; yield) {",
    killer: "handover",
  },
  {
    name: "keys that only lost ones name are known",
    file: "timeline/unverifiable.js",
    find: "if (ring.spkiOf(signed) === undefined)\n            return false;",
    replace:
      "for (const unit of signed.naming) ring.named.addOf(unit);\n        if (ring.spkiOf(signed) === undefined)\n            return false;",
    killer: "handover",
  },
  {
    name: "the ring of a member's snapshot is believed",
    file: "timeline/handover.js",
    find: "const { refusesRing } = this.#parts;",
    replace: "const refusesRing = undefined;",
    test: "test/timeline/snapshots/aside.test.js",
  },
  {
    name: "other bytes than those agreed on are taken",
    file: "timeline/handover.js",
    find: "if (bytes !== agreed.bytes || seal !== agreed.seal)",
    replace: "if (false)",
    test: "test/timeline/snapshots/aside.test.js",
  },
  {
    name: "a daemon that has become live takes a snapshot nevertheless",
    file: "timeline/handover.js",
    find: "if (!handlers.isWanted())",
    replace: "if (false)",
    test: "test/timeline/snapshots/aside.test.js",
  },
  {
    name: "nothing is kept aside",
    file: "timeline/handover.js",
    find: "openAside === null ? null : await keepAside(source, await openAside(staged.cutAt), turn)",
    replace: "null",
    test: "test/timeline/snapshots/aside.test.js",
  },
  {
    name: "a snapshot that is made again of the same date is told as it was before",
    file: "timeline/snapshots/snapshot-making.js",
    find: "if (date >= at)\n                this.#cuts.delete(date);",
    replace: "",
    test: "test/timeline/retention.test.js",
  },
  {
    name: "what is left of a damaged entry that nobody has stays on the disk",
    file: "timeline/archive.js",
    find: "storage.remove(places.map(writePlace), ",
    replace: "storage.remove([], ",
    test: "test/timeline/damaged-entries.test.js",
  },
  {
    name: "what a snapshot has is counted no more when it was found damaged",
    file: "timeline/archive.js",
    find: "if (place.at <= this.prunedTo || this.#damaged.has(place.id))",
    replace: "if (this.#damaged.has(place.id))",
    test: "test/timeline/archive.test.js",
  },
  {
    name: "a slow disk that holds the event loop on",
    file: "timeline/disk/inline-writes.js",
    find: "this.#pausedUntil = endedAt +",
    replace: "this.#pausedUntil = 0 *",
    test: "test/timeline/disk/inline-writes.test.js",
  },
  {
    name: "a busy event loop that waits for the disk",
    file: "timeline/disk/inline-writes.js",
    find: "this.#idleMs >= this.#meanMs && ",
    replace: "",
    test: "test/timeline/disk/inline-writes.test.js",
  },
  {
    name: "a failed write of the event loop that is acknowledged",
    file: "timeline/disk/disk-storage.js",
    find: `catch (problem) {
            this.#fail(problem);
        }
    };
    #wrote(`,
    replace: `catch (problem) {
            this.#current?.resolve();
        }
    };
    #wrote(`,
    test: "test/timeline/disk/disk-storage.test.js",
  },
  {
    name: "an answer before its write is over",
    file: "timeline/disk/disk-storage.js",
    find: "return this.#failure === null && this.#operations.length === 0 && !this.#isWriting;",
    replace: "return this.#failure === null && this.#operations.length === 0;",
    test: "test/timeline/disk/disk-storage.test.js",
  },
  {
    name: "an entry that is not on the disk yet is shown to members",
    file: "timeline/archive.js",
    find: "if (isFlushed && storage.isSafe)",
    replace: "if (isFlushed)",
    test: "test/timeline/archive.test.js",
  },
  {
    name: "a write of its own for each envelope of a turn",
    file: "timeline/disk/disk-storage.js",
    find: "if (hasRested && this.#closing === null)",
    replace: "if (this.#closing === null)",
    test: "test/timeline/disk/disk-storage.test.js",
  },
  ...acknowledgedMutants,
  ...fetchMutants,
  ...groupMutants,
  ...memberMutants,
  ...semanticsMutants,
  ...listMutants,
  ...noticeMutants,
  ...scanMutants,
  ...scriptMutants,
  ...sqlMutants,
  ...budgetMutants,
  ...collectionMutants,
  ...webMutants,
  ...proxyMutants,
  ...queryMutants,
  ...recipeMutants,
];
