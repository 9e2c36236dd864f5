/** Determines why a connection ended: the stage, and the observed cause. */
import type { SocketError } from "./client-environment.js";
import type { Stage } from "./errors.js";

/**
 * Returns the stage and the detail of a connection's end.
 * @param error  the error, or null if the other side closed the stream normally
 * @param open   the stage to report if the connection had been established, or null if it had not
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
