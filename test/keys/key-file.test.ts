/** Tests loading usable keys, in every form that openssl writes. unusable-files.test.ts tests the other files. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createPrivateKey, createPublicKey, generateKeyPairSync, KeyObject } from "node:crypto";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { fingerprint } from "../../keys/fingerprint.js";
import { loadPrivateKey, loadPublicKey } from "../../keys/key-file.js";
import { KeyFileError } from "../../keys/key-file-errors.js";
import { signCommand, verifyCommand } from "../../keys/signatures.js";
import { amount, some } from "../support/amount.js";
import { buildRoot } from "../support/repository.js";
import { seed } from "../support/seed.js";
import { openssl, PASSPHRASE, temporaryFolder, vectorKeys, withoutOpenssl } from "./openssl.js";

const skip = { skip: withoutOpenssl };

/** The fingerprint of a vector's key. A test below compares it with openssl's. */
const FINGERPRINT_2048 = fingerprint(createPublicKey(readFileSync(vectorKeys.public2048)));

/** Arguments with which openssl writes `out.pem` from the 2048-bit vector key `key.pem`. */
const PRIVATE_FORMS = {
  "PKCS#1": "rsa -in key.pem -traditional -out out.pem",
  "PKCS#1 encrypted with AES": "rsa -in key.pem -traditional -aes256 -passout PASS -out out.pem",
  "PKCS#1 encrypted with triple DES": "rsa -in key.pem -traditional -des3 -passout PASS -out out.pem",
  "PKCS#8": "pkcs8 -topk8 -nocrypt -in key.pem -out out.pem",
  "PKCS#8 encrypted with AES": "pkcs8 -topk8 -v2 aes-256-cbc -in key.pem -passout PASS -out out.pem",
  "PKCS#8 encrypted with scrypt": "pkcs8 -topk8 -scrypt -in key.pem -passout PASS -out out.pem",
  "PKCS#8 encrypted with triple DES": "pkcs8 -topk8 -v1 PBE-SHA1-3DES -in key.pem -passout PASS -out out.pem",
} as const;

const PUBLIC_FORMS = {
  SPKI: "pkey -in key.pem -pubout -out out.pem",
  "PKCS#1": "rsa -in key.pem -RSAPublicKey_out -out out.pem",
  "SPKI after a text dump": "pkey -in key.pem -pubout -text -out out.pem",
} as const;

for (const [form, words] of Object.entries(PRIVATE_FORMS)) {
  test(`loadPrivateKey accepts ${form}`, skip, () => {
    using folder = temporaryFolder();
    copyFileSync(vectorKeys.private2048, join(folder.path, "key.pem"));
    openssl(folder.path, words);
    for (const passphrase of [PASSPHRASE, Buffer.from(PASSPHRASE)]) {
      const loaded = loadPrivateKey({ file: join(folder.path, "out.pem") }, { passphrase });
      assert.equal(loaded.key.type, "private");
      assert.equal(loaded.fingerprint, FINGERPRINT_2048);
      assert.deepEqual(loaded.warnings, []);
    }
  });
}

for (const [form, words] of Object.entries(PUBLIC_FORMS)) {
  test(`loadPublicKey accepts ${form}`, skip, () => {
    using folder = temporaryFolder();
    copyFileSync(vectorKeys.private2048, join(folder.path, "key.pem"));
    openssl(folder.path, words);
    const loaded = loadPublicKey({ file: join(folder.path, "out.pem") });
    assert.equal(loaded.key.type, "public");
    assert.equal(loaded.fingerprint, FINGERPRINT_2048);
  });
}

// PRIVATE_FORMS contains the same forms, so one pair suffices to show that a new pair is complete.
for (const words of some([
  "genrsa -traditional -out out.pem 2048",
  "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out out.pem",
  "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -aes-256-cbc -pass PASS -out out.pem",
])) {
  test(`a pair made by openssl ${words} signs and verifies`, skip, () => {
    using folder = temporaryFolder();
    openssl(folder.path, words);
    openssl(folder.path, `pkey -in out.pem -passin PASS -pubout -out public.pem`);
    const { key, fingerprint: id } = loadPrivateKey(
      { file: join(folder.path, "out.pem") },
      { passphrase: PASSPHRASE },
    );
    const other = loadPublicKey({ file: join(folder.path, "public.pem") });
    assert.equal(other.fingerprint, id);
    const text = Buffer.from("PING\0");
    assert.equal(verifyCommand(text, signCommand(text, key), [other.key]), other.key);
  });
}

test("a fingerprint is the SHA-256 of the public key's DER, as openssl computes it", skip, () => {
  using folder = temporaryFolder();
  openssl(folder.path, `pkey -pubin -in ${vectorKeys.public2048} -outform DER -out public.der`);
  const digest = openssl(folder.path, "dgst -sha256 -r public.der").slice(0, 64);
  assert.equal(FINGERPRINT_2048, digest);
  assert.equal(fingerprint(createPrivateKey(readFileSync(vectorKeys.private2048))), digest);
});

test("PEM text, bytes and key objects load like a file", () => {
  const text = readFileSync(vectorKeys.private2048, "utf8");
  const publicText = readFileSync(vectorKeys.public2048, "utf8");
  for (const source of [{ pem: text }, { pem: Buffer.from(text) }, createPrivateKey(text)]) {
    assert.equal(loadPrivateKey(source).fingerprint, FINGERPRINT_2048);
  }
  for (const source of [{ pem: publicText }, { pem: Buffer.from(publicText) }, createPublicKey(publicText)]) {
    assert.equal(loadPublicKey(source).fingerprint, FINGERPRINT_2048);
  }
  assert.ok(loadPublicKey({ pem: publicText }).key instanceof KeyObject);
});

test("carriage returns, a byte order mark and text around the block are ignored", () => {
  const text = readFileSync(vectorKeys.private2048, "utf8");
  for (const pem of [
    text.replaceAll("\n", "\r\n"),
    `\uFEFF${text}`,
    `für Tests\n${text}\nend`,
    text.trimEnd(),
  ]) {
    assert.equal(loadPrivateKey({ pem }).fingerprint, FINGERPRINT_2048);
  }
});

test("loading a key, valid or damaged, loads no package", () => {
  const script = `
    import { createRequire } from "node:module";
    import { loadPrivateKey } from ${JSON.stringify(pathToFileURL(join(buildRoot, "keys/key-file.js")).href)};
    loadPrivateKey({ file: ${JSON.stringify(vectorKeys.private2048)} });
    try { loadPrivateKey({ pem: "-----BEGIN PRIVATE KEY-----\\nMIIB\\n-----END PRIVATE KEY-----" }); }
    catch ({ code }) { console.log(code); }
    console.log(Object.keys(createRequire(import.meta.url).cache).join());`;
  const argv = ["--input-type=module", "-e", script];
  assert.equal(execFileSync(process.execPath, argv, { encoding: "utf8" }).trim(), "damaged");
});

test("an Ed25519 key loads if the caller allows this type", () => {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const kinds = ["rsa", "ed25519"] as const;
  const pem = privateKey.export({ type: "pkcs8", format: "pem" });
  assert.equal(
    loadPrivateKey({ pem }, { kinds }).fingerprint,
    loadPublicKey(publicKey, { kinds }).fingerprint,
  );
  assert.throws(() => loadPrivateKey({ pem }), { code: "kind" });
  assert.throws(() => loadPublicKey(publicKey), { code: "kind" });
});

test("a private key that other users can read is used, with a warning that contains the remedy", (t) => {
  if (process.platform === "win32") return t.skip("Windows has no such modes");
  using folder = temporaryFolder();
  const file = join(folder.path, "my key.pem");
  copyFileSync(vectorKeys.private2048, file);
  for (const [mode, who] of [
    [0o644, "every user"],
    [0o604, "every user"],
    [0o640, "its group"],
  ] as const) {
    chmodSync(file, mode);
    const { warnings } = loadPrivateKey({ file });
    assert.equal(warnings.length, 1);
    assert.ok(warnings[0]?.includes(`${who}`), warnings[0]);
    assert.ok(warnings[0]?.endsWith(`chmod 600 '${file}'`), warnings[0]);
  }
  for (const mode of [0o600, 0o400]) {
    chmodSync(file, mode);
    assert.deepEqual(loadPrivateKey({ file }).warnings, []);
  }
});

test("a public key that other users can replace is used, with a warning", (t) => {
  if (process.platform === "win32") return t.skip("Windows has no such modes");
  using folder = temporaryFolder();
  const file = join(folder.path, "public.pem");
  copyFileSync(vectorKeys.public2048, file);
  chmodSync(file, 0o666);
  assert.match(loadPublicKey({ file }).warnings.join(), /chmod 644/);
  chmodSync(file, 0o664);
  assert.deepEqual(loadPublicKey({ file }).warnings, []);
});

test("a file without read permission causes a specific error", (t) => {
  if (process.getuid?.() === 0) return t.skip("the superuser may read everything");
  using folder = temporaryFolder();
  const file = join(folder.path, "private.pem");
  copyFileSync(vectorKeys.private2048, file);
  chmodSync(file, 0);
  assert.throws(() => loadPrivateKey({ file }), { code: "not-readable", message: /permission denied/ });
});

test("a folder, a missing file and an endless file each cause a specific error", (t) => {
  using folder = temporaryFolder();
  const inFolder = join(folder.path, "folder.pem");
  mkdirSync(inFolder);
  const plain = join(folder.path, "plain");
  writeFileSync(plain, "");
  assert.throws(() => loadPrivateKey({ file: inFolder }), { code: "is-folder", file: inFolder });
  assert.throws(() => loadPublicKey({ file: join(folder.path, "absent") }), { code: "not-found" });
  assert.throws(() => loadPublicKey({ file: join(plain, "below.pem") }), { code: "not-found" });
  if (process.platform !== "linux") return t.diagnostic("no /dev/zero to try");
  assert.throws(() => loadPublicKey({ file: "/dev/zero" }), { code: "too-big" });
});

test("a wrong passphrase always causes the error for a wrong passphrase", () => {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  // Roughly one wrong passphrase in 256 decrypts to something with valid padding; openssl then fails differently.
  const cipher = { cipher: "aes-256-cbc", passphrase: PASSPHRASE };
  const pem = privateKey.export({ type: "pkcs1", format: "pem", ...cipher });
  for (let round = 0; round < amount(100, 500); round++) {
    assert.throws(() => loadPrivateKey({ pem }, { passphrase: `wrong ${round}` }), {
      code: "passphrase-wrong",
    });
  }
});

test("a damaged file loads or is refused with a KeyFileError", () => {
  const originals = [vectorKeys.private2048, vectorKeys.public2048].map((file) =>
    readFileSync(file, "latin1"),
  );
  originals.push(
    createPrivateKey(originals[0] ?? "")
      .export({ type: "pkcs1", format: "pem", cipher: "aes-128-cbc", passphrase: PASSPHRASE })
      .toString(),
  );

  const damage = fc.record({
    original: fc.constantFrom(...originals),
    start: fc.nat(1800),
    removed: fc.nat(70),
    added: fc.oneof(fc.string({ unit: "binary-ascii", maxLength: 5 }), fc.constantFrom("\n", "-----", "A")),
    times: fc.integer({ min: 1, max: 3 }),
  });

  fc.assert(
    fc.property(damage, ({ original, start, removed, added, times }) => {
      const at = start % original.length;
      const pem = original.slice(0, at) + added.repeat(times) + original.slice(at + removed);
      for (const load of [
        () => loadPrivateKey({ pem }, { passphrase: PASSPHRASE }),
        () => loadPublicKey({ pem }),
      ]) {
        try {
          load();
        } catch (error) {
          assert.ok(error instanceof KeyFileError, String(error));
        }
      }
    }),
    { seed: seed(), numRuns: 500 },
  );
});
