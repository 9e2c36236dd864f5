/** Tests that the clients for Node, Python, Go and PHP accept and refuse the same key files, for the same reasons. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { loadPrivateKey } from "../../keys/key-file.js";
import { runGoTests } from "../go/running.js";
import { runPhp } from "../php/running.js";
import { PYTHON, runPython } from "../python/running.js";
import { skipWithout } from "../support/requirements.js";
import { scratchFolder } from "../support/scratch-folder.js";

const folder = scratchFolder("key-files");

const openssl = (...args: string[]): Buffer =>
  execFileSync("openssl", args, { stdio: ["ignore", "pipe", "ignore"] });
const file = (name: string, contents: string | Buffer): string => {
  const path = join(folder, name);
  writeFileSync(path, contents, { mode: 0o600 });
  return path;
};

const rsa = openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048").toString();
const ed25519 = openssl("genpkey", "-algorithm", "ed25519").toString();
const rsaFile = file("rsa.pem", rsa);
const ec = (...args: string[]) => openssl("ecparam", "-name", "prime256v1", "-genkey", ...args);
const certificate = openssl("req", "-x509", "-key", rsaFile, "-subj", "/CN=test", "-days", "1").toString();

function openssh(): string {
  const path = join(folder, "openssh");
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", path]);
  return path;
}

const LEGACY = ["-provider", "legacy", "-provider", "default"];
const OF_LEGACY = /is encrypted.*: openssl pkey -provider legacy -provider default -in/;

/** The files, with the reason for which every client refuses them, or null if every client accepts them. */
const FILES: Readonly<Record<string, readonly [path: string, reason: RegExp | null]>> = {
  "an RSA key": [rsaFile, null],
  "an Ed25519 key": [file("ed25519.pem", ed25519), null],
  "the traditional form (PKCS#1)": [file("pkcs1.pem", openssl("rsa", "-in", rsaFile, "-traditional")), null],
  "CRLF line ends": [file("crlf.pem", rsa.replaceAll("\n", "\r\n")), null],
  "CRLF line ends of an Ed25519 key": [file("crlf-ed.pem", ed25519.replaceAll("\n", "\r\n")), null],
  "a byte order mark": [file("bom.pem", `\ufeff${rsa}`), null],
  "a byte order mark of an Ed25519 key": [file("bom-ed.pem", `\ufeff${ed25519}`), null],
  "text before and after the block": [file("text.pem", `A key:\n${rsa}The end of it.\n`), null],
  "no line break at the end": [file("end.pem", ed25519.trimEnd()), null],
  "an empty file": [file("empty.pem", ""), /is empty/],
  "other text": [file("other.pem", "hello"), /contains no PEM block/],
  "the form of OpenSSH": [openssh(), /in OpenSSH's own format/],
  "a public key of OpenSSH": [
    join(folder, "openssh.pub"),
    /contains an OpenSSH public key, which cannot sign/,
  ],
  "1,024 bits": [
    file("1024.pem", openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024")),
    /is an RSA key of 1024 bits/,
  ],
  "the exponent 3": [
    file("e3.pem", openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_pubexp:3")),
    /is an RSA key with .*exponent/,
  ],
  "RSA-PSS": [
    file("pss.pem", openssl("genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048")),
    /is a key of type rsa-pss; expected rsa or ed25519/,
  ],
  "an EC key": [file("ec.pem", ec("-noout")), /is a key of type ec; expected rsa or ed25519/],
  "an EC key after its parameters": [file("ecp.pem", ec()), /is a key of type ec; expected rsa or ed25519/],
  "a block on one line": [
    file("line.pem", rsa.replaceAll("\n", "")),
    /contains a PEM block without line breaks/,
  ],
  "a block on one line, with spaces": [
    file("spaces.pem", ed25519.trim().replaceAll("\n", " ")),
    /contains a PEM block without line breaks/,
  ],
  "the characters \\n": [
    file("escaped.pem", rsa.replaceAll("\n", "\\n")),
    /contains the two characters \\n instead of line breaks, as in an \.env file/,
  ],
  "a quoted value with the characters \\n": [
    file("quoted.pem", `"${ed25519.replaceAll("\n", "\\n")}"\n`),
    /contains the two characters \\n instead of line breaks, as in an \.env file/,
  ],
  "a certificate": [file("cert.pem", certificate), /contains a certificate, but no private key/],
  "a certificate and its key": [
    file("both.pem", certificate + rsa),
    /contains several PEM blocks \(CERTIFICATE, PRIVATE KEY\)/,
  ],
  "two keys": [file("two.pem", rsa + ed25519), /contains several PEM blocks \(PRIVATE KEY, PRIVATE KEY\)/],
  "an encrypted key": [
    file("encrypted.pem", openssl("pkey", "-in", rsaFile, "-aes-256-cbc", "-passout", "pass:x")),
    /is encrypted/,
  ],
  "an encrypted key in the traditional form": [
    file("encrypted1.pem", openssl("rsa", "-in", rsaFile, "-traditional", "-aes256", "-passout", "pass:x")),
    /is encrypted/,
  ],
  "a key encrypted with RC4": [
    file(
      "rc4.pem",
      openssl("pkcs8", "-topk8", "-in", rsaFile, "-passout", "pass:x", "-v1", "PBE-SHA1-RC4-128", ...LEGACY),
    ),
    OF_LEGACY,
  ],
  "a key of the traditional form encrypted with DES": [
    file("des.pem", openssl("rsa", "-in", rsaFile, "-traditional", "-des", "-passout", "pass:x", ...LEGACY)),
    OF_LEGACY,
  ],
  "a public key": [
    file("public.pem", openssl("pkey", "-in", rsaFile, "-pubout")),
    /contains a public key, which cannot sign/,
  ],
  "binary form": [
    file("key.der", openssl("pkey", "-in", rsaFile, "-outform", "DER")),
    /is in binary form \(DER\) instead of PEM/,
  ],
  "a block without its end": [file("cut.pem", rsa.slice(0, 500)), /is damaged/],
  "a block with missing lines": [
    file("hole.pem", rsa.replace(/\n[^\n]+\n[^\n]+\n(?=[^\n]+\n-)/, "\n")),
    /is damaged/,
  ],
};

const pss = file(
  "pss-to-encrypt.pem",
  openssl("genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"),
);
const encrypted = (name: string, key: string, ...form: string[]) =>
  file(`${name}.pem`, openssl("pkcs8", "-topk8", "-in", key, "-passout", "pass:x", ...form));
const PSS = /is a key of type rsa-pss; expected rsa or ed25519/;

const OLD = /is encrypted with a method that this program does not support. Encrypt it again: openssl pkey/;

/** Encrypted files. Node and Python read them with the password x, and PHP accepts no password. */
const ENCRYPTED: Readonly<Record<string, readonly [path: string, reason: RegExp | null]>> = {
  "an encrypted RSA key": [encrypted("rsa-aes256", rsaFile, "-v2", "aes-256-cbc"), null],
  "an encrypted Ed25519 key": [
    encrypted("ed-aes256", join(folder, "ed25519.pem"), "-v2", "aes-256-cbc"),
    null,
  ],
  "an RSA key encrypted with scrypt": [encrypted("rsa-scrypt", rsaFile, "-scrypt"), null],
  "RSA-PSS with AES-256": [encrypted("pss-aes256", pss, "-v2", "aes-256-cbc"), PSS],
  "RSA-PSS with AES-192": [encrypted("pss-aes192", pss, "-v2", "aes-192-cbc"), PSS],
  "RSA-PSS with AES-128 and SHA-1": [
    encrypted("pss-aes128", pss, "-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA1"),
    PSS,
  ],
  "RSA-PSS with SHA-512": [
    encrypted("pss-sha512", pss, "-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA512"),
    PSS,
  ],
  "RSA-PSS with scrypt": [encrypted("pss-scrypt", pss, "-scrypt"), PSS],
  "RSA-PSS with Triple DES": [encrypted("pss-des3", pss, "-v2", "des3"), PSS],
  "RSA-PSS with PBES1": [encrypted("pss-pbes1", pss, "-v1", "PBE-SHA1-3DES"), PSS],
  "an RSA key with Triple DES": [encrypted("rsa-des3", rsaFile, "-v2", "des3"), null],
  "an RSA key with PBES1": [encrypted("rsa-pbes1", rsaFile, "-v1", "PBE-SHA1-3DES"), null],
  "an RSA key with MD5 and DES": [encrypted("rsa-md5", rsaFile, "-v1", "PBE-MD5-DES", ...LEGACY), OLD],
  "an RSA key with RC4": [encrypted("rsa-rc4", rsaFile, "-v1", "PBE-SHA1-RC4-128", ...LEGACY), OLD],
  "an RSA key with RC2": [encrypted("rsa-rc2", rsaFile, "-v2", "rc2", ...LEGACY), OLD],
  "a key that is not encrypted": [rsaFile, null],
};

const paths = Object.values(FILES).map(([path]) => path);
/** What clients say in their own words: PHP takes no passphrase, and each library describes damage differently. */
const OWN_WORDS = /is damaged: |is encrypted, /;
const problemOf = (path: string, passphrase?: string): string | null => {
  try {
    loadPrivateKey({ file: path }, { kinds: ["rsa", "ed25519"], passphrase });
    return null;
  } catch (error) {
    return (error as Error).message;
  }
};

/** Compares the message for each file, or null if the client accepts it, with the table. */
function check(problems: readonly (string | null)[], files = FILES): void {
  for (const [index, [name, [path, reason]]] of Object.entries(files).entries()) {
    const problem = problems[index] ?? null;
    if (reason === null) assert.equal(problem, null, name);
    else assert.match(problem ?? "accepted", reason, name);
    const ofNode = problemOf(path, files === FILES ? undefined : "x");
    if (problem === null || ofNode === null || OWN_WORDS.test(ofNode) || OWN_WORDS.test(problem)) continue;
    assert.equal(problem.replace(/^(The signing key cannot be used|dbsync\.signkey): /, ""), ofNode, name);
  }
}

test("Node accepts and refuses the key files of the table", () => {
  check(paths.map((path) => problemOf(path)));
});

test("Node accepts and refuses the encrypted files of the table", () => {
  check(
    Object.values(ENCRYPTED).map(([path]) => problemOf(path, "x")),
    ENCRYPTED,
  );
});

test("Python accepts and refuses the encrypted files of the table", {
  skip: skipWithout(PYTHON),
}, async () => {
  const code = `
from dbsync.errors import BadKey
from dbsync.signing import Signer
def problem_of(path):
    try:
        Signer(path, "x")
    except BadKey as error:
        return str(error)
print(json.dumps([problem_of(path) for path in given]))`;
  const given = Object.values(ENCRYPTED).map(([path]) => path);
  check((await runPython(code, given)) as (string | null)[], ENCRYPTED);
});

test("Python accepts and refuses the key files of the table", { skip: skipWithout(PYTHON) }, async () => {
  const code = `
from dbsync.errors import BadKey
from dbsync.signing import Signer
def problem_of(path):
    try:
        Signer(path)
    except BadKey as error:
        return str(error)
print(json.dumps([problem_of(path) for path in given]))`;
  check((await runPython(code, paths)) as (string | null)[]);
});

test("Go accepts and refuses the key files of the table", { skip: skipWithout("go") }, async () => {
  const given = file("go.json", JSON.stringify(paths));
  assert.deepEqual(await runGoTests("^TestKeyFiles$", { DBSYNC_KEY_FILES: given }), ["TestKeyFiles"]);
  check(JSON.parse(readFileSync(`${given}.problems`, "utf8")) as (string | null)[]);
});

test("PHP accepts and refuses the key files of the table", { skip: skipWithout("php") }, async () => {
  const code = `$result = array_map(function ($path) {
    try { new Dbsync\\Key($path); return null; } catch (Dbsync\\Failure $failure) { return $failure->getMessage(); }
  }, ${JSON.stringify(paths)})`;
  check((await runPhp(code)) as (string | null)[]);
});
