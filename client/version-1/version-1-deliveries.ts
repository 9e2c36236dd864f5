/**
 * Calls of a batch on their way to a daemon that speaks version 1, one by one: in a mixed fleet each daemon gets what it
 * understands. Their signatures are made only here, since most fleets need none of them.
 */
import type { Delivery, Sender } from "../calls/call.js";
import { publishDelivery } from "../calls/channels.js";
import type { PendingCall } from "../calls/pending-call.js";
import { frameOf, type Signer } from "../settings/signing-key.js";
import { type CommandInput, textArguments } from "../shared/command.js";
import { DbsyncError } from "../shared/errors.js";
import type { Report } from "../shared/outcome.js";
import type { Address } from "../shared/servers.js";

/** Why version 1 cannot carry a call at all, or null. */
export function unsendable(call: PendingCall, sign: Signer | null): string | null {
  if (call.settings.envelope?.multi) return "multi";
  if (call.settings.envelope !== null) return "db, if, after, only, stable, replicated";
  return sign === null ? "it takes RSA keys only" : null;
}

/**
 * A call's delivery by version 1.
 * @param ended  called once, when the daemon has answered or failed
 * @throws DbsyncError `bad-command`: version 1 has no bytes for it
 */
export function version1Delivery(parts: {
  call: PendingCall;
  address: Address;
  sign: Signer | null;
  ended: (report: Report) => void;
}): Delivery {
  const { call, address, sign, ended } = parts;
  const frame = frameOf(textArguments(call.inputs as CommandInput), sign);
  const sender: Sender = {
    frame,
    deadline: call.deadline,
    startedMoment: call.startedMoment,
    get settledMoment() {
      return call.settledMoment;
    },
    end(delivery, report) {
      delivery.report ??= report;
      publishDelivery(delivery);
      ended(delivery.report);
    },
  };
  return { call: sender, address, bytes: frame.length, writtenAt: -1, report: null };
}

/** What is said of a daemon that cannot be sent a call. */
export function versionFailure(detail: string, now: number): Report {
  return { ok: false, stage: "version-1", detail, written: false, at: now };
}

/** @returns the reason, if that is what the error is about */
export function reasonOf(error: unknown): string {
  if (error instanceof DbsyncError && error.code === "bad-command") return error.message;
  throw error;
}
