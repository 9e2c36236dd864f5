/** Tests where a call gets the servers and the key that its options do not name. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { type DefaultSources, readDefaults } from "../../../client/settings/default-options.js";
import { DbsyncError } from "../../../client/shared/errors.js";

let root: string;
let sources: DefaultSources;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "dbsync-defaults-"));
  sources = { variables: {}, folder: join(root, "cwd"), home: join(root, "home"), system: join(root, "etc") };
  for (const folder of ["cwd", "home/.config/dbsync", "xdg/dbsync", "etc"]) {
    mkdirSync(join(root, folder), { recursive: true });
  }
});
afterEach(() => rmSync(root, { recursive: true }));

const write = (file: string, text: string) => writeFileSync(join(root, file), text);
const servers = (variables: DefaultSources["variables"] = {}) =>
  readDefaults({ ...sources, variables })
    .servers.map(({ text }) => text)
    .join();

test("without configuration, calls use the original client's server list and are unsigned", () => {
  const { signkey } = readDefaults(sources);
  assert.equal(servers(), "127.0.0.1:1111");
  assert.equal(signkey, "");
});

test("the first ini file is used: in the folder, the user's configuration, or /etc", () => {
  write("etc/dbsync.ini", "servers=etc");
  assert.equal(servers(), "etc:1111");
  write("home/.config/dbsync/dbsync.ini", "servers=home");
  assert.equal(servers(), "home:1111");
  write("xdg/dbsync/dbsync.ini", "servers=xdg");
  assert.equal(servers({ XDG_CONFIG_HOME: join(root, "xdg") }), "xdg:1111");
  write("cwd/dbsync.ini", "signkey=k.pem");
  assert.equal(servers(), "127.0.0.1:1111");
});

test("the environment has precedence over the ini file, for each setting separately", () => {
  write("cwd/dbsync.ini", "servers=ini\nsignkey=k.pem");
  const found = readDefaults({ ...sources, variables: { DBSYNC_SERVERS: "env" } });
  assert.deepEqual([found.servers[0]?.text, found.serversFrom], ["env:1111", "DBSYNC_SERVERS"]);
  assert.deepEqual(
    [found.signkey, found.signkeyFrom],
    [join(root, "cwd/k.pem"), join(root, "cwd/dbsync.ini")],
  );
});

test("an empty DBSYNC_SIGNKEY means unsigned, whatever the ini file says", () => {
  write("cwd/dbsync.ini", "signkey=k.pem");
  assert.equal(readDefaults({ ...sources, variables: { DBSYNC_SIGNKEY: "" } }).signkey, "");
});

test("a relative key path is relative to its ini file, and an absolute path is unchanged", () => {
  write("etc/dbsync.ini", "signkey=keys/k.pem");
  assert.equal(readDefaults(sources).signkey, join(root, "etc/keys/k.pem"));
  write("etc/dbsync.ini", "signkey=/k.pem");
  assert.equal(readDefaults(sources).signkey, "/k.pem");
});

test("an ini file with bad servers is a configuration error that names it", () => {
  write("cwd/dbsync.ini", "servers=a:b");
  assert.throws(
    () => readDefaults(sources),
    (error) =>
      error instanceof DbsyncError && error.code === "bad-config" && error.message.includes("dbsync.ini"),
  );
});

test("an ini file that cannot be read is a configuration error", () => {
  mkdirSync(join(root, "cwd/dbsync.ini"));
  assert.throws(() => readDefaults(sources), { code: "bad-config" });
});

test("an ini file is not read if the environment overrides it completely", () => {
  write("cwd/dbsync.ini", "nonsense");
  assert.equal(servers({ DBSYNC_SERVERS: "env", DBSYNC_SIGNKEY: "" }), "env:1111");
});

test("DBSYNC_VERSIONS has precedence over the file, and is checked", () => {
  write("cwd/dbsync.ini", "dbsync.versions = 1");
  const versions = (variables: Record<string, string>) => readDefaults({ ...sources, variables }).versions;
  assert.equal(versions({}), "1");
  assert.equal(versions({ DBSYNC_VERSIONS: "1,2" }), "1,2");
  assert.equal(versions({ DBSYNC_VERSIONS: "" }), null);
  assert.throws(() => versions({ DBSYNC_VERSIONS: "3" }), /DBSYNC_VERSIONS is "3", allowed: 2 \(/);
});

test("an ini file configures the client's behaviour like a php.ini", () => {
  const manners = (text: string) => {
    write("cwd/dbsync.ini", text);
    const { keepalive, format, versions } = readDefaults(sources);
    return [keepalive, format, versions];
  };
  assert.deepEqual(manners(""), [true, "text", null]);
  assert.deepEqual(manners("keepalive=0\nformat=php-dbsync\nversions= 2, 1"), [false, "php-dbsync", "1,2"]);
  assert.deepEqual(manners("dbsync.keepalive = On"), [true, "text", null]);
  for (const [text, message] of [
    ["keepalive=maybe", /dbsync\.ini: dbsync\.keepalive is "maybe", allowed: 1 or 0/],
    ["format=json", /dbsync\.format is "json", allowed: text or php-dbsync/],
    ["dbsync.versions=v2", /dbsync\.versions is "v2", allowed: 2 \(/],
  ] as const) {
    assert.throws(() => manners(text), message);
  }
});
