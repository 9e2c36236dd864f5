/** Tests placement: the original's recorded routes, and a hash that distributes evenly. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  keyOfDatabase,
  originalKey,
  placementKey,
  rendezvous,
} from "../../../../tools/proxy/routing/server-order.js";
import { statementKind } from "../../../../tools/proxy/routing/statement-kind.js";
import { repositoryRoot } from "../../../support/repository.js";

interface Route {
  readonly kind: "READ" | "WRITE" | "USE";
  readonly db: string | null;
  readonly key: string | null;
  readonly backend: string;
}

const steps = (
  JSON.parse(readFileSync(join(repositoryRoot, "test/vectors/sql/transcripts.json"), "utf8")) as {
    readonly steps: readonly { readonly send?: string; readonly route?: Route }[];
  }[]
).flatMap(({ steps: each }) => each);

const MASTERS = [{ id: "m1" }, { id: "m2" }];

test("every key and every placement equals the original's recorded choice", () => {
  let placed = 0;
  for (const { send = "", route } of steps) {
    if (route === undefined) continue;
    const { kind, db, backend } = route;
    const statement = send.replace(/;$/, "");
    if (kind === "WRITE") assert.equal(originalKey(statement, db ?? ""), route.key, send);
    const key = kind === "READ" && db !== null ? keyOfDatabase(db) : route.key;
    if (kind === "USE" || key === null) continue;
    assert.equal(rendezvous(MASTERS, key, "original")[0]?.id, backend, `${send} ${key}`);
    placed++;
  }
  assert.equal(placed, 113);
});

test("the kinds of all recorded statements agree with the original's", () => {
  for (const { send = "", route } of steps) {
    if (route === undefined) continue;
    assert.equal(statementKind(send.replace(/;$/, "")).kind, route.kind.toLowerCase(), send);
  }
});

test("the even hash assigns a third of the keys to each of three servers, and moves only the keys of a removed server", () => {
  const three = ["m1", "m2", "m3"].map((id) => ({ id }));
  const taken = new Map<string, number>();
  for (let i = 0; i < 3000; i++) {
    const key = `DB:shop|TABLE:t${i}`;
    const [best, second] = rendezvous(three, key, "even");
    assert.ok(best !== undefined && second !== undefined);
    taken.set(best.id, (taken.get(best.id) ?? 0) + 1);
    const left = three.filter(({ id }) => id !== "m2");
    assert.equal(rendezvous(left, key, "even")[0], best.id === "m2" ? second : best);
  }
  for (const [id, count] of taken) assert.ok(count > 900 && count < 1100, `${id}: ${count}`);
});

test("all statements about one table have the same key in either language, or the database's key", () => {
  const statements = [
    "create table t (k number)",
    "insert into t values (1)",
    "havaozy t ova k = 1",
    "fafao ao@ t",
    "drop table t",
  ];
  for (const [partition, due] of [
    ["object", "DB:d|TABLE:t"],
    ["database", "DB:d"],
  ] as const)
    for (const statement of statements) {
      const found = statementKind(statement);
      assert.ok(found.kind === "write");
      assert.equal(placementKey(found.object, "d", partition), due, statement);
    }
  const made = statementKind("create database e");
  assert.ok(made.kind === "write");
  assert.equal(placementKey(made.object, "d", "object"), "DB:e");
});
