/** Tests which key an argument means, and the comparison of the daemons' key rings. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { type Answer, idOf, type RingKey, ringsOf } from "../../../../tools/cli/keys/fetch-key-rings.js";
import { differenceLines, differencesOf } from "../../../../tools/cli/keys/keys.js";
import { repositoryRoot } from "../../../support/repository.js";

const PUBLIC_KEY = join(repositoryRoot, "test/vectors/php-dbsync/test-rsa2048-public.pem");

const key = (id: string, label: string): RingKey => ({
  id: id.padEnd(64, "0"),
  label,
  role: "application",
  algorithm: "rsa",
  bits: 2048,
  state: "valid",
  from: null,
  until: null,
  revoked: null,
  rate: 0,
  rules: ["+@all", "~*"],
  addedBy: null,
});

const keys = [
  key("abcd1", "web"),
  key("abcd2", "ci"),
  key("1234", "abcd"),
  key("ffff", "twice"),
  key("eeee", "twice"),
];
const ask = async () => keys;
const never = () => assert.fail("the key ring must not be requested");

test("idOf accepts an id without reading the key ring", async () => {
  assert.equal(await idOf("AB".repeat(32), never), "ab".repeat(32));
});

test("idOf accepts the file of a public key without reading the key ring", async () => {
  assert.match(await idOf(PUBLIC_KEY, never), /^[\da-f]{64}$/);
  await assert.rejects(idOf("./none.pem", never), /none\.pem does not exist/);
  await assert.rejects(idOf(PUBLIC_KEY.replace("public", "private"), never), /contains a private key/);
});

test("idOf accepts the first digits of an id in upper or lower case, or a label", async () => {
  assert.equal(await idOf("ABCD1", ask), keys[0]?.id);
  assert.equal(await idOf("web", ask), keys[0]?.id);
});

test("idOf refuses an argument that matches several keys or none, or is too short", async () => {
  await assert.rejects(idOf("abcd", ask), /"abcd" matches 3 keys: .*\(web\).*\(ci\).*type more digits/);
  await assert.rejects(idOf("twice", ask), /matches 2 keys/);
  await assert.rejects(idOf("123", ask), /there is no key "123"/);
  await assert.rejects(idOf("missing", ask), /there is no key "missing"; .*dbsync keys list/);
});

test("key rings are compared regardless of order, and each difference names the daemons", () => {
  const reply = ([id, label]: readonly [string, string]) =>
    ["id", id, "label", label, "rules", ["+@all"], "from", null, "rate", 0] as (
      | string
      | number
      | null
      | string[]
    )[];
  const answer = (address: string, ...keys: (readonly [string, string])[]): Answer => ({
    address,
    reply: keys.map(reply),
    error: null,
  });
  const failed: Answer = { address: "down", reply: null, error: new Error("disconnected") };
  const rings = ringsOf([
    failed,
    answer("one", ["ab", "x"], ["cd", "y"]),
    answer("two", ["cd", "y"], ["ab", "x"]),
  ]);
  assert.deepEqual(
    rings.map(({ address, keys }) => [address, keys.length]),
    [
      ["one", 2],
      ["two", 2],
    ],
  );
  assert.deepEqual(differencesOf(rings), []);

  const others = ringsOf([answer("one", ["ab", "x"]), answer("two", ["ab", "z"], ["cd", "y"])]);
  assert.deepEqual(differenceLines(differencesOf(others)), [
    "ab (x): on one label x",
    "ab (x): on two label z",
    "cd (y): unknown to one",
  ]);

  assert.throws(() => ringsOf([failed]), /disconnected/);
});
