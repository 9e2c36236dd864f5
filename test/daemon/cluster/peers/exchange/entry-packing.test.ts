/** Tests pushes as bytes: packed once for all members, and deflated only if the result is smaller. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { Packer, unpack } from "../../../../../daemon/cluster/peers/exchange/entry-packing.js";
import {
  type PackedEntry,
  packedBytes,
  readEntries,
} from "../../../../../protocol/members/member-elements.js";

const KIB = 1024;
const LIMITS = { deflateFromBytes: 4 * KIB, deflateMaxBytes: 64 * KIB };

const entry = (body: Buffer): PackedEntry => ({ body, signature: Buffer.alloc(64, 1) });
const plain = (bytes: number) => entry(Buffer.alloc(bytes, "value "));

function unpacked(entries: readonly PackedEntry[], packer: Packer) {
  const bytes = entries.reduce((sum, one) => sum + packedBytes(one), 0);
  const { entries: packed, isDeflated } = packer.pack(entries);
  const found = readEntries(unpack(packed, isDeflated, bytes, LIMITS.deflateMaxBytes) ?? assert.fail());
  assert.deepEqual(found, entries);
  return { packed, isDeflated };
}

test("the packer deflates entries, except those that are small, large or incompressible", () => {
  const packer = new Packer(LIMITS);
  assert.ok(!unpacked([plain(KIB)], packer).isDeflated);
  assert.ok(unpacked([plain(10 * KIB)], packer).isDeflated);
  assert.ok(!unpacked([plain(70 * KIB)], packer).isDeflated);
  assert.ok(!unpacked([entry(randomBytes(10 * KIB))], packer).isDeflated);
});

test("the packer reuses its result only if the next member receives the same entries", () => {
  const packer = new Packer(LIMITS);
  const [one, other] = [plain(10 * KIB), plain(10 * KIB)];
  const { packed } = unpacked([one, other], packer);
  assert.equal(unpacked([one, other], packer).packed, packed);
  for (const entries of [[one], [other, one], [one, plain(10 * KIB)], [one, other, other]])
    assert.notEqual(unpacked(entries, packer).packed, packed);
});

test("the packer does not retain large entries for the next member", () => {
  const packer = new Packer(LIMITS);
  const large = plain(70 * KIB);
  assert.notEqual(unpacked([large], packer).packed, unpacked([large], packer).packed);
});
