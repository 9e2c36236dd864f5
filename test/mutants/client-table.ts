/** Mutants of the rules for what users of clients and examples receive: arguments, keys and requests of the chat. */
import type { Mutant } from "./mutant.js";

const ARGUMENTS = "test/client/shared/command-bytes.test.js";
const KEY_FILES = "test/keys/key-file.unusable.test.js";
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
];
