/** Describes a file or folder that cannot be written: which one, the reason, and the remedy. */
import { constants } from "node:os";

/** The reasons by the system's error code. */
const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: "no space is left on its disk",
  EDQUOT: "this user's quota on its disk is exhausted",
  EFBIG: "it is larger than this process may write",
  EROFS: "its disk is mounted read-only",
  EACCES: "this user may not write there",
  EPERM: "this user may not write there",
  ENOENT: "its folder does not exist",
  ENOTDIR: "a part of its path is not a folder",
  EIO: "the disk reports an error, or is full",
};

/**
 * Returns the system's error code of a failed write, such as `ENOSPC`, even if the failed write is the cause of another
 * error. Returns null for all other errors.
 */
export function writingFailureCode(problem: unknown): string | null {
  if (!(problem instanceof Error)) return null;
  const code = codeOf((problem as { readonly code?: unknown }).code);
  return REASONS[code] === undefined ? writingFailureCode(problem.cause) : code;
}

/** Returns the code and reason of a failed write, such as `ENOSPC: no space …`, or null for all other errors. */
export function writingFailure(problem: unknown): string | null {
  const code = writingFailureCode(problem);
  return code === null ? null : `${code}: ${REASONS[code]}`;
}

/** Returns the system's error code. LMDB's errors have the system's number instead. */
function codeOf(code: unknown): string {
  if (typeof code !== "number") return typeof code === "string" ? code : "";
  return Object.entries(constants.errno).find(([, number]) => number === code)?.[0] ?? "";
}

/** Returns a message about a file that could not be written and was removed, or null if `problem` is another error. */
export function unwritable(path: string, problem: unknown): string | null {
  const reason = writingFailure(problem);
  if (reason === null) return null;
  return `${path} cannot be written (${reason}). The partial file was removed. Free space there, or choose another path, and run the command again`;
}
