/**
 * Compares the keys that a daemon is started with to the keys with which its data folder was created. The timeline
 * begins with the latter, so a start with different keys would produce a different state.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import { MalformedFrame } from "../../../protocol/errors.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import { StartError } from "../../net/process/start-error.js";
import type { Storage } from "../../timeline/entries/storage.js";
import { type Genesis, readGenesis, writeGenesis } from "./cluster-id.js";

/**
 * Records the keys in a new data folder, or compares them with the recorded keys of an existing one.
 * @returns whether the folder is new
 * @throws StartError  they differ; names the commands that change keys
 */
export async function recordGenesis(storage: Storage, genesis: Genesis): Promise<boolean> {
  const bytes = storage.mark("genesis");
  if (bytes === null) {
    storage.put([], [["genesis", Buffer.from(writeGenesis(genesis), "latin1")]]);
    await storage.flushed();
    return true;
  }
  compareGenesis(bytes, genesis);
  return false;
}

/** @param bytes  the recorded keys @throws StartError  they differ */
export function compareGenesis(bytes: Buffer, genesis: Genesis): void {
  const differences = differencesOf(read(bytes), genesis);
  if (differences.length === 0) return;
  throw new StartError(
    `The data folder was created with other keys, which cannot be replaced: ${differences.join("; ")}. ` +
      "Start the daemon with the original keys; add and revoke keys with commands: dbsync keys add FILE, " +
      "dbsync keys revoke ID (KEY ADD, KEY REVOKE).",
    2,
  );
}

function read(bytes: Buffer): Genesis {
  try {
    return readGenesis(bytes);
  } catch (problem) {
    if (!(problem instanceof MalformedFrame)) throw problem;
    throw new StartError(
      "The data folder's record of its original keys is damaged. Restore the folder from a copy, or create a new one.",
      1,
    );
  }
}

/** Returns a phrase for each difference. */
function differencesOf(before: Genesis, now: Genesis): string[] {
  const name = before.name === now.name ? [] : [`--cluster-name was ${before.name}, and is ${now.name} now`];
  return [
    ...name,
    ...keyDifferences("-s", before.applications, now.applications),
    ...keyDifferences("--root-key", before.roots, now.roots),
  ];
}

function keyDifferences(option: string, before: readonly ByteString[], now: readonly ByteString[]): string[] {
  const missing = before
    .filter((id) => !now.includes(id))
    .map((id) => `${option} no longer contains key ${hexOf(id)}`);
  const added = now
    .filter((id) => !before.includes(id))
    .map((id) => `${option} additionally contains key ${hexOf(id)}`);
  return [...missing, ...added];
}
