/**
 * Checks envelopes on whose units the members of a list decide: what one member accepts, all of them must be able to
 * evaluate, in one step. Source: docs/member-protocol.md "Decisions".
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { SHARING_NAME } from "../../../protocol/implicit-condition.js";
import {
  conditionsOf,
  DECIDED_BYTES_MAX,
  type Envelope,
  unitsIn,
} from "../../../protocol/version-2/envelope.js";
import { isPatternCommand } from "../../store/key-command.js";
import { isKeyCommand } from "../../store/key-ring.js";
import { type Refused, refused } from "../answers/request.js";

/**
 * Checks an envelope with `decide`.
 * @param bytes  the length of its body
 * @param audience  whether the members of a list decide units
 */
export function checkDecided(
  envelope: Envelope,
  bytes: number,
  { decides }: { readonly decides: boolean },
): Refused | null {
  if (!decides) return refused("cannot-decide", "no list of members is in force");
  // The other members would refuse it, and no keeper could propose anything else until its date is too old.
  if (envelope.only !== null) return refused("malformed", "a decision is requested of one daemon only");
  if (envelope.commands.some(isKeyCommand)) return checkPatternUnit(envelope);
  return unitsIn(envelope).length > 1 ? checkSeveral(envelope, bytes) : null;
}

/** Checks a unit for the key ring: members decide only on the patterns of decided keys, on each separately. */
export function checkPatternUnit(envelope: Envelope): Refused | null {
  const { commands, multi } = envelope;
  const isForPatterns =
    commands.length === 1 && !multi && isPatternCommand(commands[0] as readonly ByteString[]);
  if (isForPatterns && conditionsOf(envelope, 0) === null) return null;
  return refused("malformed", "a decision is requested on keys");
}

function checkSeveral({ commands }: Envelope, bytes: number): Refused | null {
  const several = 'several units with "decide"';
  if (bytes > DECIDED_BYTES_MAX)
    return refused("malformed", `${bytes} bytes of ${several}, more than ${DECIDED_BYTES_MAX}`);
  const alone = commands.find(([name = ""]) => !SHARING_NAME.test(name));
  return alone === undefined ? null : refused("malformed", `${shown(alone)} among ${several}`);
}

const shown = ([name = ""]: readonly ByteString[]): string => JSON.stringify(name.slice(0, 20).toUpperCase());
