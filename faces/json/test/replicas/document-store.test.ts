/** Tests that a document from a server of --json-replica replaces the local one completely, or changes nothing. */
import "../../../../test/support/all-families.js";
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { LocalUnits, NewestDate } from "../../../../daemon/engine/backends/local-units.js";
import { MemoryBackend } from "../../../../daemon/engine/backends/memory-backend.js";
import { realEnvironment } from "../../../../daemon/net/process/clock-and-randomness.js";
import { shown } from "../../../../test/conformance/resp2-fold.js";
import { LocalPath } from "../../../users/local-command-path.js";
import { DocumentStore } from "../../replicas/document-store.js";

let store: DocumentStore;
beforeEach(() => {
  const backend = new MemoryBackend(realEnvironment);
  store = new DocumentStore(
    new LocalPath(backend, new LocalUnits(realEnvironment, new NewestDate())),
    realEnvironment,
  );
});

const run = (line: string) => shown(store.run(line.split(" ")));
const entry = (key: string, text: string) => ({ key, text });

function fill(): void {
  for (const document of ["a", "b", "c"]) {
    run(`DOC.CREATE ${document}`);
    run(`DOC.INSERT ${document} {"n":1} {"n":2}`);
  }
  run("DOC.INDEX CREATE b n");
}

const state = () => ["DOC.GETALL", "DOC.INDEX LIST b"].map(run);

test("a document with an invalid entry leaves the existing document unchanged", () => {
  fill();
  const before = state();
  const refused = store.replace("b", [entry("0", '{"m":1}'), entry("1", "no JSON")]);
  assert.equal(refused.kind, "error");
  assert.deepEqual(state(), before);
  assert.equal(run('DOC.INSERT b {"n":4}'), '["2"]');
});

test("a new document that is refused is not created", () => {
  assert.equal(store.replace("b", [entry("0", "no JSON")]).kind, "error");
  assert.equal(store.has("b"), false);
  assert.equal(run("DOC.LIST"), "[]");
});

test("an accepted document has the entries that were sent, and keeps its indexes and its position", () => {
  fill();
  const contents = [entry("x", '{"m":1}'), entry("0", '{"n":2}')];
  assert.notEqual(store.replace("b", contents).kind, "error");
  assert.deepEqual(store.contentsOf("b"), contents);
  assert.equal(run("DOC.LIST"), '["a" "b" "c"]');
  assert.equal(run("DOC.INDEX LIST b"), '["n"]');
  store.replace("b", null);
  assert.equal(run("DOC.LIST"), '["a" "c"]');
  store.replace("e", []);
  assert.deepEqual(store.contentsOf("e"), []);
});
