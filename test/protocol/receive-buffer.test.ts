import assert from "node:assert/strict";
import { test } from "node:test";
import { ReceiveBuffer } from "../../protocol/receive-buffer.js";
import { SeededRandom, seedOfRun } from "../support/seeded-random.js";

const textOf = ({ bytes, at, end }: ReceiveBuffer): string => bytes.toString("latin1", at, end);

test("The buffer refers to a pushed chunk, until keep copies the chunk's bytes", () => {
  const buffer = new ReceiveBuffer();
  const chunk = Buffer.from("abcdef");
  buffer.push(chunk);
  assert.equal(buffer.bytes, chunk);
  buffer.skip(2);
  buffer.copyUnread();
  chunk.fill("x");
  assert.equal(textOf(buffer), "cdef");
  buffer.push(Buffer.from("gh"));
  assert.equal(textOf(buffer), "cdefgh");
});

test("Bytes that were returned are not overwritten by later bytes", () => {
  const buffer = new ReceiveBuffer();
  buffer.append(Buffer.from("one"), 3);
  const one = buffer.takeBytes(3);
  buffer.append(Buffer.from("two, three"), 10);
  const two = buffer.takeBytes(3);
  buffer.append(Buffer.from("four"), 4);
  assert.equal(`${one} ${two} ${textOf(buffer)}`, "one two , threefour");
});

test("An empty buffer uses no memory, and a full one at most the expected length or twice its bytes", () => {
  const buffer = new ReceiveBuffer();
  buffer.append(Buffer.alloc(1000), 1000, 1500);
  assert.equal(buffer.heldBytes, 1500);
  buffer.append(Buffer.alloc(1000), 1000);
  assert.ok(buffer.heldBytes <= 4000, `${buffer.heldBytes}`);
  buffer.skip(2000);
  assert.equal(buffer.heldBytes, 0);
});

test("Any sequence of calls returns the bytes in order", () => {
  const random = new SeededRandom(seedOfRun());
  const below = (most: number) => random.below(most);
  const buffer = new ReceiveBuffer();
  let [sent, taken, next] = ["", "", 0];
  for (let round = 0; round < 5000; round++) {
    const chunk = Buffer.from(Array.from({ length: 1 + below(20) }, () => next++ & 255));
    sent += chunk.toString("latin1");
    buffer.push(chunk, below(2) === 0 ? undefined : below(100));
    for (let times = below(3); times > 0 && buffer.length > 0; times--)
      taken += buffer.takeBytes(1 + below(buffer.length)).toString("latin1");
    buffer.copyUnread();
    chunk.fill(0);
  }
  assert.equal(taken + textOf(buffer), sent);
});
