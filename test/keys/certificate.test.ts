/**
 * Tests `dbsync-keygen --certificate`: its files, compared with openssl and Node's TLS, and files that a daemon does
 * not load.
 */
import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { copyFileSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { isCertificateName } from "../../keys/certificate.js";
import { CertificateError, loadCertificatePair } from "../../keys/certificate-pair.js";
import { fingerprint } from "../../keys/fingerprint.js";
import { keygen } from "../../keys/keygen-command.js";
import { openssl, temporaryFolder, vectorKeys, withoutOpenssl } from "./openssl.js";

const NAMES = "db1.example.org,*.example.net,10.0.0.1,::1,2001:db8::7";

async function run(
  folder: string,
  ...argv: string[]
): Promise<{ code: number; stdout: string; stderr: string }> {
  let stdout = "";
  let stderr = "";
  const streams = {
    stdout: { write: (text: string) => (stdout += text) },
    stderr: { write: (text: string) => (stderr += text) },
  };
  return { code: await keygen([...argv, "--out", folder], streams), stdout, stderr };
}

const filesIn = (folder: string) => ({
  certificate: join(folder, "tls-cert.pem"),
  key: join(folder, "tls-key.pem"),
});

test("A certificate has the expected names, dates and purposes according to openssl", {
  skip: withoutOpenssl,
}, async () => {
  using folder = temporaryFolder();
  const { code, stderr } = await run(folder.path, "--certificate", "--san", NAMES, "--days", "30");
  assert.equal(code, 0, stderr);

  const text = openssl(folder.path, "x509 -in tls-cert.pem -noout -text");
  assert.match(text, /Version: 3/);
  assert.match(text, /Signature Algorithm: sha256WithRSAEncryption/);
  assert.match(text, /Public-Key: \(2048 bit\)/);
  assert.match(text, /CA:FALSE/);
  assert.match(text, /Digital Signature, Key Encipherment/);
  assert.match(text, /TLS Web Server Authentication/);
  assert.match(
    text,
    /DNS:db1\.example\.org, DNS:\*\.example\.net, IP Address:10\.0\.0\.1, IP Address:0:0:0:0:0:0:0:1, IP Address:2001:DB8:0:0:0:0:0:7/,
  );

  assert.match(openssl(folder.path, "verify -CAfile tls-cert.pem -purpose sslserver tls-cert.pem"), /OK/);
  assert.match(
    openssl(folder.path, "verify -CAfile tls-cert.pem -verify_hostname db1.example.org tls-cert.pem"),
    /OK/,
  );
  assert.match(openssl(folder.path, "verify -CAfile tls-cert.pem -verify_ip ::1 tls-cert.pem"), /OK/);

  const certificate = new X509Certificate(readFileSync(join(folder.path, "tls-cert.pem")));
  const days = (Date.parse(certificate.validTo) - Date.now()) / 86_400_000;
  assert.ok(days > 29.9 && days <= 30, String(days));
  assert.ok(Date.parse(certificate.validFrom) < Date.now());
});

test("dbsync-keygen --certificate prints the fingerprint of the key and the entry for the clients' list", async () => {
  using folder = temporaryFolder();
  const { stdout } = await run(folder.path, "--certificate", "--san", "::1,db1.example.org");
  const key = createPrivateKey(readFileSync(join(folder.path, "tls-key.pem")));
  assert.ok(stdout.includes(`dbsyncs://[::1]:1111#sha256:${fingerprint(key)}`), stdout);
  assert.ok(stdout.includes(`--tls-cert ${join(folder.path, "tls-cert.pem")} --tls-key`), stdout);
  assert.equal(loadCertificatePair(filesIn(folder.path)).fingerprint, fingerprint(key));
  assert.equal(statSync(join(folder.path, "tls-key.pem")).mode & 0o777, 0o600);
  assert.equal(statSync(join(folder.path, "tls-cert.pem")).mode & 0o777, 0o644);
  assert.deepEqual(readdirSync(folder.path), ["tls-cert.pem", "tls-key.pem"]);
});

test("A certificate is replaced only with --force, or with --keep-key for the same key", async () => {
  using folder = temporaryFolder();
  const made = await run(folder.path, "--certificate", "--san", "a.example");
  const before = loadCertificatePair(filesIn(folder.path));
  const refused = await run(folder.path, "--certificate", "--san", "b.example");
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /--force/);
  const renewed = await run(folder.path, "--certificate", "--san", "b.example", "--keep-key");
  assert.equal(renewed.code, 0, renewed.stderr);
  assert.match(made.stdout, /^private key .*tls-key\.pem \(mode 0600; /);
  assert.match(renewed.stdout, /^private key .*tls-key\.pem \(kept; /);
  assert.match(renewed.stdout, /clients .* fingerprint .*; in a file of --ca, replace the certificate$/m);
  const after = loadCertificatePair(filesIn(folder.path));
  assert.equal(after.fingerprint, before.fingerprint);
  assert.deepEqual(after.names, ["b.example"]);
  await run(folder.path, "--certificate", "--san", "b.example", "--force");
  assert.notEqual(loadCertificatePair(filesIn(folder.path)).fingerprint, before.fingerprint);
});

test("dbsync-keygen reports which certificate option is wrong", async () => {
  using folder = temporaryFolder();
  const cases: readonly (readonly [RegExp, number, ...string[]])[] = [
    [/--certificate' requires .*--san/, 2, "--certificate"],
    [/--san' requires '--certificate'/, 2, "--san", "a.example"],
    [/--type' cannot be combined with '--certificate'/, 2, "--certificate", "--san", "a", "--type", "rsa"],
    [/"a b" is neither a host name nor an address/, 2, "--certificate", "--san", "a b"],
    [/Expected 1 to 3650/, 2, "--certificate", "--san", "a", "--days", "0"],
    [/tls-key\.pem does not exist/, 1, "--certificate", "--san", "a", "--keep-key"],
  ];
  for (const [says, expected, ...argv] of cases) {
    const { code, stderr } = await run(folder.path, ...argv);
    assert.equal(code, expected, stderr);
    assert.match(stderr, says);
  }
  assert.deepEqual(readdirSync(folder.path), []);
});

test("A name of a certificate is a host name, a wildcard or an address", () => {
  for (const name of ["a", "a-1.example.org", "*.example.org", "10.0.0.1", "::1", "_x.y"])
    assert.ok(isCertificateName(name), name);
  for (const name of [
    "",
    "a b",
    "a..b",
    "-a",
    "a-",
    "*",
    "a.*.b",
    "300.1.1.1",
    "1.2.3",
    "fe80::1%eth0",
    "http://a",
  ])
    assert.ok(!isCertificateName(name), name);
});

test("The error for an unusable pair names the file, the reason and the fix", {
  skip: withoutOpenssl,
}, async () => {
  using folder = temporaryFolder();
  const path = (name: string) => join(folder.path, name);
  const { certificate, key } = filesIn(folder.path);

  await run(folder.path, "--certificate", "--san", "a.example");
  await run(folder.path, "--certificate", "--san", "b.example", "--name", "b");
  writeFileSync(path("cut.pem"), readFileSync(certificate, "utf8").slice(0, 300));
  writeFileSync(path("bent.pem"), readFileSync(certificate, "utf8").replace("MII", "MIJ"));
  writeFileSync(path("empty.pem"), "");
  openssl(folder.path, "pkey -in tls-key.pem -aes256 -passout PASS -out locked.pem");

  const legacy = "-provider legacy -provider default";
  openssl(
    folder.path,
    `pkcs8 -topk8 -v1 PBE-SHA1-RC4-128 ${legacy} -in tls-key.pem -passout PASS -out rc4.pem`,
  );
  writeFileSync(
    path("chain.pem"),
    readFileSync(path("b-tls-cert.pem"), "utf8") + readFileSync(certificate, "utf8"),
  );

  const cases: readonly (readonly [string, string, RegExp])[] = [
    [path("absent.pem"), key, /absent\.pem does not exist.*dbsync-keygen --certificate/],
    [folder.path, key, /is a folder instead of a file/],
    [path("empty.pem"), key, /empty\.pem contains no PEM block/],
    [path("cut.pem"), key, /cut\.pem is damaged/],
    [path("bent.pem"), key, /bent\.pem is damaged/],
    [key, key, /tls-key\.pem contains a "PRIVATE KEY" instead of a certificate/],
    [certificate, certificate, /tls-cert\.pem contains no private key/],
    [certificate, path("locked.pem"), /locked\.pem is encrypted.*openssl pkey -in/],
    [
      certificate,
      path("rc4.pem"),
      /rc4\.pem is encrypted.*openssl pkey -provider legacy -provider default -in/,
    ],
    [certificate, path("b-tls-key.pem"), /b-tls-key\.pem is not the private key of .*tls-cert\.pem/],
    [certificate, vectorKeys.private2048, /is not the private key of/],
    [path("chain.pem"), key, /own certificate as number 2\. Put it first/],
  ];

  for (const [certificateFile, keyFile, says] of cases) {
    assert.throws(
      () => loadCertificatePair({ certificate: certificateFile, key: keyFile }),
      (error) => error instanceof CertificateError && says.test(error.message),
      String(says),
    );
  }
});

test("An elliptic curve key and a chain after the certificate can be loaded", {
  skip: withoutOpenssl,
}, () => {
  using folder = temporaryFolder();
  openssl(
    folder.path,
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout tls-key.pem -out tls-cert.pem " +
      "-subj /CN=e -addext subjectAltName=DNS:e.example",
  );
  const { certificate, key } = filesIn(folder.path);
  const chain = join(folder.path, "chain.pem");
  copyFileSync(certificate, chain);
  writeFileSync(chain, readFileSync(certificate, "utf8").repeat(2));
  const pair = loadCertificatePair({ certificate: chain, key });
  assert.deepEqual(pair.names, ["e.example"]);
  assert.equal(pair.certificatePem.match(/BEGIN CERTIFICATE/g)?.length, 2);
});
