/**
 * Finds the signer of a command of either version, before the rest of the command is parsed. A daemon with keys accepts
 * only commands that one of these keys has signed. A daemon without keys accepts only unsigned commands, and none while
 * its other clients have to log in. Source: docs/protocol-v2.md "Without a key".
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import { NO_KEY, signerOf } from "../../../protocol/version-2/envelope.js";
import type { CommandMessage } from "../../../protocol/version-2/messages-v2.js";
import type { KeyRecord } from "../../store/key-ring.js";
import { type Refused, type Request, refused } from "../answers/request.js";
import type { Signers } from "../trust/signers.js";
import { checkValidity } from "./envelope-checks.js";
import type { PipelineParts } from "./pipeline-parts.js";

/** The signer, null if the command is unsigned and this daemon has no keys, or the refusal. */
export type CommandSigner = KeyRecord | null | Refused;

/** The keys of a daemon, and whether it executes unsigned commands if it has no keys. */
export interface Admission {
  readonly signers: Signers | null;
  readonly acceptsUnsigned: boolean;
}

/**
 * Checks that a signature is present if the daemon has keys, and absent if it has none; and that unsigned commands do
 * not bypass the daemon's users.
 */
export function checkSigned(
  isSigned: boolean,
  { signers, acceptsUnsigned }: Admission,
  what: string,
): Refused | null {
  if (isSigned === (signers !== null))
    return isSigned || acceptsUnsigned ? null : refused("login-required", `unsigned ${what}`);
  return isSigned ? refused("not-due", `signed ${what}`) : refused("unsigned", `unsigned ${what}`);
}

/** Returns the signer of a command of version 1. Such a command does not name its key. */
export function signerOfCommand(
  { text, signature }: Request,
  admission: Admission,
  { environment, observer }: PipelineParts,
): CommandSigner {
  const { signers } = admission;
  const refusal = checkSigned(signature !== null, admission, "command");
  if (refusal !== null || signers === null || signature === null) return refusal;
  const before = environment.uptime();
  const signer = signers.ofCommand(text, signature);
  observer.verified(environment.uptime() - before);
  if (signer === undefined)
    return refused(
      "bad-signature",
      `a signature of ${signature.length} bytes that no key of this daemon made`,
    );
  return checkValidity(signer, environment.clock()) ?? signer;
}

/** Returns the signer of an envelope. Reads only the key's id from the body. @throws MalformedFrame */
export function signerOfEnvelope(
  message: CommandMessage,
  id: ByteString,
  admission: Admission,
  { environment, observer }: PipelineParts,
): CommandSigner {
  const { body, signature } = message;
  const key = signerOf(body);
  // An envelope with the id NO_KEY and a signature counts as signed. It is refused later because no key has that id.
  const { signers } = admission;
  const refusal = checkSigned(key !== NO_KEY || signature.length > 0, admission, "envelope");
  if (refusal !== null || signers === null) return refusal;
  const signer = signers.ring.find(key);
  if (signer === undefined)
    return refused("unknown-key", `key ${Buffer.from(key, "latin1").toString("hex")}`);
  const before = environment.uptime();
  const holds = signers.verify(signer, message, id);
  observer.verified(environment.uptime() - before);
  return holds ? signer : refused("bad-signature", `a signature of ${signature.length} bytes`);
}
