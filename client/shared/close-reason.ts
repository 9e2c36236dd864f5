/** The reason why a connection ended: the stage, and what was observed. */
import type { SocketError } from "./environment.js";
import type { Stage } from "./errors.js";

/**
 * @param error  null: the other side closed the stream in the regular way
 * @param open   the stage of a connection that had been made; null: it had not
 */
export function closeReason(
  error: SocketError | null,
  open: Stage | null,
): { readonly stage: Stage; readonly detail: string } {
  if (error?.stage !== undefined) return { stage: error.stage, detail: error.message };
  const detail = error === null ? "" : (error.code ?? error.message);
  const stage = open ?? (error?.syscall?.startsWith("getaddr") ? "dns" : "connect");
  return { stage, detail };
}
