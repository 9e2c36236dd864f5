/** Tests that the replacement for Buffer behaves like Node's Buffer, as far as version 2 uses it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Buffer as StandIn } from "../../../client/browser/byte-buffer.js";
import { SeededRandom, seedOfRun } from "../../support/seeded-random.js";

test("bytes, texts and numbers are converted as by Node's Buffer", () => {
  const random = new SeededRandom(seedOfRun());
  for (let round = 0; round < 200; round++) {
    const length = random.below(round % 20 === 0 ? 20_000 : 40);
    const bytes = Uint8Array.from({ length }, () => random.below(256));
    const [ours, nodes] = [StandIn.from(bytes), Buffer.from(bytes)];
    const [start, end] = [random.below(length + 1), random.below(length + 1)];
    for (const encoding of ["latin1", "utf8", "hex"] as const) {
      assert.equal(ours.toString(encoding), nodes.toString(encoding));
      assert.equal(ours.toString(encoding, start, end), nodes.toString(encoding, start, end));
    }
    const latin1 = nodes.toString("latin1");
    assert.deepEqual([...StandIn.from(latin1, "latin1")], [...nodes]);
    assert.deepEqual([...StandIn.from(latin1)], [...Buffer.from(latin1)]);
    assert.deepEqual([...StandIn.from(nodes.toString("hex"), "hex")], [...nodes]);
    assert.equal(StandIn.byteLength(latin1), Buffer.byteLength(latin1));
    assert.deepEqual(
      [...StandIn.concat([ours, ours.subarray(start)])],
      [...Buffer.concat([nodes, nodes.subarray(start)])],
    );
    assert.equal(ours.equals(bytes), true);
    assert.equal(ours.equals(StandIn.alloc(length + 1)), false);
    const [one, other] = [StandIn.alloc(16), Buffer.alloc(16)];
    for (const buffer of [one, other]) {
      buffer.writeUInt16BE(length, 1);
      buffer.writeUInt32BE(length * 70_000, 3);
      buffer.writeBigUInt64BE(BigInt(length) << 40n, 7);
      buffer.write(latin1, 12, "latin1");
      buffer.write("\xff", "latin1");
    }
    assert.deepEqual([...one], [...other]);
  }
});
