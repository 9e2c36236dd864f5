/**
 * Runs tests in MongoDB's unified test format with the Node.js driver. It supports the features that the tests of CRUD
 * and of the versioned API need. Source: MongoDB's specifications, "Unified Test Format".
 */
import assert from "node:assert/strict";
import {
  BSON,
  type Collection,
  type CommandStartedEvent,
  type Db,
  type Document,
  type MongoBulkWriteError,
  MongoClient,
  type MongoClientOptions,
  MongoServerError,
} from "mongodb";

export interface TestFile {
  readonly description: string;
  readonly runOnRequirements?: readonly Requirement[];
  readonly createEntities: readonly Document[];
  readonly initialData?: readonly CollectionData[];
  readonly tests: readonly UnifiedTest[];
}

export interface UnifiedTest {
  readonly description: string;
  readonly runOnRequirements?: readonly Requirement[];
  readonly skipReason?: string;
  readonly operations: readonly Operation[];
  readonly expectEvents?: readonly { readonly client: string; readonly events: readonly Document[] }[];
  readonly outcome?: readonly CollectionData[];
}

interface Requirement {
  readonly minServerVersion?: string;
  readonly maxServerVersion?: string;
  readonly topologies?: readonly string[];
  readonly serverless?: string;
}

interface CollectionData {
  readonly collectionName: string;
  readonly databaseName: string;
  readonly documents: readonly Document[];
}

interface Operation {
  readonly name: string;
  readonly object: string;
  readonly arguments?: Document;
  readonly expectResult?: unknown;
  readonly expectError?: Document;
  readonly saveResultAsEntity?: string;
}

const SERVER = [7, 0, 0];
const TOPOLOGIES = ["single"];

export const parsed = (text: string): TestFile => BSON.EJSON.parse(text, { relaxed: true }) as TestFile;

/** Returns whether a test applies to a server of this version and topology. */
export function applies({ runOnRequirements: some }: Pick<TestFile, "runOnRequirements">): boolean {
  return (
    some === undefined ||
    some.some(
      ({ minServerVersion: min, maxServerVersion: max, topologies }) =>
        (min === undefined || compared(min) <= 0) &&
        (max === undefined || compared(max) >= 0) &&
        (topologies === undefined || topologies.some((one) => TOPOLOGIES.includes(one))),
    )
  );
}

/** Compares a version with the server's. @returns a negative number if `version` is earlier, 0 if they are equal */
function compared(version: string): number {
  const parts = version.split(".").map(Number);
  for (const [i, own] of SERVER.entries()) if ((parts[i] ?? 0) !== own) return (parts[i] ?? 0) - own;
  return 0;
}

/**
 * Runs one test against a server.
 * @param own  a client that inserts the documents of the tests, and reads the result
 * @throws Error  a result differs from the expected one
 */
export async function runTest(
  file: TestFile,
  one: UnifiedTest,
  url: string,
  own: MongoClient,
): Promise<void> {
  const scene = new Scene(url, own);
  try {
    await scene.fill(file.initialData ?? []);
    scene.create(file.createEntities);
    for (const operation of one.operations) await scene.carryOut(operation);
    for (const { client, events } of one.expectEvents ?? []) scene.checkEvents(client, events);
    for (const data of one.outcome ?? []) await scene.checkOutcome(data);
  } finally {
    await scene.close();
  }
}

class Scene {
  readonly #url: string;
  readonly #own: MongoClient;
  readonly #clients = new Map<string, MongoClient>();
  readonly #databases = new Map<string, Db>();
  readonly #collections = new Map<string, Collection>();
  readonly #events = new Map<string, CommandStartedEvent[]>();

  constructor(url: string, own: MongoClient) {
    this.#url = url;
    this.#own = own;
  }

  async fill(data: readonly CollectionData[]): Promise<void> {
    for (const { databaseName, collectionName, documents } of data) {
      const database = this.#own.db(databaseName);
      await database.collection(collectionName).drop();
      if (documents.length === 0) await database.createCollection(collectionName);
      else await database.collection(collectionName).insertMany(copied(documents));
    }
  }

  create(entities: readonly Document[]): void {
    for (const { client, database, collection } of entities) {
      if (client !== undefined) this.#createClient(client);
      if (database !== undefined) {
        const own = this.#clients.get(database.client) as MongoClient;
        this.#databases.set(database.id, own.db(database.databaseName, database.databaseOptions));
      }
      if (collection !== undefined) {
        const own = this.#databases.get(collection.database) as Db;
        const { collectionName, collectionOptions } = collection;
        this.#collections.set(collection.id, own.collection(collectionName, collectionOptions));
      }
    }
  }

  #createClient({ id, uriOptions = {}, serverApi }: Document): void {
    const options: MongoClientOptions = { ...uriOptions, monitorCommands: true };
    if (serverApi !== undefined) options.serverApi = serverApi;
    const client = new MongoClient(this.#url, options);
    const events: CommandStartedEvent[] = [];
    client.on("commandStarted", (event) => {
      events.push({ ...event, command: copied(event.command) } as CommandStartedEvent);
    });
    this.#clients.set(id, client);
    this.#events.set(id, events);
  }

  async carryOut({ name, object, arguments: options = {}, ...expected }: Operation): Promise<void> {
    let result: unknown;
    try {
      result = await this.#called(name, object, copied(options));
    } catch (problem) {
      if (expected.expectError === undefined) throw problem;
      checkError(problem, expected.expectError);
      return;
    }
    assert.equal(expected.expectError, undefined, `${name} should have failed`);
    if (expected.expectResult !== undefined) match(plain(result), expected.expectResult, name, true);
  }

  #called(name: string, object: string, { ...options }: Document): Promise<unknown> {
    const collection = this.#collections.get(object);
    const database = this.#databases.get(object);
    if (options["returnDocument"] !== undefined)
      options["returnDocument"] = String(options["returnDocument"]).toLowerCase();
    const call = (target: Collection | Db, ...names: readonly string[]) => {
      const first = names.map((one) => options[one]);
      for (const one of names) delete options[one];
      const method = (target as unknown as Record<string, (...args: unknown[]) => unknown>)[name];
      if (method === undefined) throw new Error(`the driver has no ${name}`);
      return method.call(target, ...first, options);
    };
    const some = (cursor: unknown) => (cursor as { toArray(): Promise<unknown> }).toArray();
    if (name === "runCommand") return (database as Db).command(options["command"]);
    if (name === "modifyCollection") {
      const { collection: collMod, ...collectionOptions } = options;
      return (database as Db).command({ collMod, ...collectionOptions });
    }
    if (collection === undefined && database === undefined) throw new Error(`${name} of ${object}`);
    const target = (collection ?? database) as Collection | Db;

    switch (name) {
      case "find":
        return some(call(target, "filter"));
      case "aggregate":
        return some(call(target, "pipeline"));
      case "listCollections":
      case "listIndexes":
        return some(call(target, ...(name === "listIndexes" ? [] : ["filter"])));
      case "distinct":
        return call(target, "fieldName", "filter") as Promise<unknown>;
      case "updateOne":
      case "updateMany":
      case "findOneAndUpdate":
        return call(target, "filter", "update") as Promise<unknown>;
      case "replaceOne":
      case "findOneAndReplace":
        return call(target, "filter", "replacement") as Promise<unknown>;
      case "findOne":
      case "deleteOne":
      case "deleteMany":
      case "findOneAndDelete":
      case "countDocuments":
        return call(target, "filter") as Promise<unknown>;
      case "insertOne":
        return call(target, "document") as Promise<unknown>;
      case "insertMany":
        return call(target, "documents") as Promise<unknown>;
      case "bulkWrite":
        return call(target, "requests") as Promise<unknown>;
      case "createIndex":
        return call(target, "keys") as Promise<unknown>;
      case "createCollection":
      case "dropCollection":
        return call(target, "collection") as Promise<unknown>;
      case "estimatedDocumentCount":
        return call(target) as Promise<unknown>;
      default:
        throw new Error(`unknown operation: ${name}`);
    }
  }

  checkEvents(client: string, expected: readonly Document[]): void {
    const seen = this.#events.get(client) ?? [];
    assert.equal(seen.length, expected.length, `events: ${seen.map((one) => one.commandName).join(", ")}`);
    for (const [i, { commandStartedEvent: event }] of expected.entries()) {
      const { command, commandName, databaseName } = event as Document;
      const one = seen[i] as CommandStartedEvent;
      if (commandName !== undefined) assert.equal(one.commandName, commandName);
      if (databaseName !== undefined) assert.equal(one.databaseName, databaseName);
      if (command !== undefined) match(plain(one.command), command, `event ${i}`, true);
    }
  }

  async checkOutcome({ databaseName, collectionName, documents }: CollectionData): Promise<void> {
    const found = await this.#own
      .db(databaseName)
      .collection(collectionName)
      .find()
      .sort({ _id: 1 })
      .toArray();
    assert.deepEqual(plain(found), plain(documents), "outcome");
  }

  async close(): Promise<void> {
    for (const client of this.#clients.values()) await client.close();
  }
}

const copied = <T>(value: T): T =>
  BSON.EJSON.deserialize(BSON.EJSON.serialize(value, { relaxed: false }), { relaxed: true }) as T;
const plain = (value: unknown): unknown =>
  value === undefined ? undefined : BSON.EJSON.serialize(accessible(value) as Document, { relaxed: true });

/** Returns the values of a result's getters as fields. */
function accessible(value: unknown): unknown {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  if (Object.getPrototypeOf(value) === Object.prototype) return value;
  const names = [
    "insertedCount",
    "matchedCount",
    "modifiedCount",
    "deletedCount",
    "upsertedCount",
    "upsertedIds",
    "insertedIds",
  ];
  return names.some((name) => name in value)
    ? Object.fromEntries(names.map((name) => [name, (value as Document)[name]]))
    : value;
}

function checkError(problem: unknown, expected: Document): void {
  const { isClientError, errorCode, errorContains, errorCodeName, expectResult } = expected;
  assert.ok(problem instanceof Error);
  if (isClientError === true) assert.ok(!(problem instanceof MongoServerError), problem.message);
  if (isClientError === false) assert.ok(problem instanceof MongoServerError, problem.message);
  if (errorCode !== undefined) assert.equal((problem as MongoServerError).code, errorCode, problem.message);
  if (errorCodeName !== undefined) assert.equal((problem as MongoServerError).codeName, errorCodeName);
  if (errorContains !== undefined)
    assert.ok(problem.message.toLowerCase().includes(String(errorContains).toLowerCase()), problem.message);
  if (expectResult !== undefined)
    match(plain((problem as MongoBulkWriteError).result), expectResult, "result of the error", true);
}

/**
 * Compares a result. @param isRoot  whether additional fields are permitted @throws AssertionError  the result differs
 */
function match(actual: unknown, expected: unknown, where: string, isRoot = false): void {
  if (Array.isArray(expected)) {
    assert.ok(Array.isArray(actual), `${where}: ${JSON.stringify(actual)} is not a list`);
    assert.equal(actual.length, expected.length, where);
    for (const [i, one] of expected.entries()) match(actual[i], one, `${where}[${i}]`, isRoot);
    return;
  }

  if (typeof expected !== "object" || expected === null) {
    assert.deepEqual(actual, expected, where);
    return;
  }

  const [operator = ""] = Object.keys(expected);
  const operand = (expected as Document)[operator] as unknown;
  if (operator === "$$unsetOrMatches") {
    if (actual !== undefined) match(actual, operand, where, isRoot);
  } else if (operator === "$$exists") assert.equal(actual !== undefined, operand, where);
  else if (operator === "$$type") assert.notEqual(actual, undefined, where);
  else {
    assert.ok(typeof actual === "object" && actual !== null, `${where}: ${JSON.stringify(actual)}`);
    for (const [name, one] of Object.entries(plain(expected) as Document))
      match((actual as Document)[name], one, `${where}.${name}`);
    if (isRoot) return;
    const names = Object.keys(expected);
    for (const name of Object.keys(actual))
      assert.ok(names.includes(name), `${where}.${name} is not expected`);
  }
}
