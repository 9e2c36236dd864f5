/**
 * Replies as RESP3 has them, of what daemons tell in RESP2, which knows no doubles, sets, maps and pairs. What a reply is
 * stands in no byte of it, so it is told by the command; test/engine/sidecar/typed-replies.test.ts compares each with the store's.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { EntriesReply } from "../../protocol/entries-reply.js";
import { array, map, mapInPairs, pairs, type Reply, set, writtenDouble } from "../../protocol/reply.js";
import type { Command } from "../../store/rows/command.js";

type Making = (reply: Reply) => Reply;

const YES: Reply = { kind: "resp3", written: "#t\r\n", plain: { kind: "integer", value: 1 } };
const NO: Reply = { kind: "resp3", written: "#f\r\n", plain: { kind: "integer", value: 0 } };

const asItCame: Making = (reply) => reply;

const asDouble: Making = (reply) => {
  if (reply.kind !== "bulk") return reply;
  const text = reply.bytes;
  const value = /inf/.test(text) ? Number(text.replace("inf", "Infinity")) : Number(text);
  return writtenDouble(value, text);
};

/** An array of which something else is made; nil, say, stays. */
const ofItems =
  (make: (items: readonly Reply[]) => Reply): Making =>
  (reply) =>
    reply.kind === "array" ? make(reply.items) : reply;

const odd = (making: Making) => (items: readonly Reply[]) =>
  items.map((item, at) => (at % 2 === 0 ? item : making(item)));

const asSet = ofItems(set);
const asMap = ofItems(map);
/** Entries of a document, as --json takes them; with details of each they are a map like any other. */
const asEntries = ofItems((items) => {
  const bytes = items.flatMap((item) => (item.kind === "bulk" ? [item.bytes] : []));
  if (bytes.length < items.length) return map(items);
  const isKey = (_: ByteString, at: number) => at % 2 === 0;
  return new EntriesReply({
    keys: bytes.filter(isKey),
    texts: bytes.filter((one, at) => !isKey(one, at)),
  });
});
const asDoubles = ofItems((items) => array(items.map(asDouble)));
const asPairs = ofItems(pairs);
const asScores = ofItems((items) => pairs(odd(asDouble)(items)));
/** Member and score. */
const asScore = ofItems((items) => array(odd(asDouble)(items)));
const asMapOf = (making: Making) => ofItems((items) => map(odd(making)(items)));
/** Key, and members with their scores. */
const asPopped = ofItems((items) => array(odd(ofItems((members) => array(members.map(asScore))))(items)));
/** Key, member and score. */
const asOnePopped = ofItems((items) => array(items.map((item, at) => (at === 2 ? asDouble(item) : item))));
/** Of each place longitude and latitude, or nil. */
const asPositions = ofItems((items) => array(items.map(asDoubles)));
/** Of each place what was asked for, a list of longitude and latitude among it; without all that names alone. */
const asPlaces = ofItems((items) => array(items.map(asPositions)));
/** A map of which some values are maps. */
const asMapWith = (names: Readonly<Record<string, Making>>) =>
  ofItems((items) =>
    map(
      items.map((item, at) => {
        const name = items[at - 1];
        return at % 2 === 1 && name?.kind === "bulk" ? (names[name.bytes] ?? asItCame)(item) : item;
      }),
    ),
  );
const asCell: Making = (reply) => {
  if (reply.kind === "status") return writtenDouble(Number(reply.text), reply.text);
  return reply.kind === "integer" ? (reply.value === 1 ? YES : NO) : reply;
};
const asRows = ofItems((rows) => array(rows.map(ofItems((cells) => array(cells.map(asCell))))));
/** Of a statement that reads; its numbers came as simple strings. */
const asRelation = asMapWith({ rows: asRows });

/** Of streams: key and entries of each. */
const asRead = ofItems((items) => mapInPairs(items.flatMap((item) => ("items" in item ? item.items : item))));
const asMaps = ofItems((items) => array(items.map(asMap)));
const asGroups = ofItems((items) => array(items.map(asMapWith({ consumers: asMaps }))));

/** @param from  where options begin: before them a word is a key or a value, whatever it says */
const hasWord = (argv: readonly ByteString[], word: string, from: number): boolean =>
  argv.some((one, at) => at >= from && one.length === word.length && one.toUpperCase() === word);

const withWord =
  (word: string, making: Making, from: (argv: readonly ByteString[]) => number, otherwise = asItCame) =>
  (argv: readonly ByteString[]) =>
    hasWord(argv, word, from(argv)) ? making : otherwise;
const always = (making: Making) => () => making;
/** Options behind so many words, the name among them. */
const behind = (words: number) => () => words;
/** Options behind as many keys as the word before them says. */
const behindKeys = ([, count]: readonly ByteString[]) => 2 + Number(count);
const scoresOfKeys = withWord("WITHSCORES", asScores, behindKeys);
const scoresOfRange = withWord("WITHSCORES", asScores, behind(4));

/** Where it depends on the arguments which it is. */
const MAKINGS: Readonly<Record<string, (argv: readonly ByteString[]) => Making>> = {
  GEOPOS: always(asPositions),
  GEORADIUS: always(asPlaces),
  GEORADIUSBYMEMBER: always(asPlaces),
  GEORADIUSBYMEMBER_RO: always(asPlaces),
  GEORADIUS_RO: always(asPlaces),
  GEOSEARCH: always(asPlaces),
  HGETALL: always(asMap),
  HRANDFIELD: withWord("WITHVALUES", asPairs, behind(3)),
  LCS: withWord("IDX", asMap, behind(3)),
  SDIFF: always(asSet),
  SINTER: always(asSet),
  SMEMBERS: always(asSet),
  SPOP: ({ length }) => (length > 2 ? asSet : asItCame),
  SUNION: always(asSet),
  BZMPOP: always(asPopped),
  BZPOPMAX: always(asOnePopped),
  BZPOPMIN: always(asOnePopped),
  ZADD: always(asDouble),
  ZDIFF: scoresOfKeys,
  ZINCRBY: always(asDouble),
  ZINTER: scoresOfKeys,
  ZMPOP: always(asPopped),
  ZMSCORE: always(asDoubles),
  ZPOPMAX: ({ length }) => (length > 2 ? asScores : asScore),
  ZPOPMIN: ({ length }) => (length > 2 ? asScores : asScore),
  ZRANDMEMBER: withWord("WITHSCORES", asScores, behind(3)),
  ZRANGE: scoresOfRange,
  ZRANGEBYSCORE: scoresOfRange,
  ZREVRANGE: scoresOfRange,
  ZREVRANGEBYSCORE: scoresOfRange,
  ZSCORE: always(asDouble),
  ZUNION: scoresOfKeys,
  XREAD: always(asRead),
  XREADGROUP: always(asRead),
  "XINFO|CONSUMERS": always(asMaps),
  "XINFO|GROUPS": always(asMaps),
  "XINFO|STREAM": always(asMapWith({ groups: asGroups })),
  "DOC.COUNT": always(asMap),
  "DOC.GET": withWord("EXPLAIN", asMap, behind(2), asEntries),
  "DOC.GETALL": always(asMapOf(asEntries)),
  "DOC.UPDATE": always(asMapWith({ changed: asMap })),
  SQL: always(asRelation),
  SQL_RO: always(asRelation),
};

/** What is made of a command's reply. */
export function makingOf({ name }: Command, argv: readonly ByteString[]): (reply: Reply) => Reply {
  return MAKINGS[name]?.(argv) ?? asItCame;
}
