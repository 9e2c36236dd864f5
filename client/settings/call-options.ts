/** Checks the options of one call and applies the defaults. */
import { isTraceparent } from "../../protocol/version-2/traceparent.js";
import { badOption, badSecret, DbsyncError } from "../shared/errors.js";
import type { Form } from "../shared/outcome.js";
import type { CallPolicy, Policy } from "../shared/policy.js";
import { ALLOWED_VALUES, atMostServers, unknownOption } from "./allowed-values.js";
import { POLICIES, STABLE_TIMEOUT_MS, TIMEOUT_MS_MAX } from "./call-limits.js";
import {
  type EnvelopeOptions,
  HEADER_CHECKS,
  type HeaderOptions,
  readHeaderOptions,
} from "./header-options.js";

export interface CallOptions extends HeaderOptions {
  /** Milliseconds until the call fails, 1 to 20,000; default 3,000. See also `stable`. */
  readonly timeout?: number | undefined;
  /**
   * Selects the answers that determine the result. The default is `first`, the first successful answer; with conditions
   * (`if`) it is the outcome that more than half of the servers report. See policy.ts.
   */
  readonly policy?: Policy | undefined;
  /**
   * The `traceparent` of W3C Trace Context, 55 characters, which the daemons' slow logs show. Daemons that do not
   * support it do not receive it.
   */
  readonly traceparent?: string | undefined;
  /**
   * Aborts the call, as with `fetch`: it then fails with `aborted`, whose `cause` is the signal's reason. Its `effect`
   * states whether daemons may have applied it.
   */
  readonly signal?: AbortSignal | undefined;
}

/** The options of `call` and `multi`. */
export interface TypedCallOptions extends CallOptions {
  /** Whether strings of the reply are Buffers; default false. */
  readonly buffers?: boolean | undefined;
}

/** The settings that may differ between calls on the same connections. `envelope` is null for most calls. */
export interface CallSettings {
  readonly timeout: number;
  readonly policy: CallPolicy;
  readonly format: Form;
  readonly envelope: EnvelopeOptions | null;
  readonly buffers: boolean;
  /** The trace context, or null if the call is not traced. */
  readonly traceparent: string | null;
  /** The signal that aborts the call, or null if there is none. */
  readonly signal: AbortSignal | null;
}

/** Functions that check whether an option may have a value. */
export type Checks = Readonly<Record<string, (value: unknown) => boolean>>;

export const CALL_CHECKS = {
  timeout: (value) => typeof value === "number" && value >= 1 && value <= STABLE_TIMEOUT_MS,
  policy: (value) => POLICIES.includes(value) || (Number.isSafeInteger(value) && Number(value) >= 1),
  buffers: (value) => typeof value === "boolean",
  traceparent: isTraceparent,
  signal: isAbortSignal,
  ...HEADER_CHECKS,
} satisfies Record<keyof TypedCallOptions, (value: unknown) => boolean>;

const CALL_OPTIONS: readonly string[] = Object.keys(CALL_CHECKS);

/**
 * Returns the settings of one call. Those that `options` does not contain come from `base`.
 * @throws DbsyncError `bad-option`
 */
export function readCallOptions(
  options: TypedCallOptions,
  base: CallSettings & { readonly servers: readonly unknown[] },
): CallSettings {
  // The value may be an argument of a command, which messages must not show.
  if (typeof options !== "object" || options === null) throw badSecret("options", ALLOWED_VALUES.callOptions);
  checkOptions(options, CALL_OPTIONS, CALL_CHECKS);

  return {
    timeout: timeoutFor(options, base.timeout),
    policy: options.policy === undefined ? base.policy : policyFor(options.policy, base.servers),
    format: base.format,
    envelope: readHeaderOptions(options, base.envelope),
    buffers: options.buffers ?? false,
    traceparent: options.traceparent ?? base.traceparent,
    signal: options.signal ?? base.signal,
  };
}

/** Whether a value is an AbortSignal, possibly one of another realm or of a polyfill. */
function isAbortSignal(value: unknown): value is AbortSignal {
  const { aborted, addEventListener } = (value ?? {}) as Partial<AbortSignal>;
  return typeof aborted === "boolean" && typeof addEventListener === "function";
}

export function timeoutFor({ timeout, stable }: CallOptions, usual: number): number {
  if (stable) return timeout ?? STABLE_TIMEOUT_MS;
  if (timeout !== undefined && timeout > TIMEOUT_MS_MAX)
    throw badOption("timeout", timeout, ALLOWED_VALUES.timeout);
  return timeout ?? usual;
}

export function policyFor(policy: CallPolicy, servers: readonly unknown[]): CallPolicy {
  if (typeof policy === "number" && policy > servers.length)
    throw badOption("policy", policy, atMostServers(servers.length));
  return policy;
}

/**
 * Checks the names and values of options.
 * @param secrets  options whose values errors must not show.
 * @throws DbsyncError `bad-option`
 */
export function checkOptions(
  options: object,
  names: readonly string[],
  checks: Checks,
  secrets: readonly string[] = [],
): void {
  if (typeof options !== "object" || options === null)
    throw badOption("options", options, ALLOWED_VALUES.options);
  for (const [name, value] of Object.entries(options)) {
    if (!names.includes(name))
      throw new DbsyncError("bad-option", `${JSON.stringify(name)} ${unknownOption(name, names)}`);
    if (value === undefined || (checks[name]?.(value) ?? true)) continue;
    const allowed = ALLOWED_VALUES[name as keyof typeof ALLOWED_VALUES];
    throw secrets.includes(name) ? badSecret(name, allowed) : badOption(name, value, allowed);
  }
}
