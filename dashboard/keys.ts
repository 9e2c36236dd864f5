/** Keys, their values and their histories: a page at a time, so that no request holds up the daemon. */
import { at, type Cell, fillTable, say } from "./elements.js";
import {
  commandsText,
  dateOf,
  fieldsOf,
  itemsOf,
  reasonText,
  shortId,
  shown,
  signerText,
  textOf,
} from "./replies.js";
import type { SignedReply, SigningClient, Word } from "./signing-client.js";
import { bytesText, countOf, countText, spanText } from "./texts.js";

/** Keys of a page, and those that a search for the largest requests in one step. */
const PAGE_KEYS = 50;
const STEP_KEYS = 200;
const LARGEST_MAX = 20;
/** Limits of a value: characters of a string, elements of anything else, and bytes of all of them. */
const STRING_BYTES_MAX = 4096;
const ELEMENTS_MAX = 100;
const VALUE_BYTES_MAX = 256 * 1024;
const HISTORY_MAX = 50;
const DAY_MS = 86_400_000;

interface SeenKey {
  readonly name: Word;
  readonly type: string;
  readonly bytes: number;
  /** Milliseconds; negative: it does not expire. */
  readonly expires: number;
}

/** Commands that read a value of each type: its length, and some of its elements. */
const READERS: Readonly<Record<string, (key: Word, count: string) => readonly (readonly Word[])[]>> = {
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
};
const LENGTHS: Readonly<Record<string, string>> = {
  list: "LLEN",
  hash: "HLEN",
  set: "SCARD",
  zset: "ZCARD",
  stream: "XLEN",
};

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
    at("browse").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#cursor = "0";
      this.#isSearching = false;
      this.#db = Number(at<HTMLInputElement>("db").value);
      this.#pattern = at<HTMLInputElement>("pattern").value || "*";
      void this.#run(() => this.#page());
    });
    at("more-keys").addEventListener("click", () => void this.#run(() => this.#page()));
    at("largest").addEventListener("click", () => {
      if (this.#isSearching) this.#isSearching = false;
      else void this.#run(() => this.#findLargest());
    });
  }

  async #run(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (problem) {
      say(at("browse-note"), reasonText(problem));
    }
  }

  /** Shows the next page that has keys. */
  async #page(): Promise<void> {
    say(at("browse-note"), "Reading…");
    let keys: readonly Word[] = [];
    let steps = 0;
    do {
      keys = await this.#scan(PAGE_KEYS);
      steps++;
    } while (keys.length === 0 && this.#cursor !== "0" && steps < PAGE_KEYS);
    this.#showKeys(await this.#look(keys));
    at("more-keys").hidden = this.#cursor === "0";
    const end = this.#cursor === "0" ? "These are the last." : "There are more.";
    say(
      at("browse-note"),
      keys.length === 0 ? nothingFound(this.#cursor) : `${countOf(keys.length, "key")}. ${end}`,
    );
  }

  async #scan(count: number): Promise<readonly Word[]> {
    const words = ["SCAN", this.#cursor, "MATCH", this.#pattern, "COUNT", String(count)];
    const [cursor, keys] = itemsOf(await this.#client.call(words, { db: this.#db, buffers: true }));
    this.#cursor = textOf(cursor);
    return itemsOf(keys) as readonly Word[];
  }

  async #look(names: readonly Word[]): Promise<readonly SeenKey[]> {
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
    this.#db = Number(at<HTMLInputElement>("db").value);
    this.#pattern = at<HTMLInputElement>("pattern").value || "*";
    this.#cursor = "0";
    this.#isSearching = true;
    at("more-keys").hidden = true;
    say(at("largest"), "Stop");
    let largest: readonly SeenKey[] = [];
    let checked = 0;
    try {
      do {
        const found = await this.#look(await this.#scan(STEP_KEYS));
        checked += found.length;
        largest = [...largest, ...found].sort((one, other) => other.bytes - one.bytes).slice(0, LARGEST_MAX);
        this.#showKeys(largest);
        say(at("browse-note"), `${countOf(checked, "key")} checked…`);
      } while (this.#cursor !== "0" && this.#isSearching);
      const end = this.#cursor === "0" ? "" : " before it was stopped";
      say(at("browse-note"), `The largest of ${countOf(checked, "key")} checked${end}.`);
    } finally {
      this.#isSearching = false;
      say(at("largest"), "Find the largest keys");
    }
  }

  #showKeys(keys: readonly SeenKey[]): void {
    const rows = keys.map((key): Cell[] => [
      { text: shown(textOf(key.name)), className: "name", act: () => void this.#open(key) },
      { text: key.type },
      { text: bytesText(key.bytes), className: "number" },
      { text: key.expires < 0 ? "–" : spanText(key.expires), className: "number" },
    ]);
    fillTable(at("key-table"), rows);
    at("key-table").hidden = rows.length === 0;
  }

  async #open(key: SeenKey): Promise<void> {
    at("value-card").hidden = false;
    say(at("value-title"), `Value of ${shown(textOf(key.name))}`);
    say(at("value"), "");
    say(at("value-note"), "Reading…");
    at("value-title").focus();
    fillTable(at("blame"), []);
    at("blame").hidden = true;
    await Promise.all([this.#showValue(key), this.#showHistory(key)]);
  }

  async #showValue(key: SeenKey): Promise<void> {
    try {
      const read = READERS[key.type];
      if (read === undefined) {
        say(at("value-note"), `Values of type ${key.type} are shown by the clients that made them.`);
        return;
      }
      const count = await this.#countOf(key);
      if (count === 0) {
        say(at("value-note"), `Its elements are too large to show: ${bytesText(key.bytes)} together.`);
        return;
      }
      const [length, value] =
        (await this.#client.multi(read(key.name, String(count)), { db: this.#db })) ?? [];
      const unit = key.type === "string" ? "byte" : "element";
      const limit = key.type === "string" ? STRING_BYTES_MAX : count;
      const part = Number(length) > limit ? `; the first ${countText(limit)} are shown` : "";
      say(at("value-note"), `${key.type}, ${countOf(Number(length), unit)}${part}`);
      say(at("value"), valueText(key.type, value));
    } catch (problem) {
      say(at("value-note"), reasonText(problem));
    }
  }

  /** Elements that may be read, by their mean size. */
  async #countOf({ name, type, bytes }: SeenKey): Promise<number> {
    const command = LENGTHS[type];
    if (command === undefined) return 1;
    const length = Number(await this.#client.call([command, name], { db: this.#db }));
    const mean = bytes / Math.max(1, length);
    return Math.min(ELEMENTS_MAX, Math.floor(VALUE_BYTES_MAX / Math.max(1, mean)));
  }

  async #showHistory({ name }: SeenKey): Promise<void> {
    say(at("blame-note"), "Reading…");
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
      fillTable(at("blame"), rows);
      at("blame").hidden = rows.length === 0;
      const none = "Not changed in the last 24 hours; what changed it before: dbsync blame.";
      say(
        at("blame-note"),
        rows.length === 0
          ? none
          : `${rows.length === 1 ? "One change" : `The newest ${countText(rows.length)} changes`} of the last 24 hours.`,
      );
    } catch (problem) {
      const text = reasonText(problem);
      const none = "This daemon records nothing: keys have no history.";
      say(at("blame-note"), /TIMELINE is answered by/.test(text) ? none : text);
    }
  }
}

const nothingFound = (cursor: string): string =>
  cursor === "0" ? "No key matches." : "No key matches so far: the next page looks on.";

/** A line for each element, and for each pair of a hash or a sorted set. */
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
