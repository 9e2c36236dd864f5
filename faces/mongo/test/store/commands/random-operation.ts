/**
 * Random operations on one collection. There are few fields and values, so that operations conflict. An operation is
 * a plain JavaScript value, which a test runs with both MDB commands and mingo.
 */
import type { SeededRandom } from "../../../../../test/support/seeded-random.js";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };
export type JsonObject = { readonly [name: string]: Json };

export type Operation =
  | { readonly kind: "insert"; readonly documents: readonly JsonObject[] }
  | {
      readonly kind: "update";
      readonly q: JsonObject;
      readonly u: JsonObject;
      readonly multi: boolean;
      readonly arrayFilters: readonly JsonObject[];
    }
  | { readonly kind: "delete"; readonly q: JsonObject; readonly limit: 0 | 1 }
  | {
      readonly kind: "find";
      readonly filter: JsonObject;
      readonly sort: JsonObject;
      readonly projection: JsonObject;
      readonly skip: number;
      readonly limit: number;
    }
  | { readonly kind: "count"; readonly query: JsonObject }
  | { readonly kind: "distinct"; readonly key: string; readonly query: JsonObject }
  | { readonly kind: "aggregate"; readonly pipeline: readonly JsonObject[] };

const IDS = 40;
/** The array of a document, whatever previous stages have done to it. */
const LIST: Json = { $cond: [{ $isArray: "$l" }, "$l", []] };

const numberIn = (path: string): Json => ({ $cond: [{ $isNumber: path }, path, 1] });

export class RandomOperations {
  readonly #random: SeededRandom;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  next(): Operation {
    const kind = this.#random.below(20);
    if (kind < 4) return { kind: "insert", documents: this.#some(1, 3, () => this.#document()) };
    if (kind < 9) return this.#change();
    if (kind < 10) return { kind: "delete", q: this.#filter(), limit: this.#chance(0.8) ? 1 : 0 };
    if (kind < 14) return this.#find();
    if (kind < 15) return { kind: "count", query: this.#filter() };
    if (kind < 16)
      return { kind: "distinct", key: this.#oneOf(["a", "n", "l", "o.x"]), query: this.#filter() };
    return { kind: "aggregate", pipeline: this.#some(1, 3, () => this.#stage()) };
  }

  #change(): Operation {
    const u = this.#update();
    const arrayFilters = JSON.stringify(u).includes("$[e]") ? [{ e: { $gte: this.#number() } }] : [];
    // Only arrays of numbers can be multiplied.
    const q =
      arrayFilters.length === 0 ? this.#filter() : { $and: [this.#filter(), { l: { $exists: true } }] };
    return { kind: "update", q, u, multi: this.#chance(0.5), arrayFilters };
  }

  #chance(probability: number): boolean {
    return this.#random.chance(probability);
  }

  #oneOf<T>(choices: readonly T[]): T {
    return this.#random.oneOf(choices);
  }

  #some<T>(least: number, most: number, make: () => T): T[] {
    return Array.from({ length: this.#random.between(least, most) }, make);
  }

  #number(): number {
    return this.#oneOf([0, 1, 2, 3, -1, 10, 1.5, 2.5, -0.25]);
  }

  #scalar(): Json {
    const kind = this.#random.below(10);
    if (kind < 5) return this.#number();
    if (kind < 8) return this.#oneOf(["a", "ab", "b", "", "é"]);
    return kind < 9 ? this.#chance(0.5) : null;
  }

  /**
   * Returns a document whose fields usually have their own type: `n` a number, `l` an array, `o` a document, `d` an
   * array of documents.
   */
  #document(): JsonObject {
    const document: Record<string, Json> = { _id: this.#random.below(IDS) };
    if (this.#chance(0.8)) document["a"] = this.#scalar();
    if (this.#chance(0.8)) document["n"] = this.#number();
    if (this.#chance(0.6)) document["l"] = this.#some(0, 3, () => this.#scalar());
    if (this.#chance(0.5)) document["o"] = { x: this.#scalar(), y: this.#number() };
    if (this.#chance(0.4)) document["d"] = this.#some(0, 3, () => ({ x: this.#scalar(), y: this.#number() }));
    return document;
  }

  #filter(): JsonObject {
    const kind = this.#random.below(13);
    if (kind === 12) return { $expr: this.#truth() };
    if (kind < 1) return {};
    if (kind < 3) return { _id: this.#random.below(IDS) };
    if (kind < 9) return this.#condition();
    if (kind < 10) return { $and: [this.#condition(), this.#condition()] };
    if (kind < 11) return { $or: [this.#condition(), this.#condition()] };
    return { $nor: [this.#condition()] };
  }

  #condition(): JsonObject {
    const field = this.#oneOf(["a", "a", "n", "n", "l", "o.x", "o.y", "d.x", "d.y", "l.0", "d.0.y"]);
    const kind = this.#random.below(16);
    if (kind < 3) return { [field]: this.#scalar() };
    if (kind < 7) return { [field]: { [this.#oneOf(["$gt", "$gte", "$lt", "$lte"])]: this.#comparable() } };
    if (kind < 8) return { [field]: { $ne: this.#scalar() } };
    if (kind < 9) return { [field]: { $in: this.#some(1, 3, () => this.#scalar()) } };
    if (kind < 10) return { [field]: { $nin: this.#some(1, 3, () => this.#scalar()) } };
    if (kind < 11) return { [field]: { $exists: this.#chance(0.5) } };
    if (kind < 12) return { [this.#oneOf(["l", "d"])]: { $size: this.#random.below(3) } };
    if (kind < 13) return { [field]: { $not: { $gt: this.#number() } } };
    if (kind < 14) return { a: { $regex: this.#oneOf(["^a", "b$", "a.*b"]) } };
    if (kind < 15)
      return this.#chance(0.5)
        ? { l: { $elemMatch: { $gt: this.#number(), $lt: 5 } } }
        : { d: { $elemMatch: { y: { $gt: this.#number() }, x: { $ne: "a" } } } };
    return this.#chance(0.5) ? { l: { $all: [this.#number(), this.#number()] } } : { _id: { $mod: [2, 1] } };
  }

  #comparable(): Json {
    return this.#chance(0.7) ? this.#number() : this.#oneOf(["a", "b"]);
  }

  /** Returns an expression that yields a number for every document. */
  #calculation(depth = 0): Json {
    const inner = () => this.#calculation(depth + 1);
    if (depth > 2) return this.#oneOf<Json>([this.#number(), numberIn("$n"), numberIn("$o.y")]);
    switch (this.#random.below(10)) {
      case 0:
        return { $add: [inner(), inner()] };
      case 1:
        return { $subtract: [inner(), inner()] };
      case 2:
        return { $multiply: [inner(), inner()] };
      case 3:
        return { [this.#oneOf(["$abs", "$ceil", "$floor"])]: inner() };
      case 4:
        return { $cond: [this.#truth(depth + 1), inner(), inner()] };
      case 5:
        return { $trunc: [inner(), 0] };
      case 6:
        return { $size: LIST };
      case 7:
        return { $max: [inner(), inner()] };
      case 8:
        return { $sum: [inner(), inner()] };
      default:
        return {
          $strLenCP: {
            $concat: ["é", { $toUpper: { $cond: [{ $eq: [{ $type: "$a" }, "string"] }, "$a", "b"] } }],
          },
        };
    }
  }

  #truth(depth = 0): Json {
    const inner = () => this.#calculation(depth + 1);
    switch (this.#random.below(6)) {
      case 0:
        return { [this.#oneOf(["$gt", "$gte", "$lt", "$lte", "$eq", "$ne"])]: [inner(), inner()] };
      case 1:
        return { $and: [{ $gt: [inner(), 0] }, { $lt: [inner(), 5] }] };
      case 2:
        return { $or: [{ $gt: [inner(), 3] }, { $lt: [inner(), 0] }] };
      case 3:
        return { $not: [{ $gt: [inner(), 1] }] };
      case 4:
        return { $in: [this.#number(), LIST] };
      default:
        return { $eq: [{ $type: "$a" }, "string"] };
    }
  }

  #reshaping(): JsonObject {
    switch (this.#random.below(5)) {
      case 0:
        return {
          [this.#oneOf(["$addFields", "$set"])]: { c: this.#calculation(), "o.z": this.#calculation() },
        };
      case 1:
        return { $set: { n: this.#calculation(), t: { $concat: ["x", { $toLower: "AB" }] } } };
      case 2:
        return { $unset: this.#oneOf<Json>(["a", ["o.x", "n"]]) };
      case 3:
        return { $project: { n: this.#calculation(), l: { $slice: [LIST, 2] } } };
      default:
        return {
          $set: {
            l: {
              $filter: {
                input: LIST,
                as: "e",
                cond: { $and: [{ $isNumber: "$$e" }, { $gt: ["$$e", this.#number()] }] },
              },
            },
          },
        };
    }
  }

  #update(): JsonObject {
    switch (this.#random.below(13)) {
      case 12:
        return { $mul: { "l.$[e]": 2 } };
      case 0:
        return { $set: { a: this.#scalar() } };
      case 1:
        return { $set: { "o.x": this.#scalar() }, $unset: { a: 1 } };
      case 2:
        return { $inc: { n: this.#number() } };
      case 3:
        return { $mul: { n: this.#oneOf([2, 0.5, -1]) } };
      case 4:
        return { $min: { n: this.#number() } };
      case 5:
        return { $max: { n: this.#number() } };
      case 6:
        return { $push: { l: this.#scalar() } };
      case 7:
        return { $push: { l: { $each: [this.#number(), this.#number()], $slice: this.#oneOf([-3, 4]) } } };
      case 8:
        return { $addToSet: { l: this.#scalar() } };
      case 9:
        return { $pull: { l: this.#chance(0.5) ? this.#scalar() : { $gt: this.#number() } } };
      case 10:
        return { $pop: { l: this.#oneOf([1, -1]) } };
      default:
        return { $pull: { d: { y: this.#number() } } };
    }
  }

  #order(): JsonObject {
    const field = this.#oneOf(["a", "n", "o.x", "o.y"]);
    return { [field]: this.#oneOf([1, -1]), _id: 1 };
  }

  #projection(): JsonObject {
    return this.#oneOf<JsonObject>([
      {},
      { a: 1 },
      { a: 0 },
      { "o.x": 1, n: 1 },
      { "d.x": 1, _id: 0 },
      { "d.x": 0, "o.y": 0 },
      { _id: 0 },
      { l: 1, a: 1 },
    ]);
  }

  #find(): Operation {
    return {
      kind: "find",
      filter: this.#filter(),
      sort: this.#order(),
      projection: this.#projection(),
      skip: this.#oneOf([0, 0, 1]),
      limit: this.#oneOf([0, 0, 3]),
    };
  }

  #stage(): JsonObject {
    switch (this.#random.below(12)) {
      case 9:
      case 10:
      case 11:
        return this.#reshaping();
      case 0:
        return { $match: this.#filter() };
      case 1:
        return { $sort: this.#order() };
      case 2:
        return { $limit: 1 + this.#random.below(8) };
      case 3:
        return { $skip: this.#random.below(4) };
      case 4:
        return { $project: { a: 1, n: "$o.y", m: "$d.y" } };
      case 5:
        return {
          $group: {
            _id: this.#oneOf(["$a", "$n", null, "$o.x"]),
            s: { $sum: "$n" },
            v: { $avg: "$n" },
            c: { $sum: 1 },
            least: { $min: "$n" },
            most: { $max: "$n" },
            first: { $first: "$n" },
            last: { $last: "$n" },
            all: { $push: { i: "$_id" } },
          },
        };
      case 6:
        return { $count: "c" };
      case 7:
        return { $unwind: this.#oneOf<Json>(["$l", "$d", { path: "$l", preserveNullAndEmptyArrays: true }]) };
      default:
        return { $project: { d: 0 } };
    }
  }
}
