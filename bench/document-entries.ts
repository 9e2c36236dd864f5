/** The entries of bench/documents.ts: four members, ten entries of each group. */
import { JsonClient } from "./document-clients.js";

export const DOCUMENT = "people";
export const GROUP_SIZE = 10;
const BATCH = 1000;

export interface Entry {
  readonly name: string;
  readonly email: string;
  readonly age: number;
  readonly group: number;
}

/** @param count  of the document's entries, which says how many groups there are */
export function entryOf(place: number, count: number): Entry {
  return {
    name: `Person ${place}`,
    email: `person${place}@example.org`,
    age: place % 90,
    group: place % Math.ceil(count / GROUP_SIZE),
  };
}

/** Makes a document anew with so many entries. */
export async function fillDocument(port: number, document: string, count: number): Promise<void> {
  using client = await JsonClient.open(port);
  await client.ask({ action: "create", document });
  for (let from = 0; from < count; from += BATCH) {
    const length = Math.min(BATCH, count - from);
    const data = Array.from({ length }, (_, at) => entryOf(from + at, count));
    await client.ask({ action: "insert", document, data });
  }
}

/** A query for one group, another one each turn. */
export function queryOf(document: string, turn: number, count: number): unknown {
  return { action: "get", document, query: { group: groupOf(turn, count) } };
}

export function whereOf(document: string, turn: number, count: number): unknown {
  return { action: "get", document, where: { group: groupOf(turn, count) } };
}

const groupOf = (turn: number, count: number) => (turn * 7919) % Math.ceil(count / GROUP_SIZE);
