import { closeSync, fsyncSync, openSync } from "node:fs";

/** Syncs a folder to disk. Only then do the names of new files in it survive a power failure. */
export function syncFolder(folder: string): void {
  const descriptor = openSync(folder, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
