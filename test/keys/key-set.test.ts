/** Tests the files and folders of public keys that `-s` names. */
import assert from "node:assert/strict";
import { chmodSync, copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { loadPublicKeys } from "../../keys/key-set.js";
import { temporaryFolder, vectorKeys } from "./openssl.js";

test("a file adds its key", () => {
  const { keys, warnings } = loadPublicKeys([vectorKeys.public2048]);
  assert.deepEqual(
    keys.map(({ file, key }) => [file, key.type]),
    [[vectorKeys.public2048, "public"]],
  );
  assert.match(keys[0]?.fingerprint ?? "", /^[0-9a-f]{64}$/);
  assert.deepEqual(warnings, []);
});

test("a folder adds the keys of its PEM files, sorted by name, except hidden files", () => {
  using folder = temporaryFolder();
  copyFileSync(vectorKeys.public4096, join(folder.path, "b.pem"));
  copyFileSync(vectorKeys.public2048, join(folder.path, "c.pem"));
  symlinkSync(join(folder.path, "c.pem"), join(folder.path, "a.pem"));
  writeFileSync(join(folder.path, ".d.pem"), "hidden");
  writeFileSync(join(folder.path, "README"), "no key");
  const { keys, warnings } = loadPublicKeys([folder.path]);
  assert.deepEqual(
    keys.map(({ file }) => file),
    [join(folder.path, "a.pem"), join(folder.path, "b.pem")],
  );
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? "", /c\.pem contains the same key as .*a\.pem/);
});

test("a path that is named twice adds one key and causes no warning", () => {
  const { keys, warnings } = loadPublicKeys([
    vectorKeys.public2048,
    vectorKeys.public4096,
    vectorKeys.public2048,
  ]);
  assert.equal(keys.length, 2);
  assert.deepEqual(warnings, []);
});

test("a folder's private key is skipped by its name, with a warning and without being read", () => {
  using folder = temporaryFolder();
  copyFileSync(vectorKeys.private2048, join(folder.path, "web-private.pem"));
  chmodSync(join(folder.path, "web-private.pem"), 0);
  copyFileSync(vectorKeys.public2048, join(folder.path, "private-cloud-public.pem"));
  const { keys, warnings } = loadPublicKeys([folder.path]);
  assert.deepEqual(
    keys.map(({ file }) => file),
    [join(folder.path, "private-cloud-public.pem")],
  );
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? "", /web-private\.pem was skipped/);
});

test("a private key with any other name in a folder is an error, as is one that is named directly", () => {
  using folder = temporaryFolder();
  copyFileSync(vectorKeys.public2048, join(folder.path, "a.pem"));
  const file = join(folder.path, "key.pem");
  copyFileSync(vectorKeys.private2048, file);
  assert.throws(() => loadPublicKeys([folder.path]), { code: "private-for-public", file });
  assert.throws(() => loadPublicKeys([vectorKeys.private2048]), { code: "private-for-public" });
});

test("an unusable file in a folder is an error that names the file", () => {
  using folder = temporaryFolder();
  copyFileSync(vectorKeys.public2048, join(folder.path, "a.pem"));
  writeFileSync(join(folder.path, "b.pem"), "");
  assert.throws(() => loadPublicKeys([folder.path]), { code: "empty", file: join(folder.path, "b.pem") });
  using other = temporaryFolder();
  mkdirSync(join(other.path, "keys.pem"));
  assert.throws(() => loadPublicKeys([other.path]), { code: "is-folder" });
});

test("a folder without public keys is an error", () => {
  using folder = temporaryFolder();
  assert.throws(() => loadPublicKeys([folder.path]), { code: "no-keys", file: folder.path });
  copyFileSync(vectorKeys.private2048, join(folder.path, "private.pem"));
  assert.throws(() => loadPublicKeys([folder.path]), { code: "no-keys" });
});

test("a missing path is an error, and no paths result in an empty set", () => {
  assert.throws(() => loadPublicKeys([join(vectorKeys.public2048, "absent")]), { code: "not-found" });
  assert.deepEqual(loadPublicKeys([]), { keys: [], warnings: [] });
});
