/** Runs `dbsync-keygen`: parses its options, writes two files, prints a summary and returns an exit code. */
import { createRequire } from "node:module";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { CertificateError } from "./certificate-pair.js";
import { writeClusterSecret } from "./cluster-secret-file.js";
import { generateKeyPair, KEY_BITS, KEY_TYPES, type KeyBits, type KeyType } from "./generate-keys.js";
import { KeyFileError } from "./key-file-errors.js";
import { type KeyPairPaths, keyPairPaths, prepareKeyPairFiles, writeKeyPair } from "./key-pair-files.js";
import {
  type CertificateFlags,
  type CertificateOptions,
  certificateFlags,
  writeCertificate,
} from "./keygen-certificate.js";
import { readPassphraseFile } from "./passphrase-file.js";
import { shellWord } from "./shell-word.js";

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
  const publicFile = shellWord(paths.publicFile);
  return `private key  ${paths.privateFile} (mode 0600${encrypted}; for clients only)
public key   ${paths.publicFile}
${options.type === "rsa" ? `bits         ${options.bits}` : `type         ${options.type} (version 2 only)`}
fingerprint  ${fingerprint}

Next:
  each daemon  an application's key:   dbsyncd -s ${publicFile}
               an administrator's key: dbsyncd --root-key ${publicFile}, in addition to -s
  a client     dbsync send -k ${shellWord(paths.privateFile)} PING
`;
}
