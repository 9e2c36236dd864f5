/** The check of what a daemon's own key may send to this daemon, while the key is not in the ring. */
import { isMemberListCommand } from "../../../protocol/members/member-list.js";
import { type Envelope, hexOf } from "../../../protocol/version-2/envelope.js";
import { isPatternCommand } from "../../store/key-command.js";
import { type Refused, refused } from "../answers/request.js";

/**
 * Checks that a daemon's own key, which is not in the ring, sends nothing but orders to this daemon. Any other code
 * finds signers in the ring.
 */
export function checkOwnKey({
  envelope,
  listener,
  isRecorded,
}: {
  readonly envelope: Envelope;
  readonly listener: object | null;
  readonly isRecorded: boolean;
}): Refused | null {
  const { key, commands, multi, if: conditions, ifs, after } = envelope;
  const [argv = []] = commands;
  const isPlain = !multi && conditions === null && ifs === null && after === null && !envelope.decide;
  const isOrder = isMemberListCommand(argv) ? !isRecorded : isPatternCommand(argv);
  if (isPlain && listener === null && commands.length === 1 && isOrder) return null;
  return refused(
    "unknown-key",
    `key ${hexOf(key)}, which may send only CLUSTER MEMBERS, DECIDE and UNDECIDE`,
  );
}
