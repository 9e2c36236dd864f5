/** Tests that the documented limits hold for each command through which a client can send a value or a key. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { repositoryRoot } from "../../../test/support/repository.js";
import { askMemcached } from "./memcached-lines.js";
import { type MemcachedScene, startMemcached } from "./scene.js";

interface Limit {
  readonly limit: string;
  readonly page: string;
  /** The sentence, or a part of it, that states the limit. */
  readonly sentence: string;
  /** The highest permitted number. */
  readonly max: number;
  readonly refused: RegExp;
  /** The requests of a command with the given number, of which the last one is refused above the limit. */
  readonly commands: Readonly<Record<string, (number: number, name: string) => readonly string[]>>;
}

const letters = (count: number) => "x".repeat(count);

const LIMITS: readonly Limit[] = [
  {
    limit: "the length of an item",
    page: "docs/limits.md",
    sentence:
      "| `--max-memcached-item-bytes` | 1MiB | length from which items of memcached clients are too large",
    max: 2 ** 20 - 1,
    refused: /too large|NOT_STORED|NS/,
    commands: {
      ...Object.fromEntries(
        ["set KEY 0 0 BYTES", "add KEY 0 0 BYTES", "ms KEY BYTES"].map((request) => [
          request,
          (number: number, name: string) => [
            `${request.replace("KEY", name).replace("BYTES", String(number))}\r\n${letters(number)}\r\n`,
          ],
        ]),
      ),
      ...Object.fromEntries(
        ["append KEY 0 0 10", "prepend KEY 0 0 10", "ms KEY 10 MA", "ms KEY 10 MP"].map((request) => [
          request,
          (number: number, name: string) => [
            `set ${name} 0 0 ${number - 10}\r\n${letters(number - 10)}\r\n`,
            `${request.replace("KEY", name)}\r\n${letters(10)}\r\n`,
          ],
        ]),
      ),
    },
  },
  {
    limit: "the length of a key",
    page: "docs/redis-clients.md",
    sentence: "A key can have at most 250 bytes",
    max: 250,
    refused: /CLIENT_ERROR bad command line/,
    commands: Object.fromEntries(
      [
        ...["set KEY 0 0 1\r\nx", "add KEY 0 0 1\r\nx", "replace KEY 0 0 1\r\nx", "append KEY 0 0 1\r\nx"],
        ...["prepend KEY 0 0 1\r\nx", "cas KEY 0 0 1 1\r\nx", "ms KEY 1\r\nx"],
        ...["get KEY", "gets KEY", "gat 1 KEY", "touch KEY 1", "incr KEY 1", "decr KEY 1", "delete KEY"],
        ...["mg KEY v", "ma KEY", "md KEY"],
      ].map((request) => [request, (number: number) => [`${request.replace("KEY", letters(number))}\r\n`]]),
    ),
  },
];

let names = 0;
let scene: MemcachedScene;
before(async () => {
  scene = await startMemcached();
});
after(() => scene[Symbol.asyncDispose]());

for (const { limit, page, sentence, max, refused, commands } of LIMITS)
  test(`${limit}: the documented limit holds for each command`, async () => {
    const text = readFileSync(join(repositoryRoot, page), "utf8").replace(/\s+/g, " ");
    assert.ok(text.includes(sentence), `${page} does not contain: ${sentence}`);
    for (const number of [max, max + 1])
      for (const [command, make] of Object.entries(commands)) {
        let answer = "";
        for (const request of make(number, `n${names++}`)) answer = await askMemcached(scene.port, request);
        if (number > max) assert.match(answer, refused, `${command}: accepted above the limit`);
        else assert.doesNotMatch(answer, refused, `${command}: refused at the limit`);
      }
  });
