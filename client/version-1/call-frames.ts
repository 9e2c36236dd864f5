import type { PendingCall } from "../calls/pending-call.js";
import type { CallSettings } from "../settings/call-options.js";
import { frameOf, type Signer, textOf } from "../settings/signing-key.js";
import { textArguments } from "../shared/command-bytes.js";
import type { CommandInput } from "../shared/command-input.js";
import { commandLabel, commandsLabel } from "../shared/command-labels.js";
import { DbsyncError, needsVersion2 } from "../shared/errors.js";

const ONLY_RSA = "supports only RSA keys";

/** The frames of a client's calls. A call is signed once, and every daemon receives the same bytes. */
export class CallFrames {
  /** Null if there is no key, or if version 1 does not support it. */
  readonly #sign: Signer | null;
  readonly #isUnsupported: boolean;
  readonly #frames = new WeakMap<PendingCall, Buffer>();

  constructor(sign: Signer | null, hasKey: boolean) {
    this.#sign = sign;
    this.#isUnsupported = hasKey && sign === null;
  }

  /** @throws DbsyncError `bad-command`, `bad-key`: version 1 does not support the call */
  check(inputs: PendingCall["inputs"], { envelope }: CallSettings): void {
    const command = inputs as CommandInput;
    if (envelope?.multi) throw needsVersion2(commandsLabel(inputs as readonly CommandInput[]));
    if (envelope !== null) throw needsVersion2(commandLabel(command));
    if (this.#isUnsupported)
      throw new DbsyncError("bad-key", `every daemon speaks version 1, which ${ONLY_RSA}`);
    textOf(textArguments(command), command);
  }

  /** Returns the frame of a call, or the reason why version 1 does not support the call. */
  of(call: PendingCall): Buffer | string {
    if (call.settings.envelope?.multi) return "multi";
    if (call.settings.envelope !== null) return "db, if, after, only, stable, replicated";
    if (this.#isUnsupported) return `it ${ONLY_RSA}`;

    try {
      // Version 1 has only texts as replies, so it does not support a call that forwards them unchanged.
      const command = call.shape === "reply" ? [] : (call.inputs as CommandInput);
      const frame = this.#frames.get(call) ?? frameOf(textArguments(command), this.#sign);
      this.#frames.set(call, frame);
      return frame;
    } catch (error) {
      if (error instanceof DbsyncError && error.code === "bad-command") return error.message;
      throw error;
    }
  }
}
