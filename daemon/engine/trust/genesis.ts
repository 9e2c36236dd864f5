/**
 * The keys and the name with which a cluster was created. They determine the cluster's id, so they must be the same on
 * all its daemons (source: docs/protocol-v2.md "Cluster"), and the timeline begins with them, so a start with different
 * keys would produce a different state: the daemon compares its keys with those of its data folder.
 */
import { type ByteString, bytesOfText, textOfBytes } from "../../../protocol/byte-string.js";
import { MalformedFrame } from "../../../protocol/errors.js";
import { RespReader } from "../../../protocol/resp/resp-reader.js";
import { writeArrayHead, writeBulk, writeCommand } from "../../../protocol/resp/resp-writer.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import { StartError } from "../../net/process/service.js";
import type { MarkSource, Storage } from "../../timeline/entries/storage.js";
import { hashOf } from "./identity.js";

/** The settings that determine the id of a cluster. */
export interface Genesis {
  /** The value of --cluster-name. */
  readonly name: string;
  /** The ids of the keys of -s, 32 bytes each. */
  readonly applications: readonly ByteString[];
  /** The ids of the keys of --root-key. */
  readonly roots: readonly ByteString[];
}

const MAGIC = "dbsync2";
const PREFIX = Buffer.from("dbsync2\0genesis\0", "latin1");

/** Returns the cluster's id, 32 bytes. The order of the keys does not matter. */
export function clusterIdOf(genesis: Genesis): ByteString {
  const bytes = writeGenesis(genesis);
  const length = Buffer.alloc(8);
  length.writeBigUInt64BE(BigInt(bytes.length));
  return hashOf(Buffer.concat([PREFIX, length, Buffer.from(bytes, "latin1")]));
}

/**
 * Returns the id of the cluster that a data folder belongs to, or null if none is recorded.
 * @throws StartError  the record is damaged
 */
export function recordedCluster(storage: MarkSource): ByteString | null {
  const bytes = storage.readMark("genesis");
  return bytes === null ? null : clusterIdOf(read(bytes));
}

/** Returns the bytes whose hash is the cluster's id. Data folders store these bytes. */
function writeGenesis({ name, applications, roots }: Genesis): ByteString {
  const lists = writeCommand([...applications].sort()) + writeCommand([...roots].sort());
  return writeArrayHead(4) + writeBulk(MAGIC) + writeBulk(bytesOfText(name)) + lists;
}

/** Parses the bytes of `writeGenesis`. @throws MalformedFrame */
function readGenesis(bytes: Buffer): Genesis {
  const reader = new RespReader(bytes);
  if (reader.readArrayHead() !== 4 || reader.readBulk() !== MAGIC)
    throw reader.malformed("expected a genesis");
  const name = textOfBytes(reader.readBulk());
  const applications = readList(reader);
  const roots = readList(reader);
  reader.expectEnd();
  return { name, applications, roots };
}

function readList(reader: RespReader): ByteString[] {
  return Array.from({ length: reader.readArrayHead() }, () => reader.readBulk());
}

/**
 * Records the keys in a new data folder, or compares them with the recorded keys of an existing one.
 * @param advice  returns further sentences for the error if the keys differ
 * @returns whether the folder is new
 * @throws StartError  they differ; names the commands that change keys
 */
export async function recordGenesis(
  storage: Storage,
  genesis: Genesis,
  advice: () => string = () => "",
): Promise<boolean> {
  const bytes = storage.readMark("genesis");
  if (bytes === null) {
    storage.put([], [["genesis", Buffer.from(writeGenesis(genesis), "latin1")]]);
    await storage.flushed();
    return true;
  }
  compareGenesis(bytes, genesis, advice);
  return false;
}

/** @param bytes  the recorded keys @throws StartError  they differ */
export function compareGenesis(bytes: Buffer, genesis: Genesis, advice: () => string = () => ""): void {
  const differences = differencesOf(read(bytes), genesis);
  if (differences.length === 0) return;
  throw new StartError(
    `The data folder was created with other keys, which cannot be replaced: ${differences.join("; ")}. ` +
      "Start the daemon with the original keys; add and revoke keys with commands: dbsync keys add FILE, " +
      `dbsync keys revoke ID (KEY ADD, KEY REVOKE).${advice()}`,
    2,
  );
}

function read(bytes: Buffer): Genesis {
  try {
    return readGenesis(bytes);
  } catch (problem) {
    if (!(problem instanceof MalformedFrame)) throw problem;
    throw new StartError(
      "The data folder's record of its original keys is damaged. Restore the folder from a copy, or create a new one.",
      1,
    );
  }
}

/** Returns a phrase for each difference. */
function differencesOf(before: Genesis, now: Genesis): string[] {
  const name = before.name === now.name ? [] : [`--cluster-name was ${before.name}, and is ${now.name} now`];
  return [
    ...name,
    ...keyDifferences("-s", before.applications, now.applications),
    ...keyDifferences("--root-key", before.roots, now.roots),
  ];
}

function keyDifferences(option: string, before: readonly ByteString[], now: readonly ByteString[]): string[] {
  const missing = before
    .filter((id) => !now.includes(id))
    .map((id) => `${option} no longer contains key ${hexOf(id)}`);
  const added = now
    .filter((id) => !before.includes(id))
    .map((id) => `${option} additionally contains key ${hexOf(id)}`);
  return [...missing, ...added];
}
