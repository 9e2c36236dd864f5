/** Mutants of the rules for what users of clients and examples receive: arguments, keys and requests of the chat. */
import type { Mutant } from "./mutant.js";

const KEY_FILES = "test/keys/unusable-files.test.js";
const CERTIFICATES = "test/keys/certificate.test.js";

export const clientMutants: readonly Mutant[] = [
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
