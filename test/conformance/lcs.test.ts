/**
 * Tests that LCS finds the same ranges as a real redis-server in strings that are long enough for several blocks of
 * rows. Several subsequences may have the same length, so the choice between them is compared too.
 */
import "../support/installed-families.js";
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Database } from "../../daemon/store/database.js";
import { some } from "../support/amount.js";
import { RedisConnection } from "../support/redis-connection.js";
import { type RedisServer, startRedis } from "../support/redis-server.js";
import { skipWithout } from "../support/requirements.js";
import { SeededRandom, seedOfRun } from "../support/seeded-random.js";
import { folded, shown } from "./resp2-fold.js";

const skip = skipWithout("redis-server");
let server: RedisServer;
before(async () => {
  if (skip === false) server = await startRedis();
});
after(() => server?.stop());

const SEED = seedOfRun();
const FORMS = [[], ["LEN"], ["IDX"], ["IDX", "WITHMATCHLEN"], ["IDX", "MINMATCHLEN", "3"]];
/** The lengths of both strings. */
const LENGTHS = [
  ...Array.from({ length: 60 }, (_, i) => [i % 13, (i * 7) % 17] as const),
  ...[[0, 100] as const, [1, 4_000] as const, [4_000, 1] as const, [255, 256] as const],
];
/** The lengths of strings that need several blocks, with the longer string first or second. */
const LONG_LENGTHS = [
  ...[[700, 750] as const, [1_500, 1_500] as const, [3_001, 499] as const, [407, 9_000] as const],
  ...[[1_023, 1_024] as const, [1_024, 1_023] as const, [60, 20_000] as const],
];
const ALPHABETS = ["abcd", "a", "ab", "abcdefghijklmnopqrstuvwxyz\x00\xff"];

test("LCS finds the ranges that redis-server finds", { skip }, async () => {
  using redis = await RedisConnection.open(server.port);
  const database = new Database();
  const random = new SeededRandom(SEED);

  const text = (length: number, alphabet: string) =>
    Array.from({ length }, () => alphabet[random.below(alphabet.length)]).join("");
  const run = (argv: readonly string[]) =>
    shown(folded(database.execute(argv, { at: 1, db: 0, id: "u".repeat(36) })));

  for (const alphabet of ALPHABETS) {
    const isWithLong = some(ALPHABETS).includes(alphabet);
    for (const [a, b] of [...LENGTHS, ...(isWithLong ? LONG_LENGTHS : [])]) {
      const commands = [
        ["MSET", "a", text(a, alphabet), "b", text(b, alphabet)],
        ...FORMS.map((form) => ["LCS", "a", "b", ...form]),
      ];

      for (const argv of commands) redis.queue(argv);
      const theirs = (await redis.flush()).map(shown);
      for (const [i, argv] of commands.entries())
        assert.equal(
          run(argv),
          theirs[i],
          `seed ${SEED}: ${argv.join(" ").slice(0, 80)}, ${a} and ${b} bytes`,
        );
    }
  }
});
