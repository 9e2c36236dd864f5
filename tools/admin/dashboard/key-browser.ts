/** Shows keys, values and the histories of keys. Loads one page at a time, so that no request keeps the daemon busy. */

import { bytesText, countOf, countText, spanText } from "../../../protocol/figures/amount-texts.js";
import { byId, type Cell, fillTable, setText } from "./elements.js";
import {
  commandsText,
  dateOf,
  fieldsOf,
  itemsOf,
  reasonText,
  type SignedReply,
  type SigningClient,
  shortId,
  shown,
  signerText,
  textOf,
  type Word,
} from "./replies.js";

/** Number of keys on a page, and of keys that the search for the largest keys requests in one step. */
const PAGE_KEYS = 50;
const STEP_KEYS = 200;
const LARGEST_MAX = 20;
/** Limits for a shown value: bytes of a string, elements of other types, and total bytes of the elements. */
const STRING_BYTES_MAX = 4096;
const ELEMENTS_MAX = 100;
const VALUE_BYTES_MAX = 256 * 1024;
const HISTORY_MAX = 50;
const DAY_MS = 86_400_000;

interface FoundKey {
  readonly name: Word;
  readonly type: string;
  readonly bytes: number;
  /** Remaining milliseconds; negative: the key does not expire. */
  readonly expires: number;
}

type Reader = (key: Word, count: string) => readonly (readonly Word[])[];

/** The commands that read the length and some elements of a value, by type. */
const READERS: ReadonlyMap<string, Reader> = new Map<string, Reader>(
  Object.entries({
    string: (key) => [
      ["STRLEN", key],
      ["GETRANGE", key, "0", String(STRING_BYTES_MAX - 1)],
    ],
    list: (key, count) => [
      ["LLEN", key],
      ["LRANGE", key, "0", String(Number(count) - 1)],
    ],
    hash: (key, count) => [
      ["HLEN", key],
      ["HSCAN", key, "0", "COUNT", count],
    ],
    set: (key, count) => [
      ["SCARD", key],
      ["SSCAN", key, "0", "COUNT", count],
    ],
    zset: (key, count) => [
      ["ZCARD", key],
      ["ZRANGE", key, "0", String(Number(count) - 1), "WITHSCORES"],
    ],
    stream: (key, count) => [
      ["XLEN", key],
      ["XRANGE", key, "-", "+", "COUNT", count],
    ],
  }),
);
const LENGTHS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    list: "LLEN",
    hash: "HLEN",
    set: "SCARD",
    zset: "ZCARD",
    stream: "XLEN",
  }),
);

export class KeyBrowser {
  readonly #client: SigningClient;
  #cursor = "0";
  #db = 0;
  #pattern = "*";
  #isSearching = false;

  constructor(client: SigningClient) {
    this.#client = client;
  }

  start(): void {
    byId("browse").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#cursor = "0";
      this.#isSearching = false;
      this.#db = Number(byId<HTMLInputElement>("db").value);
      this.#pattern = byId<HTMLInputElement>("pattern").value || "*";
      void this.#run(() => this.#page());
    });
    byId("more-keys").addEventListener("click", () => void this.#run(() => this.#page()));
    byId("largest").addEventListener("click", () => {
      if (this.#isSearching) this.#isSearching = false;
      else void this.#run(() => this.#findLargest());
    });
  }

  async #run(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (problem) {
      setText(byId("browse-note"), reasonText(problem));
    }
  }

  /** Shows the next page that contains keys. */
  async #page(): Promise<void> {
    setText(byId("browse-note"), "Reading…");
    let keys: readonly Word[] = [];
    let steps = 0;
    do {
      keys = await this.#scan(PAGE_KEYS);
      steps++;
    } while (keys.length === 0 && this.#cursor !== "0" && steps < PAGE_KEYS);

    this.#showKeys(await this.#describe(keys));
    byId("more-keys").hidden = this.#cursor === "0";
    const end = this.#cursor === "0" ? "There are no more keys." : "There are more keys.";
    setText(
      byId("browse-note"),
      keys.length === 0 ? nothingFound(this.#cursor) : `${countOf(keys.length, "key")}. ${end}`,
    );
  }

  async #scan(count: number): Promise<readonly Word[]> {
    const words = ["SCAN", this.#cursor, "MATCH", this.#pattern, "COUNT", String(count)];
    const [cursor, keys] = itemsOf(await this.#client.call(words, { db: this.#db, buffers: true }));
    this.#cursor = textOf(cursor);
    return itemsOf(keys) as readonly Word[];
  }

  async #describe(names: readonly Word[]): Promise<readonly FoundKey[]> {
    if (names.length === 0) return [];
    const commands = names.flatMap((name) => [
      ["TYPE", name],
      ["PTTL", name],
      ["MEMORY", "USAGE", name],
    ]);

    const replies = (await this.#client.multi(commands, { db: this.#db })) ?? [];
    return names.map((name, index) => ({
      name,
      type: textOf(replies[3 * index]),
      expires: Number(replies[3 * index + 1]),
      bytes: Number(replies[3 * index + 2]),
    }));
  }

  async #findLargest(): Promise<void> {
    this.#db = Number(byId<HTMLInputElement>("db").value);
    this.#pattern = byId<HTMLInputElement>("pattern").value || "*";
    this.#cursor = "0";
    this.#isSearching = true;
    byId("more-keys").hidden = true;
    setText(byId("largest"), "Stop");

    let largest: readonly FoundKey[] = [];
    let checked = 0;
    try {
      do {
        const found = await this.#describe(await this.#scan(STEP_KEYS));
        checked += found.length;
        largest = [...largest, ...found].sort((one, other) => other.bytes - one.bytes).slice(0, LARGEST_MAX);
        this.#showKeys(largest);
        setText(byId("browse-note"), `${countOf(checked, "key")} checked…`);
      } while (this.#cursor !== "0" && this.#isSearching);
      const end = this.#cursor === "0" ? "" : " before the search was stopped";
      setText(byId("browse-note"), `The largest of ${countOf(checked, "key")} checked${end}.`);
    } finally {
      this.#isSearching = false;
      setText(byId("largest"), "Find the largest keys");
    }
  }

  #showKeys(keys: readonly FoundKey[]): void {
    const rows = keys.map((key): Cell[] => [
      { text: shown(textOf(key.name)), className: "name", act: () => void this.#open(key) },
      { text: key.type },
      { text: bytesText(key.bytes), className: "number" },
      { text: key.expires < 0 ? "–" : spanText(key.expires), className: "number" },
    ]);
    fillTable(byId("key-table"), rows);
    byId("key-table").hidden = rows.length === 0;
  }

  async #open(key: FoundKey): Promise<void> {
    byId("value-card").hidden = false;
    setText(byId("value-title"), `Value of ${shown(textOf(key.name))}`);
    setText(byId("value"), "");
    setText(byId("value-note"), "Reading…");
    byId("value-title").focus();
    fillTable(byId("blame"), []);
    byId("blame").hidden = true;
    await Promise.all([this.#showValue(key), this.#showHistory(key)]);
  }

  async #showValue(key: FoundKey): Promise<void> {
    try {
      const read = READERS.get(key.type);
      if (read === undefined) {
        setText(byId("value-note"), `This page cannot show values of type ${key.type}.`);
        return;
      }
      const count = await this.#countOf(key);
      if (count === 0) {
        setText(byId("value-note"), `The elements are too large to show: ${bytesText(key.bytes)} in total.`);
        return;
      }
      const [length, value] =
        (await this.#client.multi(read(key.name, String(count)), { db: this.#db })) ?? [];
      const unit = key.type === "string" ? "byte" : "element";
      const limit = key.type === "string" ? STRING_BYTES_MAX : count;
      const part = Number(length) > limit ? `; the first ${countText(limit)} are shown` : "";
      setText(byId("value-note"), `${key.type}, ${countOf(Number(length), unit)}${part}`);
      setText(byId("value"), valueText(key.type, value));
    } catch (problem) {
      setText(byId("value-note"), reasonText(problem));
    }
  }

  /** Returns the number of elements that may be read, depending on their mean size. */
  async #countOf({ name, type, bytes }: FoundKey): Promise<number> {
    const command = LENGTHS.get(type);
    if (command === undefined) return 1;
    const length = Number(await this.#client.call([command, name], { db: this.#db }));
    const mean = bytes / Math.max(1, length);
    return Math.min(ELEMENTS_MAX, Math.floor(VALUE_BYTES_MAX / Math.max(1, mean)));
  }

  async #showHistory({ name }: FoundKey): Promise<void> {
    setText(byId("blame-note"), "Reading…");
    try {
      const from = String(Date.now() - DAY_MS);
      const reply = await this.#client.call(["TIMELINE", "BLAME", name, "FROM", from], { db: this.#db });
      const units = itemsOf(fieldsOf(reply)["units"]).map(fieldsOf);
      const rows = units
        .slice(-HISTORY_MAX)
        .toReversed()
        .map((unit): Cell[] => [
          { text: dateOf(unit["at"]), className: "when" },
          { text: signerText(unit), className: "name" },
          { text: commandsText(unit["commands"]), className: "command" },
          { text: textOf(unit["change"]) },
          { text: shortId(unit["id"]), copy: textOf(unit["id"]) },
        ]);

      fillTable(byId("blame"), rows);
      byId("blame").hidden = rows.length === 0;
      const none = "Not changed in the last 24 hours. For earlier changes use dbsync blame.";
      setText(
        byId("blame-note"),
        rows.length === 0
          ? none
          : `${rows.length === 1 ? "One change" : `The newest ${countText(rows.length)} changes`} of the last 24 hours.`,
      );
    } catch (problem) {
      const text = reasonText(problem);
      const none = "This daemon records no writes, so keys have no history.";
      setText(byId("blame-note"), /TIMELINE is answered by/.test(text) ? none : text);
    }
  }
}

const nothingFound = (cursor: string): string =>
  cursor === "0" ? "No key matches." : "No key matches so far. The next page continues the search.";

/** Formats a value with a line for each element, or for each pair of a hash or a sorted set. */
function valueText(type: string, reply: SignedReply | undefined): string {
  const isScanned = type === "hash" || type === "set";
  const items = itemsOf(isScanned ? itemsOf(reply)[1] : reply);
  const words = items.map((item) => shown(textOf(item), STRING_BYTES_MAX));

  switch (type) {
    case "string":
      return shown(textOf(reply), STRING_BYTES_MAX);
    case "hash":
    case "zset":
      return pairs(words).join("\n");
    case "stream":
      return items.map((item) => entryText(itemsOf(item))).join("\n");
    default:
      return words.join("\n");
  }
}

const pairs = (words: readonly string[]): string[] =>
  words.flatMap((word, index) => (index % 2 === 0 ? [`${word}: ${words[index + 1] ?? ""}`] : []));

function entryText([id, fields]: readonly SignedReply[]): string {
  const words = itemsOf(fields).map((word) => shown(textOf(word), STRING_BYTES_MAX));
  return [textOf(id), ...pairs(words).map((pair) => `  ${pair}`)].join("\n");
}
