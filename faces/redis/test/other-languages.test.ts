/** Tests the Redis clients of Python and PHP: they return the same results with dbsyncd as with redis-server. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { repositoryRoot } from "../../../test/support/repository.js";
import { skipWithout } from "../../../test/support/requirements.js";
import { run } from "../../../test/support/run-program.js";
import { assertSameAnswers, startComparedServers } from "./compared-servers.js";

const programs = join(repositoryRoot, "faces", "redis", "test", "programs");

const languages = [
  {
    name: "Python's redis",
    program: "/usr/bin/python3",
    file: "conversation.py",
    debianPackage: "python3-redis",
  },
  { name: "PHP's redis", program: "php", file: "conversation.php", debianPackage: "php-redis" },
] as const;

for (const { name, program, file, debianPackage } of languages) {
  const skip = skipWithout("redis-server") || skipWithout(debianPackage);
  test(`${name} receives redis-server's answers`, { skip }, async () => {
    await using servers = await startComparedServers();
    await assertSameAnswers(servers, async (port) => {
      const ended = await run(program, [join(programs, file), String(port)]);
      assert.equal(ended.stderr, "");
      assert.equal(ended.code, 0, ended.stdout);
      return JSON.parse(ended.stdout) as Record<string, unknown>;
    });
  });
}
