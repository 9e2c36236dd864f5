/** Loads the files of -s and --root-key into the initial key ring of a daemon. */
import type { KeyObject } from "node:crypto";
import type { Logger } from "pino";
import { KeyFileError } from "../../../keys/key-file-errors.js";
import { loadPublicKeys } from "../../../keys/key-set.js";
import { type ByteString, bytesOf, bytesOfText } from "../../../protocol/byte-string.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import { StartError, UnusableFile } from "../../net/process/service.js";
import type { Settings } from "../../options/settings.js";
import { CommandFailure } from "../../store/arguments/command-errors.js";
import { KeyRing } from "../../store/key-ring.js";
import { checkedLabel } from "../../store/rights/key-record.js";
import { SEMANTICS, type Semantics } from "../../store/semantics.js";
import { hashOf } from "./identity.js";
import { Signers } from "./signers.js";

export type KeySettings = Pick<Settings, "signKey" | "rootKey" | "clusterName">;

interface FileKey {
  readonly id: ByteString;
  readonly key: KeyObject;
  readonly file: string;
}

/**
 * @param known  the known versions of the commands' semantics
 * @throws StartError  a file cannot be used; states the cure
 */
export function loadSigners(
  { signKey, rootKey, clusterName }: KeySettings,
  log: Logger,
  known: Semantics = SEMANTICS,
): Signers {
  const applications = loadFiles("-s", signKey, log);
  const roots = loadFiles("--root-key", rootKey, log);

  const makeRing = () => {
    const ring = new KeyRing({ hash: (bytes) => hashOf(Buffer.from(bytes, "latin1")), known });
    for (const { key, file } of inOrder(applications)) addGenesis(ring, "application", key, file);
    for (const { key, file } of inOrder(roots)) addGenesis(ring, "root", key, file);
    return ring;
  };

  const ids = (keys: readonly FileKey[]) => keys.map(({ id }) => id);
  const genesis = { name: clusterName, applications: ids(applications), roots: ids(roots) };
  const signers = new Signers({ genesis, makeRing, applications });
  for (const { id, role } of signers.ring.all()) {
    const { file } = [...applications, ...roots].find((other) => other.id === id) as FileKey;
    log.info({ file, fingerprint: hexOf(id), role }, "key accepted");
  }
  return signers;
}

/**
 * Reads the files again while the daemon runs.
 * @returns the current signers, if the files still contain the same keys
 * @throws StartError  the files contain other keys, which cannot be used now; states the cures
 */
export function loadSignersAgain(
  before: Signers,
  settings: KeySettings & { readonly hasTimeline: boolean },
  log: Logger,
): Signers {
  const signers = loadSigners(settings, log);
  if (before.cluster === signers.cluster) return before;

  if (settings.hasTimeline)
    throw new StartError(
      "sign-key, root-key: the files have changed, but a timeline keeps the keys that it was created with. Restore the old files, " +
        "and change keys with dbsync keys add and dbsync keys revoke (KEY ADD, KEY REVOKE).",
      2,
    );
  if (before.haveChanged)
    throw new StartError(
      "sign-key, root-key: the files have changed, but KEY commands have also changed the keys, and those changes would be lost. " +
        "Change keys with KEY ADD and KEY REVOKE.",
      2,
    );

  log.warn(
    { before: hexOf(before.cluster), now: hexOf(signers.cluster) },
    "the new keys form a new cluster: clients that use the old one are refused",
  );
  return signers;
}

/**
 * Sorts keys by id, so that their order is the same on every daemon, whatever the files are called. The order is part
 * of the state.
 */
const inOrder = (keys: readonly FileKey[]): FileKey[] => [...keys].sort((a, b) => (a.id < b.id ? -1 : 1));

function loadFiles(option: string, paths: readonly string[], log: Logger): FileKey[] {
  if (paths.length === 0) return [];
  try {
    const { keys, warnings } = loadPublicKeys(paths, { kinds: ["rsa", "ed25519"] });
    for (const warning of warnings) log.warn(warning);
    return keys.map(({ key, fingerprint, file }) => ({
      id: bytesOf(Buffer.from(fingerprint, "hex")),
      key,
      file,
    }));
  } catch (problem) {
    if (problem instanceof KeyFileError) throw new UnusableFile(`${option}: ${problem.message}`, 1);
    throw problem;
  }
}

function addGenesis(ring: KeyRing, role: "application" | "root", key: KeyObject, file: string): void {
  const label = orStartError(file, "Rename the file: the label is its name.", () =>
    checkedLabel(bytesOfText(labelOf(file))),
  );
  const spki = bytesOf(key.export({ type: "spki", format: "der" }));
  const cure = ring.isFull
    ? "Remove the files of keys that are not in use."
    : "Specify it in -s or in --root-key, not in both.";
  orStartError(file, cure, () => ring.addGenesis(role, spki, label));
}

/** @param cure what an administrator does if `run` throws a CommandFailure @throws StartError */
function orStartError<Result>(file: string, cure: string, run: () => Result): Result {
  try {
    return run();
  } catch (problem) {
    if (!(problem instanceof CommandFailure)) throw problem;
    const reason = problem.reply.text.replace(/^ERR /, "");
    throw new StartError(`${file}: ${reason}. ${cure}`, 2);
  }
}

/** Derives a label from a file name: `keys/web-public.pem` → `web-public`. */
function labelOf(file: string): string {
  return file.replace(/^.*[/\\]/, "").replace(/\.pem$/i, "");
}
