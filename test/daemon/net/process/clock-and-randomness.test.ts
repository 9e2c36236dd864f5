/** Tests the randomness that the daemon's components receive. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { realEnvironment } from "../../../../daemon/net/process/clock-and-randomness.js";

test("a caller receives the requested number of random bytes, and no bytes are used twice", () => {
  const { randomBytes } = realEnvironment;
  const counts = [16, 32, 20, 64, 65, 100];
  const drawn: string[] = [];
  for (let i = 0; i < 3000; i++) {
    const count = counts[i % counts.length] as number;
    const bytes = randomBytes(count);
    assert.equal(bytes.length, count);
    drawn.push(bytes);
  }
  assert.equal(new Set(drawn.map((bytes) => bytes.slice(0, 16))).size, drawn.length);
  const values = new Set(drawn.join(""));
  assert.equal(values.size, 256, "all 256 values occur");
  assert.equal(randomBytes(0), "");
});
