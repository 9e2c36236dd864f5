/** Mutants of the rules for what users of clients and examples receive: arguments, keys and requests of the chat. */
import type { Mutant } from "./mutant.js";

const ARGUMENTS = "test/client/shared/command-bytes.test.js";
const KEY_FILES = "test/keys/key-file.unusable.test.js";
const UNDECIDED = "test/client/version-2/undecided-batches.test.js";
const OPTIONS = "test/tools/cli/shared/client-options.test.js";
const KEYGEN = "test/keys/keygen.test.js";
const CERTIFICATES = "test/keys/certificate.test.js";

export const clientMutants: readonly Mutant[] = [
  {
    name: "keys: a key's file name is its label, whatever its length",
    file: "daemon/engine/trust/load-signers.js",
    find: "checkedLabel(bytesOfText(labelOf(file)))",
    replace: "bytesOfText(labelOf(file))",
    test: "test/daemon/engine/trust/signers.test.js",
  },
  ...(["KEY ADD", "CLUSTER ADD"] as const).map((command): Mutant => {
    const label = command === "KEY ADD" ? 'options.get("LABEL") ?? ""' : 'argv[4] ?? ""';
    return {
      name: `keys: the label of a ${command} has any length`,
      file: "daemon/store/commands/key-ring-commands.js",
      find: `checkedLabel(${label})`,
      replace: `(${label})`,
      test: "test/daemon/store/key-ring.test.js",
    };
  }),
  {
    name: "chat: a request for earlier messages before any text is served",
    file: "examples/chat/protocols.js",
    find: 'what === "earlier" && isOrder(before)',
    replace: 'what === "earlier" && typeof before === "string"',
    test: "test/examples/chat/bounds.test.js",
  },
  {
    name: "clients: half of a character is sent as U+FFFD",
    file: "protocol/byte-string.js",
    find: "bytes.length === text.length || isWellFormed(text) ? bytes : null",
    replace: "bytes",
    test: ARGUMENTS,
  },
  {
    name: "clients: half of a character in a condition's key is sent as U+FFFD",
    file: "client/settings/header-options.js",
    find: "exactBytesOfText(key) !== null",
    replace: "true",
    test: ARGUMENTS,
  },
  {
    name: "clients: a bigint is refused",
    file: "client/shared/command-bytes.js",
    find: 'typeof argument === "bigint" || (',
    replace: "(",
    test: ARGUMENTS,
  },
  {
    name: "keys: the copy of a key with an old encryption is made without the legacy provider",
    file: "keys/key-file.js",
    find: 'needsLegacyProvider(block) ? "old-encryption" : "passphrase-missing"',
    replace: '"passphrase-missing"',
    test: KEY_FILES,
  },
  {
    name: "certificates: the copy of a key with an old encryption is made without the legacy provider",
    file: "keys/certificate-pair.js",
    find: 'needsLegacyProvider(block) ? "-provider legacy -provider default " : ""',
    replace: '""',
    test: CERTIFICATES,
  },
  {
    name: "cli: a failure does not name the dbsync.ini of the current folder",
    file: "tools/cli/shared/client-options.js",
    find: "dirname(serversFrom) !== folder",
    replace: "true",
    test: OPTIONS,
  },
  {
    name: "cli: a failure names dbsync.ini as the source of the default servers",
    file: "tools/cli/shared/client-options.js",
    find: " || dirname(serversFrom) !== folder",
    replace: "",
    test: OPTIONS,
  },
  {
    name: "cli: a failure names dbsync.ini although -s names the servers",
    file: "tools/cli/shared/client-options.js",
    find: "if (servers === undefined)\n            nameLocalServers",
    replace: "nameLocalServers",
    test: OPTIONS,
  },
  {
    name: "cli: a failure names dbsync.ini each time that it was read",
    file: "tools/cli/shared/client-options.js",
    find: "namesLocalServers = true;",
    replace: "",
    test: OPTIONS,
  },
  {
    name: "cli: a success names dbsync.ini",
    file: "tools/cli/shared/client-options.js",
    find: "code !== 0 && printNotice(`using the servers",
    replace: "printNotice(`using the servers",
    test: OPTIONS,
  },
  {
    name: "keygen: each pair is shown as an application's",
    file: "keys/keygen-command.js",
    find: "name !== null && ROOT_NAME.test(name)",
    replace: "false",
    test: KEYGEN,
  },
  {
    name: "keygen: each name that ends with root is an administrator's",
    file: "keys/keygen-command.js",
    find: "/(^|-)root$/",
    replace: "/root$/",
    test: KEYGEN,
  },
  {
    name: "keygen: the successor of an administrator's key is shown as an application's",
    file: "keys/keygen-command.js",
    find: "/(^|-)root$/",
    replace: "/^root$/",
    test: KEYGEN,
  },
  {
    name: "keygen: the commands to run next do not name the passphrase file",
    file: "keys/keygen-command.js",
    find: "const passphrase = passphraseFile === null",
    replace: "const passphrase = true",
    test: KEYGEN,
  },
  {
    name: "keygen: the commands to run next add the administrator's own key",
    file: "keys/keygen-command.js",
    find: "dbsync keys add public.pem",
    replace: "dbsync keys add root-public.pem",
    test: KEYGEN,
  },
  {
    name: "keygen: the command that adds a key is signed with that key",
    file: "keys/keygen-command.js",
    find: " -k root-private.pem\n  a client",
    replace: " -k private.pem\n  a client",
    test: KEYGEN,
  },
  {
    name: "keygen: a path with spaces is not quoted in the commands to run next",
    file: "keys/keygen-command.js",
    find: "const publicFile = shellWord(paths.publicFile)",
    replace: "const publicFile = paths.publicFile",
    test: KEYGEN,
  },
  {
    name: "clients: a call waits for hung daemons although another one reached no majority",
    file: "client/version-2/undecided-batches.js",
    find: "!WITHOUT_MAJORITY.includes(code) || ",
    replace: "true || ",
    test: UNDECIDED,
  },
  {
    name: "clients: any refusal of one daemon ends a call",
    file: "client/version-2/undecided-batches.js",
    find: "!WITHOUT_MAJORITY.includes(code) || ",
    replace: "",
    test: UNDECIDED,
  },
  {
    name: "clients: a call does not wait for a daemon that decides slowly",
    file: "client/version-2/undecided-batches.js",
    find: " && silent.every(isHung)",
    replace: "",
    test: UNDECIDED,
  },
];
