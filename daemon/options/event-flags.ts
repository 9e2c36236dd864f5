/** Redis's letters, which select the key events that clients receive. Source: redis-server 7.0, notify.c. */

/** The letters of the event classes that `A` combines. */
const EVENT_CLASSES = "g$lshzxetd";
/** Letters that `A` does not include. */
const NEW_KEYS = "n";
const MISSED_KEYS = "m";
const MARKS = "KE";
const KNOWN = EVENT_CLASSES + NEW_KEYS + MARKS + MISSED_KEYS;

export interface EventFlags {
  /** The flags as Redis formats them, empty for no events. */
  readonly text: string;
  readonly classes: ReadonlySet<string>;
  /** Whether events are published on the channel of the key, and on the channel of the event. */
  readonly byKey: boolean;
  readonly byEvent: boolean;
}

export const NO_EVENTS = parseEventFlags("");

/** Parses flags. @throws RangeError  with Redis's message */
export function parseEventFlags(text: string): EventFlags {
  const named = new Set(text.replaceAll("A", EVENT_CLASSES));
  if ([...named].some((letter) => !KNOWN.includes(letter)))
    throw new RangeError("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");

  const chosen = (letters: string) => [...letters].filter((letter) => named.has(letter)).join("");
  const classes = chosen(EVENT_CLASSES);
  const shown = classes === EVENT_CLASSES ? "A" : classes + chosen(NEW_KEYS);

  return {
    text: shown + chosen(MARKS) + chosen(MISSED_KEYS),
    classes: new Set(chosen(EVENT_CLASSES + NEW_KEYS + MISSED_KEYS)),
    byKey: named.has("K"),
    byEvent: named.has("E"),
  };
}
