/** Tests that the pieces of a long value are sent together, in order and within their limits. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { PlainReply } from "../../../../protocol/reply.js";
import {
  KeyCopier,
  PIECE_BYTES_IN_FLIGHT_MAX,
  PIECES_IN_FLIGHT_MAX,
} from "../../../../tools/cli/redis/key-copier.js";
import { RedisError, type RedisSource } from "../../../../tools/cli/redis/redis-source.js";
import { nextTurn } from "../../../support/until.js";

const bulk = (bytes: string): PlainReply => ({ kind: "bulk", bytes });
const array = (...items: PlainReply[]): PlainReply => ({ kind: "array", items });

/** Returns a fake Redis that has one stream and no DUMP command. @param lengths  the lengths of its entries */
function sourceOf(lengths: readonly number[]): RedisSource {
  const entries = lengths.map((length, i) =>
    array(bulk(`${i + 1}-0`), array(bulk("f"), bulk("x".repeat(length)))),
  );
  const answers: Readonly<Record<string, (argv: readonly string[]) => PlainReply>> = {
    PEXPIRETIME: () => ({ kind: "integer", value: -1 }),
    TYPE: () => ({ kind: "status", text: "stream" }),
    XINFO: ([, what]) =>
      what === "GROUPS" ? array() : array(bulk("last-generated-id"), bulk(`${lengths.length}-0`)),
    XRANGE: (argv) => {
      const from = Number(/^\((\d+)-/.exec(argv[2] as string)?.[1] ?? 0);
      return array(...entries.slice(from, from + Number(argv[5])));
    },
  };
  const query = async (argv: readonly string[]): Promise<PlainReply> => {
    const answer = answers[argv[0] as string];
    if (answer === undefined) throw new RedisError("ERR not here");
    return answer(argv);
  };
  return { query } as unknown as RedisSource;
}

test("many entries of a stream are sent together, in order and within the limits", async () => {
  const lengths = [...Array(1200).fill(10), ...Array(300).fill(50_000)];
  const [sent, ids]: [number, string[]] = [0, []];
  let [waiting, bytes, maxWaiting, maxBytes] = [sent, 0, 0, 0];

  const copier = await KeyCopier.of(sourceOf(lengths), async (command) => {
    const argv = (command as readonly Buffer[]).map(String);
    if (argv[0] === "XADD") ids.push(argv[2] as string);
    const length = argv.join("").length;
    [waiting, bytes] = [waiting + 1, bytes + length];
    [maxWaiting, maxBytes] = [Math.max(maxWaiting, waiting), Math.max(maxBytes, bytes)];
    await nextTurn();
    [waiting, bytes] = [waiting - 1, bytes - length];
    return "OK";
  });

  assert.equal(await copier.copy("s"), "pieces");
  assert.deepEqual(
    ids,
    lengths.map((_, i) => `${i + 1}-0`),
  );
  assert.equal(maxWaiting, PIECES_IN_FLIGHT_MAX);
  assert.ok(
    maxBytes > PIECE_BYTES_IN_FLIGHT_MAX / 2 && maxBytes <= PIECE_BYTES_IN_FLIGHT_MAX,
    String(maxBytes),
  );
});

/** Returns a fake Redis that has one list and no DUMP command. */
function listOf(elements: readonly string[]): RedisSource {
  const answers: Readonly<Record<string, (argv: readonly string[]) => PlainReply>> = {
    PEXPIRETIME: () => ({ kind: "integer", value: -1 }),
    TYPE: () => ({ kind: "status", text: "list" }),
    LRANGE: ([, , from, to]) => array(...elements.slice(Number(from), Number(to) + 1).map(bulk)),
  };
  const query = async (argv: readonly string[]): Promise<PlainReply> => {
    const answer = answers[argv[0] as string];
    if (answer === undefined) throw new RedisError("ERR not here");
    return answer(argv);
  };
  return { query } as unknown as RedisSource;
}

test("a list is copied completely, also if its last piece has a single element", async () => {
  for (const length of [1, 2, 999, 1000, 1001, 500, 501, 2001]) {
    const elements = Array.from({ length }, (_, i) => `element ${i}`);
    const copied: string[] = [];
    const copier = await KeyCopier.of(listOf(elements), async (command) => {
      const [name, , ...rest] = (command as readonly Buffer[]).map(String);
      if (name === "RPUSH") copied.push(...rest);
      return "OK";
    });
    assert.equal(await copier.copy("l"), "pieces");
    assert.deepEqual(copied, elements, `${length} elements`);
  }
});
