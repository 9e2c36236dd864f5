/** Valid envelopes with each kind of key, each header field and each form of commands. */
import {
  cluster,
  hexText,
  idOf,
  type KeyName,
  NOW,
  nonceOf,
  type Resp,
  resp,
  signatureOf,
  signedBytesOf,
  vectorKeys,
} from "./scene.js";
import type { GoodVector, VectorCondition, VectorHeader } from "./vector.js";

type Optional = Omit<VectorHeader, "key" | "cluster" | "at" | "seq" | "nonce">;

interface Case {
  readonly name: string;
  readonly key?: KeyName;
  readonly at?: number;
  readonly seq?: number;
  /** More header fields. A value is hexadecimal if the field of the vector is. */
  readonly more?: Optional;
  readonly commands: readonly (readonly string[])[];
  readonly note?: string;
}

const bytes = (text: string): string => Buffer.from(text, "latin1").toString("hex");
const ALL_BYTES = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)).toString("latin1");
const UNIT = `${"ab".repeat(32)}00000002`;
const ORDER_KEY = `${(NOW - 1000).toString(16).padStart(16, "0")}0003${UNIT}`;
const SET = [["SET", "k", "v"]];

const CASES: readonly Case[] = [
  { name: "rsa2048-set", commands: SET, note: "the example of docs/protocol-v2.md" },
  { name: "rsa4096-set", key: "rsa4096", commands: SET },
  { name: "ed25519-set", key: "ed25519", commands: SET },
  { name: "root-key-list", key: "root", commands: [["KEY", "LIST"]] },
  { name: "get", key: "ed25519", commands: [["GET", "k"]] },
  { name: "command-of-one-word", key: "ed25519", commands: [["PING"]] },
  { name: "empty-arguments", key: "ed25519", commands: [["SET", "", ""]] },
  { name: "binary", key: "ed25519", commands: [["SET", ALL_BYTES, `\r\n$3\r\n*1\r\n\0${ALL_BYTES}`]] },
  { name: "utf8", key: "ed25519", commands: [["SET", "grüße".normalize(), "v"].map(utf8)] },
  { name: "long-value", key: "ed25519", commands: [["SET", "long", "x".repeat(1000)]] },
  {
    name: "batch",
    key: "ed25519",
    commands: [["SET", "a", "1"], ["INCR", "a"], ["NOSUCH"], ["LPUSH", "l", "x", "y"]],
    note: "four units; the third one's reply is an error",
  },
  { name: "batch-of-4096", key: "ed25519", commands: Array.from({ length: 4096 }, () => ["P"]) },
  {
    name: "unit-of-4097",
    key: "ed25519",
    more: { multi: true },
    commands: Array.from({ length: 4097 }, () => ["P"]),
    note: "only a unit may have more than 4096 commands",
  },
  { name: "seq-highest", key: "ed25519", seq: 65535, commands: SET },
  {
    name: "at-lowest",
    key: "ed25519",
    at: 0,
    commands: SET,
    note: "well formed; a daemon refuses it with the code skew",
  },
  {
    name: "at-highest",
    key: "ed25519",
    at: Number.MAX_SAFE_INTEGER,
    commands: SET,
    note: "well formed; a daemon refuses it with the code skew",
  },
  { name: "db", key: "ed25519", more: { db: 7 }, commands: SET },
  {
    name: "db-highest",
    key: "ed25519",
    more: { db: 2147483647 },
    commands: SET,
    note: "well formed; a daemon refuses it with the code wrong-db",
  },
  {
    name: "multi",
    key: "ed25519",
    more: { multi: true },
    commands: [
      ["SET", "m", "1"],
      ["INCR", "m"],
    ],
  },
  {
    name: "if-absent",
    key: "ed25519",
    more: { if: [condition(0, "new", "")] },
    commands: [["SET", "new", "1"]],
  },
  {
    name: "if-several",
    key: "ed25519",
    more: { if: [condition(0, "k", UNIT), condition(3, "", ""), condition(2147483647, "z", UNIT)] },
    commands: SET,
  },
  {
    name: "if-with-multi",
    key: "ed25519",
    more: { multi: true, if: [condition(0, "m", UNIT)] },
    commands: [
      ["INCR", "m"],
      ["INCR", "m"],
    ],
  },
  { name: "after", key: "ed25519", more: { after: ORDER_KEY }, commands: [["GET", "k"]] },
  { name: "only", key: "ed25519", more: { only: vectorKeys.daemon.id }, commands: [["DBSIZE"]] },
  { name: "as", key: "daemon", more: { as: bytes("alice") }, commands: SET },
  { name: "as-longest", key: "daemon", more: { as: bytes("é".repeat(256)) }, commands: SET },
  {
    name: "everything",
    key: "daemon",
    seq: 1,
    more: {
      db: 3,
      multi: true,
      if: [condition(3, "k", UNIT)],
      after: ORDER_KEY,
      only: vectorKeys.daemon.id,
      as: bytes("bob"),
    },
    commands: [
      ["SET", "k", "v"],
      ["GET", "k"],
    ],
  },
  {
    name: "decide",
    key: "ed25519",
    more: { if: [condition(0, "lock", "")], decide: true },
    commands: [["SET", "lock", "1"]],
    note: "well formed; a daemon without a list of members refuses it with the code cannot-decide",
  },
  {
    name: "decide-on-units",
    key: "ed25519",
    more: {
      ifs: [
        { index: 1, if: [condition(0, "a", UNIT)] },
        { index: 3, if: [condition(0, "b", ""), condition(3, "c", UNIT)] },
      ],
      decide: true,
    },
    commands: [
      ["SETNX", "lock", "1"],
      ["SET", "a", "1"],
      ["HSETNX", "hash", "field", "1"],
      ["SET", "b", "1"],
    ],
    note: "four units with the conditions of two of them; a daemon without a list of members refuses it with the code cannot-decide",
  },
];

function condition(db: number, key: string, writer: string): VectorCondition {
  return { db, key: bytes(key), writer };
}

function utf8(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

export function goodVectors(): GoodVector[] {
  return CASES.map(goodVector);
}

/** Makes a vector whose date is a millisecond after the previous one. */
function goodVector(parts: Case, index: number): GoodVector {
  const { name, key = "rsa2048", at = NOW + index, seq = 0, more = {}, commands, note } = parts;
  const nonce = nonceOf(name);
  const { id: keyId } = vectorKeys[key];
  const header: VectorHeader = {
    key: keyId,
    cluster: cluster.toString("hex"),
    at,
    seq,
    nonce: bytes(nonce),
    ...more,
  };

  const body = resp(["dbsync2", headerOf(header), ...commands]);
  const id = idOf(body).toString("hex");
  const units = more.multi ? 1 : commands.length;
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, "0");
  return {
    name,
    key,
    ...(note === undefined ? {} : { note }),
    header,
    commands: commands.map((argv) => argv.map(bytes)),
    body: body.toString("hex"),
    signedPrefix: signedBytesOf(body).subarray(0, -body.length).toString("hex"),
    id,
    signature: signatureOf(signedBytesOf(body), key).toString("hex"),
    orderKeys: Array.from(
      { length: Math.min(units, 4) },
      (_, unit) => hex(at, 16) + hex(seq, 4) + id + hex(unit, 8),
    ),
  };
}

/** Returns the header as a flat array, in the order of names in the specification. */
function headerOf(header: VectorHeader): Resp[] {
  const { key, cluster, at, seq, nonce, db, multi, ifs, after, only, as, decide } = header;
  const flat: Resp[] = ["key", hexText(key), "cluster", hexText(cluster), "at", String(at)];
  flat.push("seq", String(seq), "nonce", hexText(nonce));
  if (db !== undefined) flat.push("db", String(db));
  if (multi) flat.push("multi", "1");
  if (header.if !== undefined) flat.push("if", conditionsOf(header.if));
  if (ifs !== undefined)
    flat.push(
      "ifs",
      ifs.flatMap((unit) => [String(unit.index), conditionsOf(unit.if)]),
    );
  if (after !== undefined) flat.push("after", hexText(after));
  if (only !== undefined) flat.push("only", hexText(only));
  if (as !== undefined) flat.push("as", hexText(as));
  if (decide) flat.push("decide", "1");
  return flat;
}

const conditionsOf = (conditions: readonly VectorCondition[]): Resp[] =>
  conditions.flatMap(({ db, key, writer }) => [String(db), hexText(key), hexText(writer)]);
