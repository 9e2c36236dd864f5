/**
 * Notifies systemd that a program is ready, if its unit waits for that (Type=notify). Node does not support the type of
 * socket that systemd listens on, so this module runs systemd's own program, which exists wherever systemd does. A module
 * in C would have to be compiled. The program waits until systemd has received the message, and is a separate process, so
 * the unit needs NotifyAccess=all.
 */
import { execFile } from "node:child_process";
import type { Logger } from "pino";

/** The timeout for systemd, which answers within milliseconds. */
const ANSWER_MS = 30_000;

/** Notifies systemd. It must be called when all listeners have started. Without systemd it does nothing. */
export function notifyReady(log: Logger): void {
  if ((process.env["NOTIFY_SOCKET"] ?? "") === "") return;
  execFile("systemd-notify", ["--ready"], { timeout: ANSWER_MS }, (problem) => {
    if (problem === null) return;
    log.warn(
      { reason: problem.message },
      "could not notify systemd that this program is ready; if its unit has Type=notify, systemd continues to wait: use Type=exec",
    );
  });
}
