/** A dead letter as lines of JSON tell it. Pure. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { ToldEnvelope, ToldLetter } from "../../protocol/told-letter.js";
import { hexOf } from "../../protocol/version-2/envelope.js";
import type { Entry } from "../../timeline/entries/entry.js";
import type { Letter } from "./letters-folder.js";

/** Of lists: words of a command, and bytes of a word. */
const WORDS_MOST = 3;
const WORD_BYTES_MOST = 32;

export function toldLetter(letter: Letter, entry: Entry | null, isBrief: boolean): ToldLetter {
  const { place, from, to, reason, state, since, file } = letter;
  const facts = { id: hexOf(place.id), at: place.at, bytes: to - from, reason, state, since, file };
  return { ...facts, envelope: entry === null ? null : toldEnvelope(entry, isBrief) };
}

function toldEnvelope({ envelope }: Entry, isBrief: boolean): ToldEnvelope {
  const { key, as, db, multi, commands } = envelope;
  const brief = commands
    .slice(0, 1)
    .map((argv) => argv.slice(0, WORDS_MOST).map((word) => word.slice(0, WORD_BYTES_MOST)));
  return {
    signer: hexOf(key),
    as: as === null ? null : base64(as),
    db,
    multi,
    conditions: (envelope.if ?? []).map(({ db, key, writer }) => ({
      db,
      key: base64(key),
      writer: hexOf(writer),
    })),
    count: commands.length,
    commands: (isBrief ? brief : commands).map((argv) => argv.map(base64)),
  };
}

const base64 = (bytes: ByteString): string => Buffer.from(bytes, "latin1").toString("base64");
