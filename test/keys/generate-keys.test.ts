/** Tests the generation of key pairs, and that files are written completely or not at all. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { discard, publishNew, stage } from "../../keys/atomic-file.js";
import { generateKeyPair, type KeyPairPem } from "../../keys/generate-keys.js";
import { loadPrivateKey, loadPublicKey } from "../../keys/key-file.js";
import { keyPairPaths, writeKeyPair } from "../../keys/keygen-command.js";
import { buildRoot } from "../support/repository.js";
import { nextTurn, until } from "../support/until.js";
import { openssl, PASSPHRASE, temporaryFolder, withoutOpenssl } from "./openssl.js";

let pair: KeyPairPem;
let otherPair: KeyPairPem;

before(async () => {
  [pair, otherPair] = await Promise.all([generateKeyPair({ bits: 2048 }), generateKeyPair({ bits: 2048 })]);
});

test("a generated pair loads, has the requested size, and differs from another generated pair", () => {
  const { key, fingerprint } = loadPrivateKey({ pem: pair.privatePem });
  assert.equal(key.asymmetricKeyDetails?.modulusLength, 2048);
  assert.equal(key.asymmetricKeyDetails?.publicExponent, 65537n);
  assert.equal(fingerprint, pair.fingerprint);
  assert.equal(loadPublicKey({ pem: pair.publicPem }).fingerprint, pair.fingerprint);
  assert.notEqual(otherPair.fingerprint, pair.fingerprint);
});

test("generated files are identical to openssl's: PKCS#8 and SPKI, lines of 64 characters", {
  skip: withoutOpenssl,
}, () => {
  using folder = temporaryFolder();
  writeFileSync(join(folder.path, "private.pem"), pair.privatePem);
  writeFileSync(join(folder.path, "public.pem"), pair.publicPem);
  assert.equal(openssl(folder.path, "pkey -in private.pem"), pair.privatePem);
  assert.equal(openssl(folder.path, "pkey -in private.pem -pubout"), pair.publicPem);
  assert.match(openssl(folder.path, "pkey -in private.pem -check -noout"), /Key is valid/);
});

test("a passphrase encrypts the private key, and openssl can decrypt it", {
  skip: withoutOpenssl,
}, async () => {
  using folder = temporaryFolder();
  const made = await generateKeyPair({ bits: 2048, passphrase: PASSPHRASE });
  writeFileSync(join(folder.path, "private.pem"), made.privatePem);
  assert.match(made.privatePem, /^-----BEGIN ENCRYPTED PRIVATE KEY-----\n/);
  assert.equal(openssl(folder.path, "pkey -in private.pem -passin PASS -pubout"), made.publicPem);
  assert.equal(
    loadPrivateKey({ pem: made.privatePem }, { passphrase: PASSPHRASE }).fingerprint,
    made.fingerprint,
  );
});

test("generating does not block the event loop", async () => {
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  const made = await generateKeyPair({ bits: 3072 });
  clearInterval(timer);
  assert.ok(turns > 0);
  assert.equal(loadPublicKey({ pem: made.publicPem }).key.asymmetricKeyDetails?.modulusLength, 3072);
});

test("writeKeyPair writes both files with their modes, independent of the umask, and nothing else", () => {
  using folder = temporaryFolder();
  const paths = keyPairPaths(join(folder.path, "a", "b"), "web");
  const umask = process.umask(0o077);
  try {
    writeKeyPair(pair, paths, { force: false });
  } finally {
    process.umask(umask);
  }
  assert.equal(readFileSync(paths.privateFile, "utf8"), pair.privatePem);
  assert.equal(readFileSync(paths.publicFile, "utf8"), pair.publicPem);
  assert.deepEqual(readdirSync(join(folder.path, "a", "b")), ["web-private.pem", "web-public.pem"]);
  if (process.platform === "win32") return;
  assert.equal(statSync(paths.privateFile).mode & 0o777, 0o600);
  assert.equal(statSync(paths.publicFile).mode & 0o777, 0o644);
});

test("writeKeyPair changes nothing if either name is in use, even by a dangling link", () => {
  for (const taken of ["privateFile", "publicFile"] as const) {
    using folder = temporaryFolder();
    const paths = keyPairPaths(folder.path, null);
    if (taken === "privateFile") writeFileSync(paths[taken], "mine");
    else symlinkSync(join(folder.path, "nowhere"), paths[taken]);
    assert.throws(
      () => writeKeyPair(pair, paths, { force: false }),
      (error: Error & { code?: string }) =>
        error.code === "exists" && error.message.includes(paths[taken]) && error.message.includes("--force"),
    );
    assert.equal(readdirSync(folder.path).length, 1);
  }
});

test("writeKeyPair with force replaces both files", () => {
  using folder = temporaryFolder();
  const paths = keyPairPaths(folder.path, null);
  writeKeyPair(pair, paths, { force: false });
  writeKeyPair(otherPair, paths, { force: true });
  assert.equal(loadPrivateKey({ file: paths.privateFile }).fingerprint, otherPair.fingerprint);
  assert.equal(loadPublicKey({ file: paths.publicFile }).fingerprint, otherPair.fingerprint);
  assert.equal(readdirSync(folder.path).length, 2);
});

test("writeKeyPair leaves no files if it fails", () => {
  using folder = temporaryFolder();
  const paths = keyPairPaths(folder.path, null);
  mkdirSync(paths.publicFile);
  assert.throws(() => writeKeyPair(pair, paths, { force: true }), { code: "not-writable" });
  assert.deepEqual(
    readdirSync(folder.path).filter((name) => name.endsWith(".tmp")),
    [],
  );
});

test("placeNew never replaces a file, with hard links or without", () => {
  const noLinks = () => {
    throw Object.assign(new Error("not permitted"), { code: "EPERM" });
  };
  for (const link of [undefined, noLinks]) {
    using folder = temporaryFolder();
    const path = join(folder.path, "private.pem");
    const staged = stage(path, "whole", 0o600);
    assert.deepEqual(readdirSync(folder.path).includes("private.pem"), false);
    publishNew(staged, path, link);
    discard(staged);
    assert.equal(readFileSync(path, "utf8"), "whole");
    assert.equal(statSync(path).mode & 0o077, 0);
    const second = stage(path, "other", 0o600);
    assert.throws(() => publishNew(second, path, link), { code: "EEXIST" });
    discard(second);
    discard(second);
    assert.equal(readFileSync(path, "utf8"), "whole");
    assert.deepEqual(readdirSync(folder.path), ["private.pem"]);
  }
});

test("a killed writer leaves a complete key, and readers never see a partial one", async () => {
  using folder = temporaryFolder();
  const paths = keyPairPaths(folder.path, null);
  const wholes = new Set([pair.privatePem, otherPair.privatePem]);

  const module = pathToFileURL(join(buildRoot, "keys/keygen-command.js")).href;
  const writer = `
    import { writeKeyPair } from ${JSON.stringify(module)};
    const pairs = ${JSON.stringify([pair, otherPair])};
    for (let i = 0; ; i++) writeKeyPair(pairs[i % 2], ${JSON.stringify(paths)}, { force: true });`;

  const child = spawn(process.execPath, ["--input-type=module", "-e", writer], { stdio: "ignore" });
  const exited = once(child, "exit");
  try {
    const seen = new Set<string>();
    let reads = 0;
    const read = async () => {
      await nextTurn();
      assert.equal(child.exitCode, null);
      const text = readIfThere(paths.privateFile);
      if (text === null) return;
      reads++;
      assert.ok(wholes.has(text));
      seen.add(text);
    };
    await until("both key pairs have been read", () => seen.size >= 2 && reads >= 200, { pause: read });
  } finally {
    child.kill("SIGKILL");
    await exited;
  }

  assert.ok(wholes.has(readFileSync(paths.privateFile, "utf8")));
});

function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return null;
  }
}
