/** Tests that the limits and settings in the README of the chat are those of the code. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { LIMITS, readSettings, settingsOf } from "../../../examples/chat/settings.js";
import { makeFolder } from "../../daemon/program/replicas.js";
import { repositoryRoot } from "../../support/repository.js";

test("README.md lists each limit with its default, and no others", () => {
  const text = readFileSync(join(repositoryRoot, "examples/chat/README.md"), "utf8");
  const rows = [...text.matchAll(/^\| `([A-Z_]+)` \| (\d+) \|/gm)].map(([, name, value]) => [
    name,
    Number(value),
  ]);
  assert.deepEqual(Object.fromEntries(rows), LIMITS);
});

test("the server reads settings from a dotenv file, and the environment takes precedence", () => {
  using folder = makeFolder();
  const file = join(folder.path, "config");
  const lines = [
    "# the chat",
    "HOST=127.0.0.2",
    "PORT='9000'",
    "DB_HOST=a,b:7",
    "DB_PORT=6",
    "FRAME_BYTES=100",
  ];
  writeFileSync(file, lines.join("\n"));

  const settings = readSettings(file, { PORT: "9001", DB_HOST: "" });
  assert.deepEqual([settings.host, settings.port], ["127.0.0.2", 9001]);
  assert.deepEqual(settings.redis, [
    { host: "a", port: 6 },
    { host: "b", port: 7 },
  ]);
  assert.deepEqual([settings.mongoUrls, settings.limits.FRAME_BYTES], [[], 100]);
  assert.throws(() => readSettings(join(folder.path, "none"), {}), /ENOENT/);
});

for (const [name, value] of [
  ["PORT", "65536"],
  ["PORT", "x"],
  ["DB_PORT", "0"],
  ["FRAME_BYTES", "1.5"],
  ["STRIKES", "-1"],
]) {
  test(`the server refuses ${name}=${value} and names the setting`, () => {
    assert.throws(
      () => settingsOf({ [name as string]: value }),
      new RegExp(`^Error: ${name}=${value}: expected`),
    );
  });
}
