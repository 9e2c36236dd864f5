/**
 * Handles a command of version 1. Its signature is verified before the command is parsed, and then its permission is
 * checked. The command is applied here, or signed and recorded by the gateway.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import { integer, type Reply } from "../../../protocol/reply.js";
import { splitCommand } from "../../../protocol/version-1/command-v1.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import { missingCode } from "../../store/family-code.js";
import type { KeyRecord } from "../../store/key-ring.js";
import type { UnitClient } from "../../store/keyspace/unit.js";
import { isDenied } from "../../store/unit-permission.js";
import { type Answer, type Refused, type Request, refused } from "../answers/request.js";
import { whenSafe } from "../answers/safe-answers.js";
import type { LastWrite } from "../backends/command-path.js";
import { messageOf } from "../channels/channels.js";
import type { Signers } from "../trust/signers.js";
import { isForAdministrators } from "./apply-units.js";
import { type Admission, signerOfCommand } from "./envelope-checks.js";
import type { PipelineParts } from "./pipeline-parts.js";

/**
 * Maximum number of arguments, as in Redis before 7.0. A frame of 64 MiB could contain 32 million arguments, which
 * would need far more memory than the frame.
 */
const MAX_ARGUMENTS = 1024 * 1024;

/** The client of version 1 that waits for the answer to a command. */
export interface Version1Client extends UnitClient {
  readonly lastWrite: LastWrite;
}

/**
 * Handles a request. Returns the answer itself if all databases answer in this turn, because a promise would cost more
 * than executing a command in memory.
 */
export function handleVersion1(
  request: Request,
  admission: Admission,
  parts: PipelineParts,
  client: Version1Client,
): Answer | Promise<Answer> {
  const signer = signerOfCommand(request, admission, parts);
  if (signer !== null && "kind" in signer) return signer;
  if (hasTooManyArguments(request.text)) return refused("too-many-arguments", `over ${MAX_ARGUMENTS}`);
  const argv = splitCommand(request.text);
  if (argv.length === 0) return refused("empty-command", "only spaces");
  const missing = missingCode([argv]);
  if (missing !== null) return refused("semantics-unknown", missing);
  return execute(argv, { signer, client }, admission, parts);
}

function execute(
  argv: readonly ByteString[],
  { signer, client }: { readonly signer: KeyRecord | null; readonly client: Version1Client },
  admission: Admission,
  parts: PipelineParts,
): Answer | Promise<Answer> {
  const { databases, recording, memory, broadcasts = null } = parts;
  const denial = authorize(argv, signer, admission.signers);
  if (denial !== null) return denial;

  const message = broadcasts === null ? null : messageOf(argv);
  if (message !== null && broadcasts !== null)
    return { kind: "replies", replies: [integer(broadcasts.channels.publish(message))] };

  const full = memory.refusal([argv]);
  if (full !== null) return full;

  const recorded = recording.execute(argv, signer === null ? null : hexOf(signer.id), client.lastWrite);
  if (recorded !== null) return recorded.then((answer) => answerOf(argv, answer));

  const read = databases.executeInTurn(argv, { ...recording.localUnits.next(0), client });
  return whenSafe(recording, read, (reason) => refused("storage-failed", reason));
}

function authorize(
  argv: readonly ByteString[],
  signer: KeyRecord | null,
  signers: Signers | null,
): Refused | null {
  // Administrators' commands need version 2, because in version 1 there are no rules, and commands can be replayed at
  // any time.
  if (isForAdministrators(argv)) return refused("not-permitted", `${argv[0]}: version 2 only`);
  if (signer === null || signers === null) return null;
  const denial = signers.ring.judge(signer, [argv], { conditions: null });
  // Report only denials here, because the database reports all other errors.
  return denial === null || !isDenied(denial) ? null : refused("not-permitted", denial.text);
}

function answerOf(argv: readonly ByteString[], answer: Reply | Refused): Answer {
  if (answer.kind === "refused") return refused(answer.code, answer.detail);
  if (answer.kind === "error") return refused("command-error", `${argv[0]}: ${answer.text}`);
  return { kind: "replies", replies: [answer] };
}

function hasTooManyArguments(text: Buffer): boolean {
  if (text.length <= 2 * MAX_ARGUMENTS) return false;
  let blanks = 0;
  for (let at = text.indexOf(" "); at >= 0; at = text.indexOf(" ", at + 1)) blanks++;
  return blanks >= MAX_ARGUMENTS;
}
