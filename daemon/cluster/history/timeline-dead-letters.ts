/**
 * TIMELINE DEADLETTERS: lists the dead letters in this daemon's data folder, which are acknowledged writes that the
 * daemon had to drop.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { array, bulk, integer, map, NIL, namesAndValues, type Reply } from "../../../protocol/reply.js";
import { readEntryBody } from "../../../protocol/version-2/decision-body.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import type { KeyRing } from "../../store/key-ring.js";
import type { DeadLetter, DeadLetterFolder } from "../dead-letters/dead-letter-folder.js";
import { readDeadLettersQuery } from "./timeline-arguments.js";
import { shownCommands } from "./unit-report.js";

/**
 * The size in bytes above which a dead letter's commands are not read, because reading from the disk delays clients.
 */
const READ_BYTES_MAX = 64 * 1024;

/** @param folder  the folder of dead letters, or null if there is no data folder @throws CommandFailure */
export function deadLettersReply(
  argv: readonly ByteString[],
  folder: DeadLetterFolder | null,
  ring: KeyRing,
): Reply {
  const { from, limit } = readDeadLettersQuery(argv);
  const { deadLetters, unread } = folder?.list() ?? { deadLetters: [], unread: [] };
  const later = deadLetters.filter(({ orderKey }) => orderKey.at >= from);
  const shown = later.slice(0, limit);
  return map(
    namesAndValues({
      unread: integer(unread.length),
      left: integer(later.length - shown.length),
      letters: array(shown.map((deadLetter) => deadLetterReply(deadLetter, folder, ring))),
    }),
  );
}

function deadLetterReply(deadLetter: DeadLetter, folder: DeadLetterFolder | null, ring: KeyRing): Reply {
  const { orderKey, state, since, reason, from, to } = deadLetter;
  const entry = to - from > READ_BYTES_MAX ? null : (folder?.entry(deadLetter) ?? null);
  return map(
    namesAndValues({
      at: integer(orderKey.at),
      id: bulk(hexOf(orderKey.id)),
      state: bulk(state),
      since: since === null ? NIL : integer(Math.floor(since)),
      reason: bulk(reason),
      bytes: integer(to - from),
      signer: entry === null ? NIL : bulk(hexOf(entry.envelope.key)),
      label: bulk(entry === null ? "" : (ring.find(entry.envelope.key)?.label ?? "")),
      db: entry === null ? NIL : integer(entry.envelope.db),
      commands: entry === null ? NIL : shownCommands(readEntryBody(entry.body).commands),
    }),
  );
}
