/**
 * A document: entries in the order in which they came, each a JSON text under a key. As long as the keys are 0, 1, 2, … they
 * are not kept at all. Then each entry has a rank of its own, and what was removed leaves a hole until there are many.
 * Ranks and holes are no state; keys, texts, their order and the mark `next` are.
 */
import type { ByteString } from "../../protocol/byte-string.js";

/** Holes are closed when there are more, and more than entries. */
const HOLES_MAX = 64;
/** Keys that are numbers to count on from; longer ones are names like all others. */
const NUMBER_KEY = /^(?:0|-?[1-9]\d{0,14})$/;

/** An entry that was removed, and where it was. */
export interface RemovedEntry {
  readonly rank: number;
  readonly key: ByteString;
  readonly text: ByteString;
}

/** What keyed entries have besides their texts; places are those of the texts. */
interface Keyed {
  /** Rising; `holes` of them stand for nothing. */
  readonly ranks: number[];
  readonly keys: ByteString[];
  readonly rankOf: Map<ByteString, number>;
  /** The number behind the highest key that is one. */
  next: number;
}

export class Document {
  /** Orders documents by when they were made; the same for as long as it lives. */
  readonly born: ByteString;
  /** null: a hole. */
  #texts: (ByteString | null)[] = [];
  /** null: the keys are the places, and there are no holes. */
  #keyed: Keyed | null = null;
  #holes = 0;
  /** Before it there are holes only. */
  #head = 0;

  constructor(born: ByteString = "") {
    this.born = born;
  }

  get size(): number {
    return this.#texts.length - this.#holes;
  }

  /** Whether the keys are 0, 1, 2, … and nothing else was ever there. */
  get isPlain(): boolean {
    return this.#keyed === null;
  }

  /** The number behind the highest key that is one: what the next entry without a key is called. */
  get next(): number {
    return this.#keyed?.next ?? this.#texts.length;
  }

  get(key: ByteString): ByteString | undefined {
    const place = this.#placeOf(key);
    return place < 0 ? undefined : (this.#texts[place] as ByteString);
  }

  /** The first entry; undefined: there is none. */
  get first(): readonly [key: ByteString, text: ByteString] | undefined {
    while (this.#head < this.#texts.length && this.#texts[this.#head] === null) this.#head++;
    const text = this.#texts[this.#head];
    return typeof text === "string" ? [this.#keyAt(this.#head), text] : undefined;
  }

  /** Gives an entry that is there another text. */
  set(key: ByteString, text: ByteString): void {
    this.#texts[this.#placeOf(key)] = text;
  }

  /** Appends an entry whose key is absent. Inverse: `pop`, with `next` as it was. */
  push(key: ByteString, text: ByteString): void {
    if (this.#keyed === null && key === String(this.#texts.length)) {
      this.#texts.push(text);
      return;
    }
    const keyed = this.#makeKeyed();
    const rank = (keyed.ranks.at(-1) ?? -1) + 1;
    keyed.ranks.push(rank);
    keyed.keys.push(key);
    keyed.rankOf.set(key, rank);
    this.#texts.push(text);
    if (NUMBER_KEY.test(key)) keyed.next = Math.max(keyed.next, Number(key) + 1);
  }

  pop(next: number): void {
    this.#texts.pop();
    this.#head = Math.min(this.#head, this.#texts.length);
    const keyed = this.#keyed;
    if (keyed === null) return;
    keyed.ranks.pop();
    keyed.rankOf.delete(keyed.keys.pop() as ByteString);
    keyed.next = next;
  }

  /** Removes an entry that is there; all others keep their keys. Inverse: `restore`. */
  remove(key: ByteString): RemovedEntry {
    const { ranks, rankOf } = this.#makeKeyed();
    const place = this.#placeOf(key);
    const removed = { rank: ranks[place] as number, key, text: this.#texts[place] as ByteString };
    this.#texts[place] = null;
    rankOf.delete(key);
    this.#holes++;
    if (this.#holes > Math.max(HOLES_MAX, this.size)) this.#closeHoles();
    return removed;
  }

  restore({ rank, key, text }: RemovedEntry): void {
    const { ranks, keys, rankOf } = this.#makeKeyed();
    const place = firstPlaceFrom(ranks, rank);
    rankOf.set(key, rank);
    this.#head = Math.min(this.#head, place);
    if (ranks[place] === rank) {
      this.#texts[place] = text;
      this.#holes--;
      return;
    }
    ranks.splice(place, 0, rank);
    keys.splice(place, 0, key);
    this.#texts.splice(place, 0, text);
  }

  /** Takes an entry out of a plain document, whose later ones move up. Inverse: `putIn`. */
  takeOut(place: number): ByteString {
    return this.#texts.splice(place, 1)[0] as ByteString;
  }

  putIn(place: number, text: ByteString): void {
    this.#texts.splice(place, 0, text);
  }

  /** In order; only those whose text passes, if a test is given. The document must not change meanwhile. */
  *entries(passes?: (text: ByteString) => boolean): Generator<readonly [key: ByteString, text: ByteString]> {
    for (let place = this.#head; place < this.#texts.length; place++) {
      const text = this.#texts[place] as ByteString | null;
      if (text !== null && (passes === undefined || passes(text))) yield [this.#keyAt(place), text];
    }
  }

  /** The same entries, keys that are numbers counted from 0 anew. */
  renumbered(without: ByteString): Document {
    const copy = new Document(this.born);
    let number = 0;
    for (const [key, text] of this.entries()) {
      if (key !== without) copy.push(NUMBER_KEY.test(key) ? String(number++) : key, text);
    }
    return copy;
  }

  clone(): Document {
    const copy = new Document(this.born);
    for (const [key, text] of this.entries()) copy.push(key, text);
    copy.raiseNext(this.next);
    return copy;
  }

  /** For what is read back: entries with higher numbers may have been there. */
  raiseNext(next: number): void {
    if (next > this.next) this.#makeKeyed().next = next;
  }

  #keyAt(place: number): ByteString {
    return this.#keyed === null ? String(place) : (this.#keyed.keys[place] as ByteString);
  }

  #placeOf(key: ByteString): number {
    if (this.#keyed !== null) {
      const rank = this.#keyed.rankOf.get(key);
      return rank === undefined ? -1 : firstPlaceFrom(this.#keyed.ranks, rank);
    }
    const place = Number(key);
    return place < this.#texts.length && place >= 0 && String(place) === key ? place : -1;
  }

  #makeKeyed(): Keyed {
    if (this.#keyed !== null) return this.#keyed;
    const ranks = [...this.#texts.keys()];
    const keys = ranks.map(String);
    this.#keyed = { ranks, keys, rankOf: new Map(keys.map((key, rank) => [key, rank])), next: ranks.length };
    return this.#keyed;
  }

  #closeHoles(): void {
    const { ranks, keys, rankOf, next } = this.#makeKeyed();
    const isEntry = (_: unknown, place: number) => this.#texts[place] !== null;
    this.#keyed = { ranks: ranks.filter(isEntry), keys: keys.filter(isEntry), rankOf, next };
    this.#texts = this.#texts.filter((text) => text !== null);
    this.#holes = this.#head = 0;
  }
}

/** The first place of a rank, or of the next one. */
function firstPlaceFrom(ranks: readonly number[], rank: number): number {
  let low = 0;
  let high = ranks.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ranks[middle] as number) < rank) low = middle + 1;
    else high = middle;
  }
  return low;
}
