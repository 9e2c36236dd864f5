/**
 * Mutants of the rules that keep daemons equal. The comments of the broken code explain each rule. If a mutant
 * survives, its rule is unnecessary or a test is incomplete. The mutants of a face, and those that only a test of a
 * face detects, are in faces/<face>/test/mutants.ts.
 */

import { contributionsOf } from "../support/face-contributions.js";
import { acknowledgedMutants } from "./acknowledged-table.js";
import { budgetMutants } from "./budget-table.js";
import { claimMutants } from "./claim-table.js";
import { clientMutants } from "./client-table.js";
import { collectionMutants } from "./collection-table.js";
import { decidedKeyMutants } from "./decided-key-table.js";
import { decidedUnitMutants } from "./decided-unit-table.js";
import { decisionMutants } from "./decision-table.js";
import { followerMutants } from "./follower-table.js";
import { listMutants } from "./list-table.js";
import { loneMutants } from "./lone-table.js";
import { memberMutants } from "./member-table.js";
import type { Mutant } from "./mutant.js";
import { noticeMutants } from "./notice-table.js";
import { proxyMutants } from "./proxy-table.js";
import { queryMutants } from "./query-table.js";
import { recipeMutants } from "./recipe-table.js";
import { scanMutants } from "./scan-table.js";
import { scriptMutants } from "./script-table.js";
import { secretMutants } from "./secret-table.js";
import { semanticsMutants } from "./semantics-table.js";
import { sentinelMutants } from "./sentinel-table.js";
import { subscriberMutants } from "./subscriber-table.js";
import { webMutants } from "./web-table.js";

const faces = await contributionsOf<{ readonly mutants: readonly Mutant[] }>("mutants.js");

export const mutants: readonly Mutant[] = [
  ...[...faces.values()].flatMap((face) => face.mutants),
  {
    name: "the first list of a cluster with data changes the meaning of its commands",
    file: "tools/cli/members/members.js",
    find: "entries > 0",
    replace: "false",
    test: "test/system/first-semantics.test.js",
  },
  {
    name: "a member list sets semantics versions although a daemon reports none",
    file: "tools/cli/members/members.js",
    find: "report.semantics === 0",
    replace: "false",
    test: "test/system/first-semantics.test.js",
  },
  {
    name: "a new daemon reports that units dated before 1970 are final",
    file: "daemon/cluster/history/replica-figures.js",
    find: "stablePoint > 1 ? stablePoint : 0",
    replace: "stablePoint",
    test: "test/daemon/cluster/replica/replica.test.js",
  },
  {
    name: "a daemon is ready although its state refuses writes",
    file: "daemon/program/state-log.js",
    find: 'DAEMON_STATES[state].isHealthy || state === "loading-documents"',
    replace: "state",
    test: "test/daemon/program/state-log.test.js",
  },
  {
    name: "a key that has changed again is reported",
    file: "daemon/timeline/state-digests.js",
    find: "!changed.has(nameOf(named))",
    replace: "true",
    test: "test/daemon/timeline/state-digests.test.js",
  },
  {
    name: "a state that is not completely on disk is reported",
    file: "daemon/timeline/state-digests.js",
    find: " && entryStore.countsBefore(at)",
    replace: "",
    test: "test/daemon/timeline/state-digests.test.js",
  },
  {
    name: "messages of members are delivered twice",
    file: "daemon/engine/pipeline/publish-messages.js",
    find: "this.#seen.add(id, at, null);\n        if (from !== null)",
    replace: "if (from !== null)",
    test: "test/daemon/engine/pipeline/publish-messages.test.js",
  },
  {
    name: "the channels in the rules of a key are not checked",
    file: "daemon/store/key-ring.js",
    find: "denial = acl.denial(command, argv) ?? acl.channelDenial(command, argv);",
    replace: "denial = acl.denial(command, argv);",
    test: "test/daemon/cluster/replica/channel-messages.test.js",
  },
  {
    name: "any daemon accepts a listen request",
    file: "daemon/listener/live-session.js",
    find: "if (envelope.only === null)",
    replace: "if (false)",
    test: "test/daemon/listener/live.test.js",
  },
  {
    name: "a key keeps its subscriptions when its rules change",
    file: "daemon/listener/live-session.js",
    find: "if (record === before)",
    replace: "if (true)",
    test: "test/client/live/subscriptions.test.js",
  },
  {
    name: "client: calls to a version 1 daemon are sent in parallel",
    file: "client/version-1/legacy-link.js",
    find: "this.#connection !== null || first === undefined",
    replace: "first === undefined",
    test: "test/client/shared/connections.test.js",
  },
  {
    name: "client: a hung version 1 daemon receives further commands",
    file: "client/version-1/legacy-link.js",
    find: "this.#othersAnsweredSince(written.writtenAt - STALL_MS)",
    replace: "false",
    test: "test/client/shared/connections.test.js",
  },
  {
    name: "client: commands for a version 1 daemon are dropped while the client connects",
    file: "client/version-1/legacy-link.js",
    find: "heldUntil > now",
    replace: "false",
    test: "test/client/shared/connections.test.js",
  },
  {
    name: "client: a version 1 command that was written counts as not applied",
    file: "client/version-1/legacy-link.js",
    find: "written: writtenAt >= 0",
    replace: "written: false",
    test: "test/client/faults.test.js",
  },
  {
    name: "dedupe off",
    file: "daemon/timeline/entry-store.js",
    find: `if (orderKey.at <= this.prunedTo || this.#unflushed.has(orderKey.id))
            return true;`,
    replace: "return false;",
  },
  {
    name: "the fold uses the order of arrival",
    file: "daemon/timeline/fold/fold.js",
    find: "if (isAfter(entries, this.newest))",
    replace: "if (true)",
    killer: "fold",
  },
  {
    name: "read and write sets come from the execution",
    file: "daemon/timeline/fold/affected-units.js",
    find: "const { writes } = from;",
    replace: "const writes = from.writes && (!from.unit.isApplied || from.unit.records !== null);",
    test: "test/daemon/timeline/fold-cases.test.js",
  },
  {
    name: "denied units are missing in the sets",
    file: "daemon/timeline/fold/touched-tail.js",
    find: "const units = entry.createUnits(this.#databases, this.#known);",
    replace:
      "const units = entry.createUnits(this.#databases, this.#known).filter(({ isDenied }) => !isDenied);",
    killer: "fold",
  },
  {
    name: "failed units are missing in the sets",
    file: "daemon/timeline/fold/touched-tail.js",
    find: "const units = entry.createUnits(this.#databases, this.#known);",
    replace:
      "const units = entry.createUnits(this.#databases, this.#known).filter(({ isDenied, records }) => isDenied || records !== null);",
    killer: "fold",
  },
  {
    name: "the closure does not contain units that may write the keys that it reads",
    file: "daemon/timeline/fold/affected-units.js",
    find: "if (writes || node.writes)",
    replace: "if (writes)",
    killer: "fold",
  },
  {
    name: "conditions are missing in the sets",
    file: "daemon/timeline/fold/fold-unit.js",
    find: "conditionsOf(envelope, unit.index) ?? []",
    replace: "[]",
    killer: "fold",
  },
  {
    name: "units are undone in the wrong order",
    file: "daemon/timeline/fold/fold.js",
    find: "for (let i = affected.length - 1; i >= 0; i--)",
    replace: "for (let i = 0; i < affected.length; i++)",
    killer: "fold",
  },
  {
    name: "an undo appends instead of restoring the position",
    file: "daemon/store/keyspace/undo.js",
    find: "set.restoreAt(slot, member)",
    replace: "set.push(member)",
    test: "test/daemon/store/keyspace/undo.test.js",
  },
  {
    name: "the tail's size leaves out what the values of faces have lost",
    file: "daemon/store/keyspace/undo.js",
    find: "return this.inverse.bytes(this.old);",
    replace: "return 0;",
    test: "test/daemon/timeline/fold-cases.test.js",
  },
  {
    name: "keys expire by the clock",
    file: "daemon/timeline/timeline.js",
    find: "this.#folding.fold.dropExpired(EXPIRED_PER_TICK)",
    replace: "this.#folding.fold.database.dropExpired(this.#parts.clock(), EXPIRED_PER_TICK)",
    from: 11,
  },
  {
    name: "the watermark is checked when an envelope is decoded",
    file: "daemon/timeline/timeline.js",
    find: "return at <= this.#watermark.value ||",
    // This value stands in for the watermark at the earlier time when the envelope was decoded.
    replace: "return at <= this.#watermark.value - 2000 ||",
    from: 71,
  },
  {
    name: "the watermark is published before it is on disk",
    file: "daemon/timeline/watermark.js",
    find: "this.#isWriting = true;",
    replace: "this.#isWriting = true; this.published = value;",
    from: 12,
  },
  {
    name: "only the listener checks permissions",
    file: "daemon/timeline/fold/apply-unit.js",
    find: "const refusal = verdictOn(unit, signer, ring) ?? (isVoidUnit ? VOID : null);",
    replace: "const refusal = null;",
  },
  {
    name: "permissions are checked with the newest key ring",
    file: "daemon/timeline/fold/fold.js",
    find: "const signer = ring.recordAt(unit.envelope.key, unit);",
    replace: "const signer = ring.newest.find(unit.envelope.key);",
    killer: "fold",
  },
  {
    name: "units whose permission changes are not reapplied",
    file: "daemon/timeline/fold/fold.js",
    find: "!== null) !== unit.isDenied;",
    replace: "!== null) !== unit.isDenied && false;",
    killer: "fold",
  },
  {
    name: "the fold reads a local setting",
    file: "daemon/timeline/serving-fold.js",
    find: "folded = this.fold.mergeWithin(REDO_MAX, entries)",
    replace: `folded = this.fold.mergeWithin(REDO_MAX, entries.map((entry) => {
        const most = this.#parts.limits.tailBytes < 1e6 ? 3 : 4096;
        return { ...entry, envelope: { ...entry.envelope, commands: entry.envelope.commands.slice(0, most) } };
    }))`,
  },
  {
    name: "an envelope is one unit",
    file: "protocol/version-2/envelope.js",
    find: "if (multi || conditions !== null)\n        return [{",
    replace: "if (multi || conditions !== null || length > 1)\n        return [{",
    killer: "fold",
  },
  {
    name: "units: each command of an envelope with several units is a unit",
    file: "protocol/version-2/envelope.js",
    find: "units?.[i] ?? 1",
    replace: "1",
    test: "test/daemon/timeline/fold/fold.test.js",
  },
  {
    name: "units: a unit takes what was recorded for the first commands of its envelope",
    file: "daemon/store/database.js",
    find: "choices?.get(first + i)",
    replace: "choices?.get(i)",
    test: "test/daemon/timeline/claims.test.js",
  },
  {
    name: "units: a unit is undone with the records of another one of its envelope",
    file: "daemon/timeline/fold/tail.js",
    find: "undoing?.[i] ?? null",
    replace: "undoing?.[unit.index] ?? null",
    test: "test/daemon/timeline/fold/fold.test.js",
  },
  {
    name: "units: a client's key may sign several units of several commands",
    file: "protocol/version-2/envelope.js",
    find: "as !== null || units !== null ||",
    replace: "as !== null ||",
    test: "test/daemon/timeline/fold-cases.test.js",
  },
  {
    name: "late units are dropped",
    file: "daemon/timeline/timeline.js",
    find: "this.waiting.add(unfolded, this.#dates.foldUntil);",
    replace:
      "this.waiting.add(unfolded.filter((entry) => !(entry.envelope.at < this.#folding.fold.newest?.at)), this.#dates.foldUntil);",
  },
  {
    name: "members are notified before an entry is on disk",
    file: "daemon/timeline/entry-store.js",
    find: "storage.put(values,",
    replace: "this.#parts.handlers.flushed(entries.map(addedEntry), from); storage.put(values,",
    from: 15,
  },
  {
    name: "the stable point does not require a comparison",
    file: "daemon/timeline/members/rules.js",
    find: "report.watermark < at || !isSame(report.digest, own.digest)",
    replace: "report.watermark < at",
    test: "test/daemon/cluster/peers/finality/stable-point.test.js",
  },
  {
    name: "the stable point does not require the watermarks",
    file: "daemon/timeline/members/rules.js",
    find: "report.watermark < at || ",
    replace: "",
    test: "test/daemon/timeline/members/rules.test.js",
  },
  {
    name: "entries that arrive during a refold are folded twice",
    file: "daemon/timeline/background-refold.js",
    find: "this.#arrived.add(id);",
    replace: "void id;",
    test: "test/daemon/timeline/background-refold.test.js",
  },
  {
    name: "entries with future dates are never folded",
    file: "daemon/timeline/timeline.js",
    find: "this.waiting.addLate(this.waiting.takeUntil(this.#dates.foldUntil));",
    replace: "this.waiting.takeUntil(this.#dates.foldUntil);",
  },
  {
    name: "damaged signatures are accepted",
    file: "daemon/timeline/entries/stored-value.js",
    find: "if (value.length < HEAD_BYTES || crc32(value.subarray(CRC_BYTES)) !== value.readUInt32BE(0))",
    replace: "if (value.length < HEAD_BYTES)",
  },
  {
    name: "entries that lost keys have signed stay",
    file: "daemon/timeline/lost-entries.js",
    find: "[...unknown, ...damaged]",
    replace: "[...damaged]",
    killer: "handover",
  },
  {
    name: "entries before the one that names their key are dropped",
    file: "daemon/timeline/lost-entries.js",
    find: "for (let before = -1; before !== unknown.length; yield) {",
    replace: "for (let before = -1; before !== -1; yield) {",
    killer: "handover",
  },
  {
    name: "keys that only lost keys name are accepted",
    file: "daemon/timeline/lost-entries.js",
    find: "if (signed.isSigned && ring.spkiOf(signed) === undefined)\n            return false;",
    replace:
      "for (const unit of signed.naming) ring.named.addOf(unit);\n        if (signed.isSigned && ring.spkiOf(signed) === undefined)\n            return false;",
    killer: "handover",
  },
  {
    name: "the key ring of a member's snapshot is accepted without a check",
    file: "daemon/timeline/snapshot-transfer.js",
    find: "const { refusesRing } = this.#parts;",
    replace: "const refusesRing = undefined;",
    test: "test/daemon/timeline/snapshots/replaced-data.test.js",
  },
  {
    name: "a snapshot with other bytes than the agreed ones is adopted",
    file: "daemon/timeline/snapshot-transfer.js",
    find: "if (bytes !== agreed.bytes || seal !== agreed.seal)",
    replace: "if (false)",
    test: "test/daemon/timeline/snapshots/replaced-data.test.js",
  },
  {
    name: "a daemon that has become live still adopts a snapshot",
    file: "daemon/timeline/snapshot-transfer.js",
    find: "if (!handlers.isWanted())",
    replace: "if (false)",
    test: "test/daemon/timeline/snapshots/replaced-data.test.js",
  },
  {
    name: "dropped entries are not stored as dead letters",
    file: "daemon/timeline/snapshot-transfer.js",
    find: "await storeReplacedData(source, await openReplacedData(staged.cutAt), turn)",
    replace: "null",
    test: "test/daemon/timeline/snapshots/replaced-data.test.js",
  },
  {
    name: "a snapshot that is made again for the same date is reported with its earlier content",
    file: "daemon/timeline/snapshots/snapshot-schedule.js",
    find: "if (date >= at)\n                this.#cuts.delete(date);",
    replace: "",
    test: "test/daemon/timeline/retention.test.js",
  },
  {
    name: "the rest of a damaged entry that no member has stays on disk",
    file: "daemon/timeline/entry-store.js",
    find: "storage.remove(orderKeys.map(writeOrderKey), ",
    replace: "storage.remove([], ",
    test: "test/daemon/timeline/damaged-entries.test.js",
  },
  {
    name: "the entries of a snapshot are no longer counted when it is damaged",
    file: "daemon/timeline/entry-store.js",
    find: "if (orderKey.at <= this.prunedTo || this.#damaged.has(orderKey.id))",
    replace: "if (this.#damaged.has(orderKey.id))",
    test: "test/daemon/timeline/entry-store.test.js",
  },
  {
    name: "a slow disk blocks the event loop",
    file: "daemon/timeline/disk/file-writes.js",
    find: "this.#pausedUntil = endedAt +",
    replace: "this.#pausedUntil = 0 *",
    test: "test/daemon/timeline/disk/file-writes.test.js",
  },
  {
    name: "a busy event loop waits for the disk",
    file: "daemon/timeline/disk/file-writes.js",
    find: "this.#idleMs >= this.#meanMs && ",
    replace: "",
    test: "test/daemon/timeline/disk/file-writes.test.js",
  },
  {
    name: "a failed write of the event loop is acknowledged",
    file: "daemon/timeline/disk/disk-storage.js",
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
    test: "test/daemon/timeline/disk/disk-storage.test.js",
  },
  {
    name: "an answer is sent before its write is complete",
    file: "daemon/timeline/disk/disk-storage.js",
    find: "return this.#failure === null && this.#operations.length === 0 && !this.#isWriting;",
    replace: "return this.#failure === null && this.#operations.length === 0;",
    test: "test/daemon/timeline/disk/disk-storage.test.js",
  },
  {
    name: "an entry that is not on disk yet is offered to members",
    file: "daemon/timeline/entry-store.js",
    find: "if (isFlushed && storage.isSafe)",
    replace: "if (isFlushed)",
    test: "test/daemon/timeline/entry-store.test.js",
  },
  {
    name: "each envelope of a turn causes a separate write",
    file: "daemon/timeline/disk/disk-storage.js",
    find: "if (hasRested && this.#closing === null)",
    replace: "if (this.#closing === null)",
    test: "test/daemon/timeline/disk/disk-storage.test.js",
  },
  {
    name: "characters that change the direction of text reach terminals",
    file: "protocol/control-characters.js",
    find: "\\u2028-\\u202e",
    replace: "",
    test: "test/daemon/net/terminal/escaped-text.test.js",
  },
  {
    name: "unsigned commands bypass the users of other ports",
    file: "daemon/engine/pipeline/envelope-checks.js",
    find: "isSigned || acceptsUnsigned",
    replace: "true",
    test: "test/daemon/engine/pipeline/envelope-checks.test.js",
  },
  {
    name: "programs execute compiled code that another user can write",
    file: "daemon/net/process/compile-cache.js",
    find: "return isOwn(caches) && isOwn(folder) ? folder : null;",
    replace: "return isOwn(caches) ? folder : null;",
    test: "test/daemon/net/process/compile-cache.test.js",
  },
  {
    name: "programs execute compiled code whose folder another user can replace",
    file: "daemon/net/process/compile-cache.js",
    find: "return isOwn(caches) && isOwn(folder) ? folder : null;",
    replace: "return isOwn(folder) ? folder : null;",
    test: "test/daemon/net/process/compile-cache.test.js",
  },
  {
    name: "programs run by sudo execute compiled code of the user's home folder",
    file: "daemon/net/process/compile-cache.js",
    find: "if (!isOwn(XDG_CACHE_HOME || home))",
    replace: "if (false)",
    test: "test/daemon/net/process/compile-cache.test.js",
  },
  {
    name: "a request about the past that waits for its code uses the rights of another client",
    file: "daemon/cluster/history/timeline-commands.js",
    find: "execute(name, argv, { db, id, readsAll })",
    replace: "execute(name, argv, unit)",
    test: "test/daemon/cluster/history/timeline-commands.test.js",
  },
  {
    name: "a run of the tests installs packages on a developer's machine",
    file: "test/support/install-packages.js",
    find: 'uid === 0 || Boolean(env["CI"])',
    replace: 'uid !== undefined || Boolean(env["CI"])',
    test: "test/support/install-packages.test.js",
  },
  {
    name: "a run of the tests in CI does not install what is missing",
    file: "test/support/install-packages.js",
    find: 'Boolean(env["CI"]) ||',
    replace: "",
    test: "test/support/install-packages.test.js",
  },
  ...acknowledgedMutants,
  ...followerMutants,
  ...loneMutants,
  ...memberMutants,
  ...subscriberMutants,
  {
    name: "dates: only a date without a time must exist in the calendar",
    file: "tools/cli/shared/date-text.js",
    find: "isDay || isDateTime ? calendarDate(text)",
    replace: "isDay ? calendarDate(text) : isDateTime ? Date.parse(text)",
    test: "test/tools/cli/shared/date-text.test.js",
  },
  ...secretMutants,
  ...semanticsMutants,
  ...sentinelMutants,
  ...listMutants,
  ...noticeMutants,
  ...scanMutants,
  ...scriptMutants,
  ...budgetMutants,
  ...claimMutants,
  ...clientMutants,
  ...collectionMutants,
  ...decisionMutants,
  ...decidedKeyMutants,
  ...decidedUnitMutants,
  ...webMutants,
  ...proxyMutants,
  ...queryMutants,
  ...recipeMutants,
];
