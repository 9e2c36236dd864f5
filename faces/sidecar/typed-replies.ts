/**
 * Converts the daemons' replies from RESP2 to RESP3, which also has doubles, sets, maps and pairs. The bytes of a reply
 * in RESP2 do not show its type in RESP3, so the type is determined by `reply` in the command's row.
 * faces/sidecar/test/typed-replies.test.ts compares the converted replies with those of the store.
 */
import type { Command, ReplyShape } from "../../daemon/store/rows/command-row.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { DocumentEntriesReply } from "../../protocol/document-replies.js";
import { array, map, mapInPairs, pairs, type Reply, set, writtenDouble } from "../../protocol/reply.js";

type Making = (reply: Reply) => Reply;

const YES: Reply = { kind: "resp3", written: "#t\r\n", plain: { kind: "integer", value: 1 } };
const NO: Reply = { kind: "resp3", written: "#f\r\n", plain: { kind: "integer", value: 0 } };

const unconverted: Making = (reply) => reply;

const asDouble: Making = (reply) => {
  if (reply.kind !== "bulk") return reply;
  const text = reply.bytes;
  const value = /inf/.test(text) ? Number(text.replace("inf", "Infinity")) : Number(text);
  return writtenDouble(value, text);
};

/** Converts an array; other replies, such as nil, remain unchanged. */
const ofItems =
  (make: (items: readonly Reply[]) => Reply): Making =>
  (reply) =>
    reply.kind === "array" ? make(reply.items) : reply;

const convertOdd = (making: Making) => (items: readonly Reply[]) =>
  items.map((item, at) => (at % 2 === 0 ? item : making(item)));

const asSet = ofItems(set);
const asMap = ofItems(map);
/** Converts the entries of a document to the form that --json expects. Entries with further details become a map. */
const asEntries = ofItems((items) => {
  const bytes = items.flatMap((item) => (item.kind === "bulk" ? [item.bytes] : []));
  if (bytes.length < items.length) return map(items);
  const isKey = (_: ByteString, at: number) => at % 2 === 0;
  return new DocumentEntriesReply({
    keys: bytes.filter(isKey),
    texts: bytes.filter((one, at) => !isKey(one, at)),
  });
});
const asDoubles = ofItems((items) => array(items.map(asDouble)));
const asPairs = ofItems(pairs);
const asScores = ofItems((items) => pairs(convertOdd(asDouble)(items)));
/** Converts a member and its score. */
const asScore = ofItems((items) => array(convertOdd(asDouble)(items)));
const asMapOf = (making: Making) => ofItems((items) => map(convertOdd(making)(items)));
/** Converts a key followed by members with their scores. */
const asPopped = ofItems((items) =>
  array(convertOdd(ofItems((members) => array(members.map(asScore))))(items)),
);
/** Converts a key, a member and its score. */
const asOnePopped = ofItems((items) => array(items.map((item, at) => (at === 2 ? asDouble(item) : item))));
/** Converts the positions of members: longitude and latitude, or nil. */
const asPositions = ofItems((items) => array(items.map(asDoubles)));
/**
 * Converts the requested properties of each member, which may include a list of longitude and latitude. Without such
 * options the reply contains only names.
 */
const asLocations = ofItems((items) => array(items.map(asPositions)));
/** Returns a converter for a map, some of whose values need the given converters. */
const asMapWith = (names: Readonly<Record<string, Making>>) =>
  ofItems((items) =>
    map(
      items.map((item, at) => {
        const name = items[at - 1];
        return at % 2 === 1 && name?.kind === "bulk" ? (names[name.bytes] ?? unconverted)(item) : item;
      }),
    ),
  );
const asCell: Making = (reply) => {
  if (reply.kind === "status") return writtenDouble(Number(reply.text), reply.text);
  return reply.kind === "integer" ? (reply.value === 1 ? YES : NO) : reply;
};
const asRows = ofItems((rows) => array(rows.map(ofItems((cells) => array(cells.map(asCell))))));
/** Converts the answer to an SQL statement that reads. Numbers in its rows are sent as simple strings. */
const asRelation = asMapWith({ rows: asRows });

/** Converts the streams in a reply, each with its key and its entries. */
const asRead = ofItems((items) => mapInPairs(items.flatMap((item) => ("items" in item ? item.items : item))));
const asMaps = ofItems((items) => array(items.map(asMap)));
const asGroups = ofItems((items) => array(items.map(asMapWith({ consumers: asMaps }))));

/**
 * @param from  the index of the first option; an earlier argument is a key or a value, even if it looks like an option
 */
const hasWord = (argv: readonly ByteString[], word: string, from: number): boolean =>
  argv.some((one, at) => at >= from && one.length === word.length && one.toUpperCase() === word);

const withWord =
  (word: string, making: Making, from: (argv: readonly ByteString[]) => number, otherwise = unconverted) =>
  (argv: readonly ByteString[]) =>
    hasWord(argv, word, from(argv)) ? making : otherwise;
const always = (making: Making) => () => making;
/** Returns a function that returns the given index, for commands whose options begin at a fixed index. */
const after = (words: number) => () => words;
/** Returns the index after the keys of a command whose first argument is the number of keys. */
const afterKeys = ([, count]: readonly ByteString[]) => 2 + Number(count);
const scoresOfKeys = withWord("WITHSCORES", asScores, afterKeys);
const scoresOfRange = withWord("WITHSCORES", asScores, after(4));

/** The functions that return the converter for a shape. The converter may depend on the arguments. */
const CONVERTERS: Readonly<Record<ReplyShape, (argv: readonly ByteString[]) => Making>> = {
  double: always(asDouble),
  doubles: always(asDoubles),
  entries: withWord("EXPLAIN", asMap, after(2), asEntries),
  locations: always(asLocations),
  map: always(asMap),
  "map-of-changes": always(asMapWith({ changed: asMap })),
  "map-of-entries": always(asMapOf(asEntries)),
  "map-with-idx": withWord("IDX", asMap, after(3)),
  maps: always(asMaps),
  "one-popped": always(asOnePopped),
  "pairs-with-values": withWord("WITHVALUES", asPairs, after(3)),
  popped: always(asPopped),
  positions: always(asPositions),
  relation: always(asRelation),
  "score-or-scores": ({ length }) => (length > 2 ? asScores : asScore),
  "scores-after-count": withWord("WITHSCORES", asScores, after(3)),
  "scores-after-keys": scoresOfKeys,
  "scores-after-range": scoresOfRange,
  set: always(asSet),
  "set-with-count": ({ length }) => (length > 2 ? asSet : unconverted),
  stream: always(asMapWith({ groups: asGroups })),
  streams: always(asRead),
};

/** Returns the converter for the reply to a command. */
export function converterOf({ reply: shape }: Command, argv: readonly ByteString[]): (reply: Reply) => Reply {
  return shape === null ? unconverted : CONVERTERS[shape](argv);
}
