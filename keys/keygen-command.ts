/** Runs `dbsync-keygen`: parses its options, writes two files, prints a summary and returns an exit code. */

import { existsSync, lstatSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { isIPv6 } from "node:net";
import { dirname, join } from "node:path";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { discard, makeFolder, publishNew, publishOver, stage, writingFailure } from "./atomic-file.js";
import { type CertificatePem, isCertificateName, MAX_NAMES, makeCertificate } from "./certificate.js";
import { CertificateError, loadCertificateKey } from "./certificate-pair.js";
import { writeClusterSecret } from "./cluster-secret-file.js";
import {
  generateKeyPair,
  KEY_BITS,
  KEY_TYPES,
  type KeyBits,
  type KeyPairPem,
  type KeyType,
} from "./generate-keys.js";
import { KeyFileError, shellWord } from "./key-file-errors.js";
import { errnoOf, readPassphraseFile } from "./key-source.js";

/** The parts of a process that the program uses. */
export interface KeygenStreams {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown; readonly isTTY?: boolean };
}

/** The package's version. The package resolves itself by name, wherever it was built or installed. */
const { version } = createRequire(import.meta.url)("dbsyncd/package.json") as { version: string };

const EXIT_OK = 0;
const EXIT_FILE = 1;
const EXIT_USAGE = 2;

interface Options {
  readonly type: KeyType;
  readonly bits: KeyBits;
  readonly out: string;
  readonly name: string | null;
  readonly passphraseFile: string | null;
  readonly force: boolean;
  /** The options of --certificate, or null to generate a key pair. */
  readonly certificate: CertificateOptions | null;
  /** The file for --cluster-secret, or null if the option is not set. */
  readonly clusterSecret: string | null;
}

const HELP = `
Sizes:
  2048 is the default because each command costs one signature: about 0.25 ms
  with 2048 bits, 6 to 7 times that with 3072, about 15 times with 4096.
  Checking a signature stays cheap with all of them.

Types:
  rsa is the default: version 1 of the protocol, and therefore php-dbsync,
  supports no other, and daemons verify it fastest. With ed25519, signing is
  about six times as fast and verifying about six times as slow, and it
  requires version 2. Choose it if version 2 programs send commands one after
  the other (docs/keys.md).

Examples:
  dbsync-keygen                              private.pem and public.pem here
  dbsync-keygen --out keys --name web        keys/web-private.pem, …-public.pem
  dbsync-keygen --name root                  root-private.pem, …-public.pem
  dbsync-keygen --bits 4096 --force          replace the pair in this folder
  dbsync-keygen --type ed25519               an Ed25519 pair
  dbsync-keygen --passphrase-file pass.txt   encrypt private.pem
  dbsync-keygen --certificate --san db1.example.org,10.0.0.1
                                             tls-key.pem and tls-cert.pem here
  dbsync-keygen --cluster-secret cluster.secret
                                             the secret that the daemons share

Exit codes:
  0  the files are written
  1  a file could not be read or written, or already exists
  2  an option or its value is wrong`;

/**
 * Runs the program.
 * @param argv  the arguments after the program's name
 * @returns the exit code, as the help documents them
 */
export async function keygen(argv: readonly string[], streams: KeygenStreams): Promise<number> {
  let options: Options;
  try {
    options = parse(argv, streams);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_OK : EXIT_USAGE;
    throw error;
  }

  try {
    await run(options, streams);
    return EXIT_OK;
  } catch (error) {
    if (!(error instanceof KeyFileError || error instanceof CertificateError)) throw error;
    streams.stderr.write(`dbsync-keygen: ${error.message}\n`);
    return EXIT_FILE;
  }
}

/** Defines the options. */
export function makeKeygen(streams: KeygenStreams): Command {
  const program = new Command("dbsync-keygen")
    .version(version, "-V, --version", "print the version")
    .description(
      "Generates a pair of keys: clients sign with the private one, daemons verify with the public one.",
    )
    .addOption(new Option("--type <type>", "type of the key").choices(KEY_TYPES).default(KEY_TYPES[0]))
    .addOption(
      new Option("--bits <bits>", "size of an RSA key")
        .choices(KEY_BITS.map(String))
        .default(String(KEY_BITS[0])),
    )
    .option("--out <dir>", "folder for the files, created if it is missing", ".")
    .option("--name <name>", "write <name>-private.pem and <name>-public.pem", plainFileName)
    .option("--passphrase-file <file>", "encrypt the private key with the first line of this file")
    .option("--force", "replace existing files, but never a secret")
    .option(
      "--cluster-secret <file>",
      "instead of keys, generate the secret that all daemons of a cluster share",
    )
    .addHelpText("after", HELP)
    .configureOutput({
      writeOut: (text) => streams.stdout.write(text),
      writeErr: (text) => streams.stderr.write(text),
      outputError: (text, write) => write(errorText(text, program)),
    })
    .showHelpAfterError("Run dbsync-keygen --help to see the options.")
    .exitOverride()
    .allowExcessArguments(false);
  for (const option of certificateFlags()) program.addOption(option);
  return program;
}

/** Returns the text of an error. An argument that is not an option is named, with the option that it resembles. */
function errorText(text: string, program: Command): string {
  const named = text.replace(/^error: /, "dbsync-keygen: ");
  const [word] = program.args;
  if (word === undefined || !named.startsWith("dbsync-keygen: too many arguments")) return named;
  const hint = program.options.some(({ long }) => long === `--${word}`) ? `(Did you mean --${word}?)\n` : "";
  return `dbsync-keygen: too many arguments: "${word}". dbsync-keygen accepts only options, such as --out keys.\n${hint}`;
}

function parse(argv: readonly string[], streams: KeygenStreams): Options {
  const program = makeKeygen(streams);
  program.parse(argv, { from: "user" });
  const parsed = program.opts<{
    type: string;
    bits: string;
    out: string;
    name?: string;
    passphraseFile?: string;
    force?: boolean;
  }>();

  const type = KEY_TYPES.find((type) => type === parsed.type) ?? KEY_TYPES[0];
  if (type !== "rsa" && program.getOptionValueSource("bits") === "cli") {
    program.error(`error: option '--bits' is for RSA keys; a key of type ${type} has only one size`);
  }

  return {
    type,
    bits: KEY_BITS.find((bits) => String(bits) === parsed.bits) ?? KEY_BITS[0],
    out: parsed.out,
    name: parsed.name ?? null,
    passphraseFile: parsed.passphraseFile ?? null,
    force: parsed.force ?? false,
    certificate: certificateOptions(program),
    clusterSecret: clusterSecretFile(program),
  };
}

/** Returns the options of --certificate, or null if it is not set. */
function certificateOptions(program: Command): CertificateOptions | null {
  const parsed = program.opts<CertificateFlags & { out: string; name?: string; force?: boolean }>();
  const isSet = (name: string) => program.getOptionValueSource(name) === "cli";
  const isCertificate = parsed.certificate === true;

  const others = isCertificate ? ["type", "bits", "passphraseFile"] : ["san", "days", "keepKey"];
  const other = program.options.find(
    (option) => others.includes(option.attributeName()) && isSet(option.attributeName()),
  );
  if (other !== undefined) {
    program.error(
      `error: option '${other.long}' ${isCertificate ? "cannot be combined with" : "requires"} '--certificate'`,
    );
  }

  if (!isCertificate) return null;
  if (parsed.san === undefined) {
    program.error(
      "error: option '--certificate' requires the daemon's names: --san db1.example.org,10.0.0.1",
    );
  }

  const { san: names = [], days, keepKey = false, out, name = null, force = false } = parsed;
  return { names, days, keepKey, out, name, force };
}

/** Returns the file of --cluster-secret, or null if it is not set. */
function clusterSecretFile(program: Command): string | null {
  const { clusterSecret } = program.opts<{ clusterSecret?: string }>();
  if (clusterSecret === undefined) return null;
  const other = program.options.find(
    (option) =>
      option.long !== "--cluster-secret" && program.getOptionValueSource(option.attributeName()) === "cli",
  );
  if (other !== undefined)
    program.error(`error: option '${other.long}' cannot be combined with '--cluster-secret'`);
  if (clusterSecret === "") program.error("error: option '--cluster-secret' requires a file name");
  return clusterSecret;
}

function plainFileName(name: string): string {
  if (/^[^./\\\p{Cc}-][^/\\\p{Cc}]*$/u.test(name)) return name;
  throw new InvalidArgumentError(
    'It becomes part of file names: it must not contain "/" or "\\", nor begin with "." or "-".',
  );
}

async function run(options: Options, streams: KeygenStreams): Promise<void> {
  if (options.clusterSecret !== null) {
    streams.stdout.write(writeClusterSecret(options.clusterSecret));
    return;
  }
  if (options.certificate !== null) {
    streams.stdout.write(await writeCertificate(options.certificate));
    return;
  }

  const passphrase = options.passphraseFile === null ? null : readPassphraseFile(options.passphraseFile);
  for (const warning of passphrase?.warnings ?? []) {
    streams.stderr.write(`dbsync-keygen: warning: ${warning}\n`);
  }

  const paths = keyPairPaths(options.out, options.name);
  prepareKeyPairFiles(paths, options);
  if (options.type === "rsa" && options.bits > KEY_BITS[0] && streams.stderr.isTTY === true) {
    streams.stderr.write(`Generating a key of ${options.bits} bits; this can take several seconds …\n`);
  }

  const pair = await generateKeyPair({ ...options, passphrase: passphrase?.passphrase });
  writeKeyPair(pair, paths, options);
  streams.stdout.write(summary(options, paths, pair.fingerprint));
}

function summary(options: Options, paths: KeyPairPaths, fingerprint: string): string {
  const encrypted = options.passphraseFile === null ? "" : ", encrypted";
  return `private key  ${paths.privateFile} (mode 0600${encrypted}; for clients only)
public key   ${paths.publicFile}
${options.type === "rsa" ? `bits         ${options.bits}` : `type         ${options.type} (version 2 only)`}
fingerprint  ${fingerprint}

${nextSteps(options, paths)}
`;
}

/** The names that make a pair an administrator's: `root`, and `next-root` for its successor. */
const ROOT_NAME = /(^|-)root$/;

/**
 * Returns the next steps for an administrator's key if the pair has such a name, otherwise for an application's key.
 */
function nextSteps({ name, passphraseFile }: Options, paths: KeyPairPaths): string {
  const publicFile = shellWord(paths.publicFile);
  const passphrase = passphraseFile === null ? "" : ` --passphrase-file ${shellWord(passphraseFile)}`;
  const signed = `-k ${shellWord(paths.privateFile)}${passphrase}`;
  if (name !== null && ROOT_NAME.test(name))
    return `Next, as an administrator's key:
  each daemon   dbsyncd --root-key ${publicFile}
  a client      dbsync send ${signed} PING
  another key   dbsync keys add public.pem ${signed}`;
  return `Next, as an application's key (for an administrator's key, use --name root):
  each daemon   dbsyncd -s ${publicFile}
  or, once      dbsync keys add ${publicFile} -k root-private.pem
  a client      dbsync send ${signed} PING`;
}

const DEFAULT_DAYS = 825;
const MAX_DAYS = 3650;
const CERTIFICATE_MODE = 0o644;

interface CertificateOptions {
  readonly names: readonly string[];
  readonly days: number;
  /** Whether to reuse the existing key, so that pins stay valid. */
  readonly keepKey: boolean;
  readonly out: string;
  readonly name: string | null;
  readonly force: boolean;
}

/** The options of `certificateFlags`, as parsed by commander. */
interface CertificateFlags {
  readonly certificate?: true;
  readonly san?: string[];
  readonly days: number;
  readonly keepKey?: true;
}

function certificateFlags(): Option[] {
  return [
    new Option(
      "--certificate",
      "instead of keys for signing, generate tls-key.pem and tls-cert.pem for dbsyncd",
    ),
    new Option("--san <names>", "names and addresses of the daemon, separated by commas").argParser(
      readNames,
    ),
    new Option("--days <n>", "how long the certificate is valid").default(DEFAULT_DAYS).argParser(readDays),
    new Option("--keep-key", "generate a new certificate for the existing tls-key.pem"),
  ];
}

/**
 * Creates two files for a daemon's TLS, and returns a summary with the entry for its clients' lists of servers.
 * @throws KeyFileError, CertificateError
 */
async function writeCertificate(options: CertificateOptions): Promise<string> {
  const prefix = options.name === null ? "" : `${options.name}-`;
  const paths = {
    privateFile: join(options.out, `${prefix}tls-key.pem`),
    publicFile: join(options.out, `${prefix}tls-cert.pem`),
  };

  const key = options.keepKey ? loadCertificateKey(paths.privateFile) : null;
  if (key === null) prepareKeyPairFiles(paths, options);
  const made = await makeCertificate({ names: options.names, days: options.days, key, now: Date.now() });
  if (key === null) {
    const { keyPem: privatePem, certificatePem: publicPem, fingerprint } = made;
    writeKeyPair({ privatePem, publicPem, fingerprint }, paths, options);
  } else replace(paths.publicFile, made.certificatePem);
  return certificateSummary(options, paths, made);
}

function replace(file: string, text: string): void {
  let staged: string | null = null;
  try {
    staged = stage(file, text, CERTIFICATE_MODE);
    publishOver(staged, file);
  } catch (error) {
    if (staged !== null) discard(staged);
    const origin = { name: file, file, due: "public" } as const;
    throw new KeyFileError("not-writable", origin, {
      detail: writingFailure(error) ?? errnoOf(error),
      cause: error,
    });
  }
}

function certificateSummary(options: CertificateOptions, paths: KeyPairPaths, made: CertificatePem): string {
  const [first = ""] = options.names;
  const host = isIPv6(first) ? `[${first}]` : first.replace(/^\*\./, "NAME.");
  const next = options.keepKey
    ? `  the daemon   detects the new file within a minute, or immediately after kill -HUP
  clients      need no change if their entry has the fingerprint (#sha256:…); in a file of --ca, replace the certificate`
    : `  the daemon   dbsyncd --tls-cert ${shellWord(paths.publicFile)} --tls-key ${shellWord(paths.privateFile)}
  clients      use the entry: dbsyncs://${host}:1111#sha256:${made.fingerprint}`;
  return `private key  ${paths.privateFile} (${options.keepKey ? "kept" : "mode 0600"}; for the daemon only)
certificate  ${paths.publicFile} (until ${made.notAfter.toISOString().slice(0, 10)})
names        ${options.names.join(", ")}
fingerprint  sha256:${made.fingerprint} (of the key)

Next:
${next}
`;
}

function readNames(text: string, before: string[] = []): string[] {
  const names = text.split(",").map((name) => name.trim().replace(/^\[(.*)\]$/, "$1"));
  const bad = names.find((name) => !isCertificateName(name));
  if (bad !== undefined) {
    throw new InvalidArgumentError(
      `"${bad}" is neither a host name nor an address. Expected for example db1.example.org,10.0.0.1.`,
    );
  }
  const all = [...new Set([...before, ...names])];
  if (all.length > MAX_NAMES) throw new InvalidArgumentError(`At most ${MAX_NAMES} names.`);
  return all;
}

function readDays(text: string): number {
  const days = Number(text);
  if (!/^\d+$/.test(text) || days < 1 || days > MAX_DAYS)
    throw new InvalidArgumentError(`Expected 1 to ${MAX_DAYS}.`);
  return days;
}

/** The paths of the two files of a key pair. */
interface KeyPairPaths {
  readonly privateFile: string;
  readonly publicFile: string;
}

const PRIVATE_MODE = 0o600;
const PUBLIC_MODE = 0o644;

/**
 * Returns the paths of `private.pem` and `public.pem` in a folder.
 * @param name  a prefix, for `name-private.pem` and `name-public.pem`, or null for no prefix
 */
export function keyPairPaths(folder: string, name: string | null): KeyPairPaths {
  const prefix = name === null ? "" : `${name}-`;
  return {
    privateFile: join(folder, `${prefix}private.pem`),
    publicFile: join(folder, `${prefix}public.pem`),
  };
}

/**
 * Checks that both names are free, and creates the folder if it is missing, before the slow generation of a key
 * starts.
 * @throws KeyFileError  exists, not-writable
 */
function prepareKeyPairFiles(paths: KeyPairPaths, options: { force: boolean }): void {
  const taken = [paths.privateFile, paths.publicFile].filter(isTaken);
  if (taken.length > 0 && !options.force) throw exists(taken);
  const folder = dirname(paths.privateFile);
  try {
    if (!existsSync(folder)) makeFolder(folder);
  } catch (error) {
    throw notWritable(folder, error);
  }
}

/**
 * Writes a pair: the private file with mode 0600, the public one with 0644. Each file is complete or absent at any
 * time.
 * Without `force`, existing files are never changed, and both files are written or neither. With `force`, a crash
 * between the two can leave the new private file next to the old public one; writing the pair again repairs that.
 * @throws KeyFileError  exists, not-writable
 */
export function writeKeyPair(pair: KeyPairPem, paths: KeyPairPaths, options: { force: boolean }): void {
  prepareKeyPairFiles(paths, options);
  const files = [
    { path: paths.privateFile, text: pair.privatePem, mode: PRIVATE_MODE },
    { path: paths.publicFile, text: pair.publicPem, mode: PUBLIC_MODE },
  ];

  const staged: { from: string; path: string }[] = [];
  const placed: string[] = [];
  let path = paths.privateFile;

  try {
    for (const file of files) {
      path = file.path;
      staged.push({ from: stage(file.path, file.text, file.mode), path: file.path });
    }
    for (const file of staged) {
      path = file.path;
      if (options.force) publishOver(file.from, file.path);
      else publishNew(file.from, file.path);
      placed.push(file.path);
    }
  } catch (error) {
    if (!options.force) for (const file of placed) rmSync(file, { force: true });
    throw errnoOf(error) === "EEXIST" ? exists([path]) : notWritable(path, error);
  } finally {
    for (const file of staged) discard(file.from);
  }
}

/** Whether the name is in use, including by a dangling link. */
function isTaken(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

function exists(taken: readonly string[]): KeyFileError {
  return new KeyFileError("exists", { name: taken.join(" and "), file: taken[0] ?? null, due: "private" });
}

function notWritable(path: string, error: unknown): KeyFileError {
  const origin = { name: path, file: path, due: "private" } as const;
  return new KeyFileError("not-writable", origin, {
    detail: writingFailure(error) ?? errnoOf(error),
    cause: error,
  });
}
