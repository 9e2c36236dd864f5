/**
 * Notifies systemd that a program serves, where the unit waits for that (Type=notify). Node has no sockets of the
 * kind that systemd listens on; systemd's own program has. docs/decisions/0033 lists the alternatives.
 */
import { execFile } from "node:child_process";
import type { Logger } from "pino";

/** systemd answers in milliseconds. */
const ANSWER_MS = 30_000;

/** To be called once all listens. Without systemd it does nothing. */
export function notifyReady(log: Logger): void {
  if ((process.env["NOTIFY_SOCKET"] ?? "") === "") return;
  execFile("systemd-notify", ["--ready"], { timeout: ANSWER_MS }, (problem) => {
    if (problem === null) return;
    log.warn(
      { reason: problem.message },
      "could not notify systemd that this program is ready; if its unit has Type=notify, systemd goes on waiting: use Type=exec",
    );
  });
}
