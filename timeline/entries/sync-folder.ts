import { closeSync, fsyncSync, openSync } from "node:fs";

/** Syncs a folder to disk: the name of a new file is on the disk only after its folder. */
export function syncFolder(folder: string): void {
  const descriptor = openSync(folder, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
