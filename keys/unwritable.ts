/** Describes a file or folder that cannot be written: which one, why, and what to do. */
import { constants } from "node:os";

/** Reasons by the system's error code. */
const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: "no space is left on its disk",
  EDQUOT: "this user's quota on its disk is used up",
  EFBIG: "it is longer than this process may write",
  EROFS: "its disk is mounted read-only",
  EACCES: "this user may not write there",
  EPERM: "this user may not write there",
  ENOENT: "the folder that it would be in is not there",
  ENOTDIR: "what it would be in is no folder",
  EIO: "the disk reports an error, or is full",
};

/** Returns the code and reason of a write that failed, `ENOSPC: no space …`, also where it is the cause of another error; null: it is another error. */
export function writingFailure(problem: unknown): string | null {
  if (!(problem instanceof Error)) return null;
  const code = codeOf((problem as { readonly code?: unknown }).code);
  const reason = REASONS[code];
  return reason === undefined ? writingFailure(problem.cause) : `${code}: ${reason}`;
}

/** LMDB's errors have the system's number instead of a code. */
function codeOf(code: unknown): string {
  if (typeof code !== "number") return typeof code === "string" ? code : "";
  return Object.entries(constants.errno).find(([, number]) => number === code)?.[0] ?? "";
}

/** Returns a message about a file that could not be written and was removed; null: `problem` is another error. */
export function unwritable(path: string, problem: unknown): string | null {
  const reason = writingFailure(problem);
  if (reason === null) return null;
  return `${path} cannot be written (${reason}). Nothing of it was left. Make room there, or name another place, and run the same again`;
}
