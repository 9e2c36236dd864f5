/**
 * Tests how the commands of `dbsync` report files that they cannot use: the messages, and the exit codes that the help
 * lists.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { startDaemon } from "../../../daemon/program/testing.js";
import { runDbsync } from "../../client/child.js";
import { some } from "../../support/amount.js";

let folder: string;

before(() => {
  folder = mkdtempSync(join(tmpdir(), "dbsync-exit-"));
  writeFileSync(join(folder, "broken.toml"), "not = [ toml");
  writeFileSync(join(folder, "broken.pem"), "no PEM");
  mkdirSync(join(folder, "empty"));
  writeFileSync(join(folder, "made.dbsync"), "no backup");
});
after(() => rmSync(folder, { recursive: true }));

/** The arguments, the expected exit code, and the expected message. */
type Case = readonly [words: string, code: number, text: RegExp];

/** Failures of the subcommands that read a folder. */
const FOLDERS: readonly Case[] = [
  ["backup new --config nope", 3, /^dbsync: nope does not exist/],
  ["dead-letters list --config broken.toml", 3, /^dbsync: broken\.toml, line 1/],
  ["log verify --data empty --config nope", 3, /^dbsync: nope does not exist/],
  ["dead-letters list --data nope", 1, /^dbsync: --data nope: the folder does not exist/],
  ["backup new --data nope", 1, /^dbsync: --data nope: the folder does not exist/],
  ["log verify --data nope --sign-key broken.pem", 4, /^dbsync: --data nope: the folder does not exist/],
  ["backup new --data broken.pem", 1, /^dbsync: --data broken\.pem: it is a file\. Specify the folder/],
  ["log verify --backup made.dbsync --sign-key nope.pem", 3, /nope\.pem does not exist/],
  ["backup new --data empty", 1, /no timeline in it/],
  ["backup new", 2, /--data is missing/],
  ["dead-letters list --data empty", 1, /no timeline in it/],
  ["dead-letters list", 2, /--data is missing/],
  ["log verify --data empty --sign-key broken.pem", 4, /no timeline in it/],
  ["log verify --data empty", 2, /the keys are missing/],
  ["log verify --backup made.dbsync --sign-key broken.pem", 3, /broken\.pem contains no PEM block/],
  ["restore made.dbsync --data new --config nope", 3, /nope does not exist/],
  ["restore made.dbsync --only a --sign-key broken.pem", 3, /broken\.pem contains no PEM block/],
  ["restore made.dbsync --only a", 2, /the keys are missing/],
  ["restore made.dbsync --data new", 1, /made\.dbsync/],
  [
    "restore nope --data new",
    1,
    /^dbsync: nope: there is no such file: specify a file that dbsync backup wrote/,
  ],
];

for (const [words, code, text] of some(FOLDERS, 5))
  test(`dbsync ${words} exits with ${code}`, async () => {
    const ended = await runDbsync(words.split(" "), { folder });
    assert.match(ended.stderr, text);
    assert.equal(ended.code, code, ended.stderr);
  });

describe("a signing key that cannot be used leads to exit code 3", () => {
  let servers: string;
  let stop: () => Promise<void>;
  before(async () => {
    const daemon = await startDaemon();
    servers = daemon.servers;
    stop = () => daemon.stop();
  });
  after(() => stop());

  const COMMANDS = [
    "status",
    "top --rounds 1",
    "doctor",
    "ping",
    "keys list",
    "members list",
    "log",
    "repair",
  ];
  for (const words of some(COMMANDS, 3))
    test(`dbsync ${words}`, async () => {
      const ended = await runDbsync([...words.split(" "), "-s", servers, "-k", "nope.pem"], { folder });
      assert.match(ended.stdout + ended.stderr, /nope\.pem does not exist/);
      assert.equal(ended.code, 3);
    });
});
