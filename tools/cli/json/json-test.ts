/**
 * `dbsync test json://…`: runs the checks of the original JSON server's test client, in the same order and with the
 * same messages, on a temporary document. Source of the checks and the numbers of samples:
 * test/vectors/json/test-client.json.
 */
import { randomUUID } from "node:crypto";
import type { JsonServerClient } from "./json-server-client.js";

type Answer = Readonly<Record<string, unknown>>;

export interface Check {
  readonly pass: boolean;
  readonly message: string;
}

export interface JsonTest {
  /** Milliseconds until the answer to the first request. */
  readonly latency: number;
  /** The times of each action's requests, in milliseconds; actions are in the order of their first request. */
  readonly samples: ReadonlyMap<string, readonly number[]>;
  readonly checks: readonly Check[];
}

const SAMPLES = 3;
/** The id that the original JSON server assigns to a document's first entry. */
const FIRST_ID = "0";
const JOHN = { name: "John", role: "admin", gender: "male" };
const ANNA = { name: "Anna", role: "user", gender: "female" };
const OTHERS = [
  { name: "Peter", role: "user", gender: "male" },
  { name: "Mary", role: "admin", gender: "female" },
];

/** Runs all checks on a server. @throws Error  the connection failed */
export async function testJsonServer(server: JsonServerClient): Promise<JsonTest> {
  const document = `dbsync_test_${randomUUID().slice(0, 8)}`;
  const samples = new Map<string, number[]>();
  const checks: Check[] = [];
  const timed = async (request: object) => {
    const started = performance.now();
    const answer = await server.query(request);
    return { answer, ms: performance.now() - started };
  };
  /** @param name  the action's name in the report */
  const query = async (name: string, action: string, more: object = {}) => {
    const { answer, ms } = await timed({ action, ...more });
    samples.set(name, [...(samples.get(name) ?? []), ms]);
    return answer;
  };
  const check = (message: string, pass: boolean) => void checks.push({ pass, message });

  const { ms: latency, answer: probe } = await timed({ action: "list" });
  check("latency probe (list) returns response", "status" in probe);
  check("list returns response", "status" in (await query("list", "list")));
  await query("drop", "drop", { document });
  check("create document", succeeded(await query("create", "create", { document })));
  const inserted = await query("insert", "insert", { document, data: [JOHN, ANNA] });
  check("insert entries", succeeded(inserted));
  const entries = entriesOf(await query("get", "get", { document }));
  check("get document returns 2 entries", Object.keys(entries).length === 2);
  const byId = entriesOf(await query("get_by_id", "get", { document, id: FIRST_ID }))[FIRST_ID];
  check("get by id returns John", nameOf(byId) === JOHN.name);
  const { document_keys: keys } = await query("getkeys", "getkeys", { document });
  const hasKeys = Array.isArray(keys) && Object.keys(JOHN).every((name) => keys.includes(name));
  check("getkeys includes name/role/gender", hasKeys);
  const found = entriesOf(await query("query", "get", { document, query: { name: JOHN.name } }));
  check("query returns 1 entry", Object.keys(found).length === 1);
  check("count returns 2", (await query("count", "count", { document }))["count"] === 2);
  const updated = await query("update", "update", { document, id: FIRST_ID, data: OTHERS });
  check("update whole document", succeeded(updated));
  check("delete entry", succeeded(await query("delete", "delete", { document, id: FIRST_ID })));
  const remaining = await query("count_after_delete", "count", { document });
  check("count after delete returns 1", remaining["count"] === 1);
  check("empty document", succeeded(await query("empty", "empty", { document })));
  check("drop document", succeeded(await query("drop_final", "drop", { document })));
  check("getall returns response", "status" in (await query("getall", "getall", { replicate: false })));
  for (let sample = 0; sample < SAMPLES; sample++) await query("list_sample", "list");
  for (let sample = 0; sample < SAMPLES; sample++)
    await query("getall_sample", "getall", { replicate: false });
  for (let sample = 0; sample < SAMPLES; sample++) await query("count_sample", "count", { document });
  return { latency, samples, checks };
}

const succeeded = ({ status }: Answer) => status === "success";

/** Returns the entries by id, or by index if the answer is a list. */
function entriesOf({ data }: Answer): Readonly<Record<string, unknown>> {
  return typeof data === "object" && data !== null ? (data as Record<string, unknown>) : {};
}

function nameOf(entry: unknown): unknown {
  return typeof entry === "object" && entry !== null ? (entry as Record<string, unknown>)["name"] : undefined;
}
