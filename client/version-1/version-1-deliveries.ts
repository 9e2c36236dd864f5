/**
 * Sends the calls of a batch individually to a daemon that speaks version 1, so that in a mixed fleet each daemon
 * receives the version that it supports. A call is signed as version 1 only when such a daemon needs it, because most
 * fleets have no such daemon.
 */
import { publishDelivery } from "../calls/diagnostics-channels.js";
import type { PendingCall } from "../calls/pending-call.js";
import type { Sending } from "../calls/sending.js";
import type { Version1Path } from "../calls/version-1-sending.js";
import { frameOf, type Signer } from "../settings/signing-key.js";
import type { Environment } from "../shared/client-environment.js";
import { type CommandInput, textArguments } from "../shared/command-input.js";
import { DbsyncError } from "../shared/errors.js";
import type { Failure, Report } from "../shared/outcome.js";
import type { Address } from "../shared/server-list.js";
import type { Pool } from "./connection-pool.js";
import type { Delivery, Sender } from "./delivery.js";

/** The version 1 deliveries to one daemon, through its pool. */
export class Version1Deliveries implements Version1Path {
  readonly #pool: Pool;
  readonly #sign: Signer | null;
  readonly #hasKey: boolean;
  readonly #environment: Environment;

  /** Creates the deliveries to one daemon. @param sign  null if there is no key or version 1 does not support it */
  constructor(pool: Pool, sign: Signer | null, hasKey: boolean, environment: Environment) {
    this.#pool = pool;
    this.#sign = sign;
    this.#hasKey = hasKey;
    this.#environment = environment;
  }

  get isEmpty(): boolean {
    return this.#pool.isEmpty;
  }

  isBackingOff(now: number): boolean {
    return this.#pool.isBackingOff(now);
  }

  deliver(sending: Sending, call: PendingCall, ended: () => void, insist: boolean): Failure | null {
    const sign = this.#sign;
    const now = this.#environment.now();
    const problem = unsendable(call, !this.#hasKey || sign !== null);
    if (problem !== null) return failure(problem, now);
    try {
      const delivery = version1Delivery({ call, address: sending.address, sign, ended });
      sending.deliveries?.push(delivery);
      this.#pool.offer(delivery, now, insist);
      return null;
    } catch (error) {
      return failure(reasonOf(error), now);
    }
  }
}

const failure = (detail: string, at: number): Failure => ({
  ...({ ok: false, stage: "version-1" } as const),
  detail,
  written: false,
  at,
});

/**
 * Returns the reason why version 1 does not support a call, or null if it does.
 * @param isKnown  whether version 1 supports the key, if there is one
 */
function unsendable(call: PendingCall, isKnown: boolean): string | null {
  if (call.settings.envelope?.multi) return "multi";
  if (call.settings.envelope !== null) return "db, if, after, only, stable, replicated";
  return isKnown ? null : "it supports only RSA keys";
}

/**
 * Creates the version 1 delivery of a call.
 * @param ended  called once, when the daemon has answered or failed
 * @throws DbsyncError `bad-command`: version 1 cannot encode the command
 */
function version1Delivery(parts: {
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
    startSequence: call.startSequence,
    get settleSequence() {
      return call.settleSequence;
    },
    end(delivery, report) {
      delivery.report ??= report;
      publishDelivery(delivery);
      ended(delivery.report);
    },
  };
  return { call: sender, address, bytes: frame.length, writtenAt: -1, report: null };
}

/** Returns the message of a `bad-command` error, and throws any other error again. */
function reasonOf(error: unknown): string {
  if (error instanceof DbsyncError && error.code === "bad-command") return error.message;
  throw error;
}
