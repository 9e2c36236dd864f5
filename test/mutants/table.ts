/**
 * The rules that keep daemons equal, each broken in one place. The comments of the code that is broken say why it stands
 * there; a mutant that nothing finds out means a rule that nothing needs, or a test that sees too little.
 */
import type { Mutant } from "./mutant.js";

export const mutants: readonly Mutant[] = [
  {
    name: "dedupe off",
    file: "timeline/archive.js",
    find: `if (place.at <= this.prunedTo || this.#unflushed.has(place.id))
            return true;`,
    replace: "return false;",
  },
  {
    name: "order of arrival used",
    file: "timeline/fold.js",
    find: "if (isAfter(entries, this.#newest))\n            return entries.map(",
    replace: "if (true)\n            return entries.map(",
    killer: "fold",
  },
  {
    name: "read and write sets taken from execution",
    file: "timeline/closure.js",
    find: "const { writes } = from;",
    replace: "const writes = from.writes && (!from.unit.isApplied || from.unit.records !== null);",
    killer: "fold",
  },
  {
    name: "denied units left out of the sets",
    file: "timeline/touched-tail.js",
    find: "const units = entry.unfold(this.#databases);",
    replace: "const units = entry.unfold(this.#databases).filter(({ isDenied }) => !isDenied);",
    killer: "fold",
  },
  {
    name: "failed units left out of the sets",
    file: "timeline/touched-tail.js",
    find: "const units = entry.unfold(this.#databases);",
    replace:
      "const units = entry.unfold(this.#databases).filter(({ isDenied, records }) => isDenied || records !== null);",
    killer: "fold",
  },
  {
    name: "closure without what may write what these read",
    file: "timeline/closure.js",
    find: "if (writes || node.writes)",
    replace: "if (writes)",
    killer: "fold",
  },
  {
    name: "conditions left out of the sets",
    file: "timeline/unit.js",
    find: "if (envelope.if === null)\n        return;",
    replace: "return;",
    killer: "fold",
  },
  {
    name: "undo out of order",
    file: "timeline/fold.js",
    find: "for (let i = affected.length - 1; i >= 0; i--)",
    replace: "for (let i = 0; i < affected.length; i++)",
    killer: "fold",
  },
  {
    name: "an inverse that appends instead of restoring the place",
    file: "store/undo.js",
    find: "set.restoreAt(place, member)",
    replace: "set.push(member)",
    killer: "fold",
  },
  {
    name: "expiry dropped by the clock",
    file: "timeline/timeline.js",
    find: "this.#fold.dropExpired(EXPIRED_A_TICK)",
    replace: "this.#fold.database.dropExpired(this.#parts.clock(), EXPIRED_A_TICK)",
  },
  {
    name: "watermark checked at decode",
    file: "timeline/timeline.js",
    find: "if (place.at <= this.#watermark.value ||",
    // As it was when the envelope was decoded, some time before.
    replace: "if (place.at <= this.#watermark.value - 2000 ||",
  },
  {
    name: "watermark published before it is durable",
    file: "timeline/watermark.js",
    find: "this.#isWriting = true;",
    replace: "this.#isWriting = true; this.published = value;",
  },
  {
    name: "permission at the listener only",
    file: "timeline/apply.js",
    find: "const refusal = verdictOn(unit, signer, ring);",
    replace: "const refusal = null;",
  },
  {
    name: "permission by the newest ring",
    file: "timeline/fold.js",
    find: "const signer = ring.recordAt(unit.envelope.key, unit);",
    replace: "const signer = ring.newest.find(unit.envelope.key);",
    killer: "fold",
  },
  {
    name: "verdicts that flip are not redone",
    file: "timeline/fold.js",
    find: "!== null) !== unit.isDenied;",
    replace: "!== null) !== unit.isDenied && false;",
    killer: "fold",
  },
  {
    name: "the fold reads a local setting",
    file: "timeline/timeline.js",
    find: "const folded = this.#fold.mergeWithin(REDO_MOST, entries);",
    replace: `const most = this.#parts.limits.tailBytes < 1e6 ? 3 : 4096;
        const cut = (entry) => ({ ...entry, envelope: { ...entry.envelope, commands: entry.envelope.commands.slice(0, most) } });
        const folded = this.#fold.mergeWithin(REDO_MOST, entries.map(cut));`,
  },
  {
    name: "only recorded",
    file: "daemon/recorder.js",
    find: "if (envelope.only !== null)",
    replace: "if (false)",
  },
  {
    name: "the envelope as the unit",
    file: "timeline/unit.js",
    find: "const isWhole = ({ multi, if: conditions }) => multi || conditions !== null;",
    replace:
      "const isWhole = ({ multi, if: conditions, commands }) => multi || conditions !== null || commands.length > 1;",
    killer: "fold",
  },
  {
    name: "late units dropped",
    file: "timeline/timeline.js",
    find: "this.#waiting.addLate(unfolded.filter(({ envelope: { at } }) => at <= until));",
    replace:
      "this.#waiting.addLate(unfolded.filter((entry) => entry.envelope.at <= until && !(entry.envelope.at < this.#fold.newest?.at)));",
  },
  {
    name: "answers before the disk has it",
    file: "daemon/recorder.js",
    find: "return recorded.flushed.then(",
    replace: "recorded.flushed.catch(() => {}); return Promise.resolve().then(",
  },
  {
    name: "members told before the disk has it",
    file: "timeline/archive.js",
    find: "storage.put(values,",
    replace: "flushed(entries, from); storage.put(values,",
  },
  {
    name: "a stable point without comparing",
    file: "daemon/peers/stable-point.js",
    find: "watermark >= round.at && isSameDigest(ring, own.ring) && isSameDigest(data, own.data)",
    replace: "watermark >= round.at",
  },
  {
    name: "a stable point without the watermarks",
    file: "daemon/peers/stable-point.js",
    find: "const lowest = Math.min(this.#timeline.published, ...watermarks);",
    replace: "const lowest = this.#timeline.published + 2000;",
  },
  {
    name: "what comes during a refold is folded twice",
    file: "timeline/refolding.js",
    find: "this.#arrived.add(id);",
    replace: "void id;",
  },
  {
    name: "future entries folded never",
    file: "timeline/timeline.js",
    find: "this.#waiting.addLate(this.#waiting.takeDue(this.#horizon.dueUntil));",
    replace: "this.#waiting.takeDue(this.#horizon.dueUntil);",
  },
  {
    name: "damaged signatures believed",
    file: "timeline/stored-value.js",
    find: "if (value.length < HEAD_BYTES || crc32(value.subarray(CRC_BYTES)) !== value.readUInt32BE(0))",
    replace: "if (value.length < HEAD_BYTES)",
  },
  {
    name: "what lost keys have signed stays",
    file: "timeline/handover.js",
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
];
