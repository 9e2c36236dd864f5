/**
 * Tests files without a usable key: the error names the file, what it is, and a remedy. If the remedy is a command,
 * the test runs it and loads its result.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { loadPrivateKey, loadPublicKey } from "../../keys/key-file.js";
import { KeyFileError, type KeyFileErrorCode, type KeyHalf } from "../../keys/key-file-errors.js";
import { openssl, temporaryFolder, vectorKeys, withoutOpenssl, withoutSshKeygen } from "./openssl.js";

interface Case {
  /** The kind of file. */
  readonly title: string;
  /** Arguments with which openssl writes the file from `key.pem` and `pub.pem`, or a function that writes it. */
  readonly make: readonly string[] | ((folder: string) => void);
  /** The error codes if the file is loaded as a private or as a public key. An absent code is not tested. */
  readonly private?: KeyFileErrorCode;
  readonly public?: KeyFileErrorCode;
  /** Arguments that make the remedy's command non-interactive. They are absent if the sentence contains no command. */
  readonly cure?: { readonly [half in KeyHalf]?: string };
  readonly says?: RegExp;
  readonly skip?: string | false;
}

const read = (folder: string, name: string) => readFileSync(join(folder, name), "latin1");
const write = (folder: string, text: string) =>
  writeFileSync(join(folder, "made it.pem"), text, { mode: 0o600 });

/** Returns a PEM text without `count` lines from the middle of its body. */
function withoutLines(pem: string, count: number): string {
  const lines = pem.split("\n");
  lines.splice(5, count);
  return lines.join("\n");
}

const OUT = "-out made_it.pem";

const CASES: readonly Case[] = [
  {
    title: "a private key",
    make: [`pkey -in key.pem ${OUT}`],
    public: "private-for-public",
    cure: { public: "" },
    says: /contains a private key/,
  },
  { title: "a public key", make: [`pkey -pubin -in pub.pem -pubout ${OUT}`], private: "public-for-private" },
  {
    title: "a PKCS#1 public key",
    make: [`rsa -in key.pem -RSAPublicKey_out ${OUT}`],
    private: "public-for-private",
  },
  {
    title: "a certificate",
    make: [`req -x509 -new -key key.pem -subj /CN=test ${OUT}`],
    private: "certificate",
    public: "certificate",
    cure: { public: "" },
  },
  {
    title: "a certificate request",
    make: [`req -new -key key.pem -subj /CN=test ${OUT}`],
    private: "certificate-request",
    public: "certificate-request",
    cure: { public: "" },
  },
  {
    title: "a private key in DER",
    make: [`pkcs8 -topk8 -nocrypt -in key.pem -outform DER ${OUT}`],
    private: "der",
    cure: { private: "" },
  },
  {
    title: "a public key in DER",
    make: [`pkey -in key.pem -pubout -outform DER ${OUT}`],
    public: "der",
    cure: { public: "" },
  },
  {
    title: "an encrypted key without its passphrase",
    make: [`pkcs8 -topk8 -in key.pem -passout PASS ${OUT}`],
    private: "passphrase-missing",
    public: "private-for-public",
    cure: { private: " -passin 'pass:correct horse'" },
  },
  {
    title: "an encrypted PKCS#1 key without its passphrase",
    make: [`rsa -in key.pem -traditional -aes128 -passout PASS ${OUT}`],
    private: "passphrase-missing",
    cure: { private: " -passin 'pass:correct horse'" },
  },
  {
    title: "an EC key",
    make: [`ecparam -name prime256v1 -genkey ${OUT}`],
    private: "kind",
    says: /supports only RSA keys/,
  },
  {
    title: "an EC key as PKCS#8",
    make: [`genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 ${OUT}`],
    private: "kind",
  },
  {
    title: "an Ed25519 key",
    make: [`genpkey -algorithm ed25519 ${OUT}`],
    private: "kind",
    public: "private-for-public",
  },
  {
    title: "an Ed25519 public key",
    make: ["genpkey -algorithm ed25519 -out ed.pem", `pkey -in ed.pem -pubout ${OUT}`],
    public: "kind",
  },
  {
    title: "a DSA key",
    make: ["dsaparam -out dsa.pem 1024", `gendsa ${OUT} dsa.pem`],
    private: "kind",
  },
  {
    title: "an RSA-PSS key",
    make: [`genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 ${OUT}`],
    private: "kind",
  },
  {
    title: "an RSA key of 1024 bits",
    make: [`genrsa ${OUT} 1024`],
    private: "too-few-bits",
    says: /1024 bits/,
  },
  {
    title: "an RSA public key of 1024 bits",
    make: ["genrsa -out small.pem 1024", `pkey -in small.pem -pubout ${OUT}`],
    public: "too-few-bits",
  },
  {
    title: "an RSA key with e = 3",
    make: [`genrsa -3 ${OUT} 2048`],
    private: "exponent",
    says: /exponent 3 instead/,
  },
  {
    title: "an RSA public key with e = 3",
    make: ["genrsa -3 -out three.pem 2048", `pkey -in three.pem -pubout ${OUT}`],
    public: "exponent",
  },
  {
    title: "curve parameters",
    make: [`ecparam -name prime256v1 ${OUT}`],
    private: "no-pem",
    public: "no-pem",
  },
  {
    title: "a list of revoked certificates",
    make: (folder) => write(folder, read(folder, "pub.pem").replaceAll("PUBLIC KEY", "X509 CRL")),
    private: "other-block",
    public: "other-block",
    says: /X509 CRL/,
  },
  {
    title: "two keys",
    make: (folder) => write(folder, read(folder, "key.pem") + read(folder, "pub.pem")),
    private: "several",
    public: "several",
    says: /PRIVATE KEY, PUBLIC KEY/,
  },
  { title: "nothing", make: (folder) => write(folder, ""), private: "empty", public: "empty" },
  { title: "a text", make: (folder) => write(folder, "not a key\n"), private: "no-pem", public: "no-pem" },
  {
    title: "a block without its last line",
    make: (folder) => write(folder, read(folder, "key.pem").slice(0, 700)),
    private: "damaged",
    says: /last line/,
  },
  {
    title: "an encrypted block without its last line",
    make: (folder) => write(folder, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIFNTBfBgkqhkiG\n"),
    private: "damaged",
  },
  {
    title: "a private key with a line missing",
    make: (folder) => write(folder, withoutLines(read(folder, "key.pem"), 1)),
    private: "damaged",
    says: /are missing or changed/,
  },
  {
    title: "a public key with a line missing",
    make: (folder) => write(folder, withoutLines(read(folder, "pub.pem"), 1)),
    public: "damaged",
    says: /are missing or changed/,
  },
  {
    title: "a private key whose modulus has changed",
    make: (folder) => {
      const lines = read(folder, "key.pem").split("\n");
      lines[3] = [...(lines[3] ?? "")].reverse().join("");
      write(folder, lines.join("\n"));
    },
    private: "damaged",
    says: /numbers/,
  },
  {
    title: "a key with other text between its lines",
    make: (folder) => write(folder, read(folder, "pub.pem").replace("\nMII", "\n*** see the wiki ***\nMII")),
    public: "damaged",
    says: /base64/,
  },
  {
    title: "a public key labelled as a private one",
    make: (folder) => write(folder, read(folder, "pub.pem").replaceAll("PUBLIC KEY", "PRIVATE KEY")),
    private: "damaged",
  },
  {
    title: "a private key of OpenSSH",
    make: (folder) => sshKeygen(folder),
    private: "openssh-private",
    public: "openssh-private",
    cure: { private: " -P '' -N ''", public: "" },
    skip: withoutSshKeygen,
  },
  {
    title: "a public key of OpenSSH",
    make: (folder) => {
      sshKeygen(folder);
      copyFileSync(join(folder, "made it.pem.pub"), join(folder, "made it.pem"));
    },
    private: "openssh-public",
    public: "openssh-public",
    cure: { public: "" },
    skip: withoutSshKeygen,
  },
  {
    title: "a key of PuTTY",
    make: (folder) => write(folder, "PuTTY-User-Key-File-3: ssh-rsa\nEncryption: none\n"),
    private: "putty",
    public: "putty",
  },
];

function sshKeygen(folder: string): void {
  execFileSync("ssh-keygen", [
    "-q",
    "-t",
    "rsa",
    "-b",
    "2048",
    "-N",
    "",
    "-C",
    "test",
    "-f",
    join(folder, "made it.pem"),
  ]);
}

/** Makes the file of a case. Its name contains a space, which the commands in errors must quote. */
function makeFile({ make }: Case, folder: string): string {
  copyFileSync(vectorKeys.private2048, join(folder, "key.pem"));
  copyFileSync(vectorKeys.public2048, join(folder, "pub.pem"));
  const file = join(folder, "made it.pem");
  if (typeof make === "function") {
    make(folder);
  } else {
    for (const words of make) openssl(folder, words);
    copyFileSync(join(folder, "made_it.pem"), file);
  }
  return file;
}

function refusal(half: KeyHalf, file: string): KeyFileError {
  try {
    if (half === "private") loadPrivateKey({ file });
    else loadPublicKey({ file });
  } catch (error) {
    assert.ok(error instanceof KeyFileError, String(error));
    return error;
  }
  assert.fail(`${file} was taken`);
}

/** Runs the command at the end of a sentence, and loads the file that it makes. */
function follow(error: KeyFileError, half: KeyHalf, folder: string, appendix: string): void {
  const command = /: ((?:openssl|ssh-keygen|cp) .*)$/.exec(error.message)?.[1];
  assert.ok(command, `a command in: ${error.message}`);
  const outFolder = join(folder, "out");
  mkdirSync(outFolder, { recursive: true });
  execFileSync("sh", ["-c", command + appendix], { cwd: outFolder, stdio: ["ignore", "ignore", "pipe"] });
  const file = join(outFolder, `${half}.pem`);
  assert.ok(existsSync(file), command);
  if (half === "private") loadPrivateKey({ file });
  else loadPublicKey({ file });
}

for (const row of CASES) {
  for (const half of ["private", "public"] as const) {
    const code = row[half];
    if (code === undefined) continue;
    test(`${row.title} in place of a ${half} key is refused as ${code}`, {
      skip: withoutOpenssl || row.skip,
    }, () => {
      using folder = temporaryFolder();
      const file = makeFile(row, folder.path);
      const error = refusal(half, file);
      assert.equal(error.code, code, error.message);
      assert.equal(error.file, file);
      assert.ok(error.message.startsWith(file), error.message);
      if (row.says !== undefined) assert.match(error.message, row.says);
      const appendix = row.cure?.[half];
      if (appendix !== undefined) follow(error, half, folder.path, appendix);
    });
  }
}

test("a key encrypted by an old method is refused as old-encryption", { skip: withoutOpenssl }, (t) => {
  using folder = temporaryFolder();
  copyFileSync(vectorKeys.private2048, join(folder.path, "key.pem"));
  const legacy = "-provider legacy -provider default";
  const forms = [
    "pkcs8 -topk8 -v1 PBE-MD5-DES",
    "pkcs8 -topk8 -v1 PBE-SHA1-RC4-128",
    "rsa -traditional -des",
  ];

  // The key must be encrypted again also if its passphrase is known.
  for (const form of forms)
    for (const passphrase of ["correct horse", undefined]) {
      try {
        openssl(folder.path, `${form} ${legacy} -in key.pem -passout PASS -out old.pem`);
      } catch {
        return t.skip("this openssl has no legacy provider");
      }

      const file = join(folder.path, "old.pem");
      assert.throws(
        () => loadPrivateKey({ file }, { passphrase }),
        (error: unknown) => {
          assert.ok(error instanceof KeyFileError);
          assert.equal(error.code, "old-encryption", form);
          const command = /: (openssl .*)$/.exec(error.message)?.[1] ?? "";
          const words = " -passin 'pass:correct horse' -passout pass:another";
          execFileSync("sh", ["-c", command + words], { cwd: folder.path });
          const again = { file: join(folder.path, "private.pem") };
          return loadPrivateKey(again, { passphrase: "another" }).warnings.length === 0;
        },
      );
    }
});

test("wrong, empty and endless passphrases are distinguished from a damaged file", {
  skip: withoutOpenssl,
}, () => {
  using folder = temporaryFolder();
  copyFileSync(vectorKeys.private2048, join(folder.path, "key.pem"));
  for (const words of ["pkcs8 -topk8 -in key.pem", "rsa -traditional -aes128 -in key.pem"]) {
    openssl(folder.path, `${words} -passout PASS -out encrypted.pem`);
    const file = join(folder.path, "encrypted.pem");
    assert.throws(() => loadPrivateKey({ file }, { passphrase: "wrong" }), { code: "passphrase-wrong" });
    assert.throws(() => loadPrivateKey({ file }, { passphrase: "" }), { code: "passphrase-wrong" });
    assert.throws(() => loadPrivateKey({ file }, { passphrase: "x".repeat(1025) }), {
      code: "passphrase-too-long",
    });
  }
  openssl(folder.path, "pkcs8 -topk8 -in key.pem -passout PASS -out encrypted.pem");
  const pem = withoutLines(read(folder.path, "encrypted.pem"), 1);
  assert.throws(() => loadPrivateKey({ pem }, { passphrase: "correct horse" }), { code: "damaged" });
});

test("an error about PEM text names no file", () => {
  assert.throws(() => loadPublicKey({ pem: "nothing" }), {
    code: "no-pem",
    file: null,
    message: /^the key passed as PEM text contains no PEM block/,
  });
});

test("no error and no cause contains the key or its passphrase", () => {
  const pem = readFileSync(vectorKeys.private2048, "latin1");
  const line = pem.split("\n")[4] ?? "";
  for (const damaged of [pem.slice(0, 900), withoutLines(pem, 2), pem.replaceAll("PRIVATE", "PUBLIC")]) {
    for (const load of [loadPrivateKey, loadPublicKey]) {
      assert.throws(
        () => load({ pem: damaged }),
        (error: unknown) =>
          error instanceof KeyFileError && !`${error.message} ${String(error.cause)}`.includes(line),
      );
    }
  }
});
