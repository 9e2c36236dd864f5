/**
 * Publishes outcomes, versions and calls on Node's diagnostics_channel. Without a subscriber no message is created.
 * README.md documents the channels.
 */
import { channel, tracingChannel } from "node:diagnostics_channel";
import { hexOf } from "../../protocol/version-2/envelope.js";
import type { Stage } from "../shared/errors.js";
import type { Report } from "../shared/outcome.js";
import type { Address } from "../shared/server-list.js";
import type { Sending } from "./sending.js";

const outcomes = channel("dbsync:outcome");
const versions = channel("dbsync:version");
const calls = tracingChannel<unknown, CallMessage>("dbsync:call");

/** One call of a client, from its start to its result. All events of `dbsync:call` share the object. */
export interface CallMessage {
  /** The command's name and its first key, as in errors. It never contains a value. */
  readonly command: string;
  /** The addresses, as in the list of servers. */
  readonly servers: readonly string[];
  /** The result of the call, or its error: set before `asyncStart`. */
  readonly result?: unknown;
  readonly error?: unknown;
  /**
   * The call's trace context. A subscriber to `start` may set it to the `traceparent` of its span, unless the call has
   * the option. A value that is not in the form of W3C Trace Context is ignored.
   */
  traceparent?: string | undefined;
}

/** The message published when a daemon has answered an envelope or a version 1 command, or has failed. */
export interface OutcomeMessage {
  readonly address: string;
  readonly version: 1 | 2;
  readonly status: "ok" | "failed";
  /** The stage at which the daemon failed; absent for `ok`. */
  readonly stage?: Stage;
  readonly detail?: string;
  readonly effect?: "not-applied" | "unknown";
  /** The number of commands that were signed together. */
  readonly commands: number;
  /** Milliseconds from the last write to the outcome, or null if the command was never written. */
  readonly ms: number | null;
  /** The id of the envelope, hexadecimal digits; null in version 1. */
  readonly id: string | null;
}

/** The message published when the client learns a daemon's version. */
export interface VersionMessage {
  readonly address: string;
  readonly version: 1 | 2;
}

/** Whether calls are traced. Only then do they create messages. */
export const isTraced = (): boolean => calls.hasSubscribers;

/** Runs a call between the events of `dbsync:call`. */
export function tracedCall<Result>(message: CallMessage, run: () => Promise<Result>): Promise<Result> {
  return calls.tracePromise(run, message);
}

export function publishOutcome(sending: Sending, now: number): void {
  // For a version 1 daemon, the outcome of each delivery has already been published.
  if (!outcomes.hasSubscribers || sending.deliveries !== null) return;

  const { address, batch, failure, writtenAt } = sending;
  const { envelope, units } = batch;
  const message: OutcomeMessage = {
    address: address.text,
    version: 2,
    ...outcomeFields(failure),
    commands: units,
    ms: writtenAt < 0 ? null : now - writtenAt,
    id: envelope === null ? null : hexOf(envelope.id),
  };
  outcomes.publish(message);
}

export function publishDelivery(of: {
  readonly address: Address;
  readonly report: Report | null;
  readonly writtenAt: number;
}): void {
  const { address, report, writtenAt } = of;
  if (!outcomes.hasSubscribers || report === null) return;
  const ms = writtenAt < 0 ? null : report.at - writtenAt;
  const fields = outcomeFields(report.ok ? null : report);
  const message: OutcomeMessage = { address: address.text, version: 1, ...fields, commands: 1, ms, id: null };
  outcomes.publish(message);
}

export function publishVersion(address: string, version: 1 | 2): void {
  if (!versions.hasSubscribers) return;
  const message: VersionMessage = { address, version };
  versions.publish(message);
}

function outcomeFields(failure: Exclude<Report, { ok: true }> | null) {
  if (failure === null) return { status: "ok" } as const;
  const { stage, detail, written } = failure;
  return { status: "failed", stage, detail, effect: written ? "unknown" : "not-applied" } as const;
}
