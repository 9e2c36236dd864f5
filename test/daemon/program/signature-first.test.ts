/**
 * Tests that only the head of a body is read before its signature is verified, however long the body is. The tests
 * count all reads of bytes.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { entryCheck } from "../../../daemon/cluster/replica/check-entry.js";
import type { Recording } from "../../../daemon/engine/pipeline/recording-interface.js";
import type { Signers } from "../../../daemon/engine/trust/signers.js";
import { MalformedFrame } from "../../../protocol/errors.js";
import { HASH_BYTES, readBody, signerOf } from "../../../protocol/version-2/envelope.js";
import { readHead } from "../../../protocol/version-2/envelope-head.js";
import { double } from "../../support/double.js";
import { makeKeyPair, type SignedEnvelope, signCommands } from "../../support/envelope-client.js";
import { makeScene } from "./scene.js";

const pair = makeKeyPair();
const unlisted = makeKeyPair();
const NOW = 1_790_000_000_000;
/** Maximum length of a head in bytes; heads have about 200 bytes. */
const HEAD_BYTES_MAX = 400;
const COMMANDS = Array.from({ length: 4096 }, (_, i) => ["SET", `key:${i}`, "v".repeat(100)]);

/** Returns a body that records how far it was read. */
function watched(body: Buffer): { readonly body: Buffer; readonly furthest: () => number } {
  let furthest = 0;
  const note = (end: number) => {
    furthest = Math.max(furthest, end);
  };
  const proxy = new Proxy(body, {
    get(target, name) {
      if (typeof name === "string" && /^\d+$/.test(name)) {
        note(Number(name));
        return target[Number(name)];
      }
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        if (name === "subarray" || name === "toString") note(Number(args.at(-1)));
        return Reflect.apply(value, target, args);
      };
    },
  });
  return { body: proxy, furthest: () => furthest };
}

const changed = ({ signature, ...others }: SignedEnvelope): SignedEnvelope => ({
  ...others,
  signature: Buffer.alloc(signature.length),
});

/** Computes the id and verifies the signature without reading the watched body. */
const hash = () => "x".repeat(HASH_BYTES);

test("an envelope with an unknown key or a bad signature is read only up to its date, even with a timeline", () => {
  const held = new Set<string>();
  const recording = {
    records: () => true,
    holds: ({ id }: { id: string }) => held.has(id),
    readStatus: "",
    seenTo: Number.NEGATIVE_INFINITY,
  } as unknown as Recording;

  const scene = makeScene({ clock: { now: NOW }, pair, parts: { hash, recording } });
  const { pipeline, cluster } = scene;
  const { signers } = pipeline;
  assert.ok(signers !== null);
  pipeline.signers = double<Signers>({
    ring: signers.ring,
    find: (id) => signers.find(id),
    cluster,
    verify: () => false,
  });

  const foreign = signCommands(unlisted, COMMANDS, { cluster, at: NOW });
  const forged = changed(scene.sign(COMMANDS));

  for (const effect of ["not-applied", "unknown"]) {
    for (const [envelope, code] of [[foreign, "unknown-key"] as const, [forged, "bad-signature"] as const]) {
      const { body, furthest } = watched(envelope.body);
      const answer = scene.take({ ...envelope, body });
      assert.ok(!(answer instanceof Promise) && answer.kind === "refused");
      assert.deepEqual([answer.code, answer.effect], [code, effect]);
      assert.ok(furthest() > 50 && furthest() < HEAD_BYTES_MAX, `read up to byte ${furthest()}`);
    }
    held.add(hash());
  }
});

test("an entry from a member is read only up to its date before its signature is verified", () => {
  const { pipeline, cluster, sign } = makeScene({ clock: { now: NOW }, pair });
  const { signers } = pipeline;
  assert.ok(signers !== null);

  let isGood = false;
  const checking = double<Signers>({
    ring: signers.ring,
    find: (id) => signers.find(id),
    cluster,
    verify: () => isGood,
  });
  const check = entryCheck(checking, null);
  const good = sign(COMMANDS);

  const furthestOf = ({ body, signature }: SignedEnvelope, isHeld = false) => {
    const one = watched(body);
    // The id is fixed, because hashing would read all bytes.
    const judged = check(
      one.body,
      signature,
      { holds: () => isHeld, hasRoom: () => true },
      { id: hash(), spki: "" },
    );
    return [typeof judged === "string" ? judged : Object.keys(judged).join(), one.furthest()] as const;
  };

  const foreign = signCommands(unlisted, COMMANDS, { cluster, at: NOW });
  const cases = [
    [furthestOf(good), "refused"],
    [furthestOf(good, true), "stored"],
    [furthestOf(foreign), "unknown-signer"],
  ] as const;
  for (const [[outcome, furthest], expected] of cases) {
    assert.equal(outcome, expected);
    assert.ok(furthest > 50 && furthest < HEAD_BYTES_MAX, `${outcome}: read up to byte ${furthest}`);
  }

  isGood = true;
  const [outcome, furthest] = furthestOf(good);
  assert.match(outcome, /envelope/);
  assert.ok(furthest >= good.body.length - 2, "a valid envelope is read completely");
});

test("readHead returns the same key and date as readBody, and refuses malformed heads", () => {
  const { cluster } = makeScene({ clock: { now: NOW }, pair });
  const conditions = Array.from({ length: 1024 }, (_, i) => ({ db: 0, key: `k${i}`, writer: "" }));
  const { body } = signCommands(pair, [["GET", "k"]], { cluster, at: 5, seq: 7, if: conditions });
  const { key, at, seq } = readBody(body);
  assert.deepEqual(readHead(body), { key, at, seq });

  const text = body.toString("latin1");
  const date = "$2\r\nat\r\n$1\r\n5\r\n$3\r\nseq\r\n$1\r\n7\r\n";
  const last = text.indexOf("*2\r\n$3\r\nGET");
  const moved = text.slice(0, last).replace(date, "") + date + text.slice(last);
  assert.deepEqual(readHead(Buffer.from(moved, "latin1")), { key, at, seq });

  const without = Buffer.from(text.replace(date, date.replace("seq", "sex")), "latin1");
  const long = Buffer.from(`*3\r\n$64000000\r\n${"x".repeat(64)}`, "latin1");
  for (const wrong of [without, long, body.subarray(0, 40), Buffer.from("*0\r\n")]) {
    assert.throws(() => readHead(wrong), MalformedFrame);
  }
  assert.equal(signerOf(body), key);
});
