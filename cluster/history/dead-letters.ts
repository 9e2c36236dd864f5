/**
 * TIMELINE DEADLETTERS: lists the dead letters in this daemon's data folder, which are acknowledged writes that the
 * daemon had to drop.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { array, bulk, integer, map, NIL, namesAndValues, type Reply } from "../../protocol/reply.js";
import { hexOf, readBody } from "../../protocol/version-2/envelope.js";
import type { KeyRing } from "../../store/key-ring.js";
import type { Letter, LettersFolder } from "../dead-letters/letters-folder.js";
import { readLettersQuery } from "./query.js";
import { shownCommands } from "./unit-report.js";

/**
 * The size in bytes above which a dead letter's commands are not read, because reading from the disk delays clients.
 */
const READ_BYTES_MAX = 64 * 1024;

/** @param folder  the folder of dead letters, or null if there is no data folder @throws CommandFailure */
export function deadLetters(argv: readonly ByteString[], folder: LettersFolder | null, ring: KeyRing): Reply {
  const { from, limit } = readLettersQuery(argv);
  const { letters, unread } = folder?.list() ?? { letters: [], unread: [] };
  const later = letters.filter(({ orderKey }) => orderKey.at >= from);
  const shown = later.slice(0, limit);
  return map(
    namesAndValues({
      unread: integer(unread.length),
      left: integer(later.length - shown.length),
      letters: array(shown.map((letter) => letterReply(letter, folder, ring))),
    }),
  );
}

function letterReply(letter: Letter, folder: LettersFolder | null, ring: KeyRing): Reply {
  const { orderKey, state, since, reason, from, to } = letter;
  const entry = to - from > READ_BYTES_MAX ? null : (folder?.entry(letter) ?? null);
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
      commands: entry === null ? NIL : shownCommands(readBody(entry.body).commands),
    }),
  );
}
