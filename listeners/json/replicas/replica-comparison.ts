/** A server that has just been met beside what is here: a daemon that follows this one is given what it lacks, of others is told what differs. */
import type { Logger } from "pino";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { DocumentStore } from "./document-store.js";
import type { Fleet } from "./fleet.js";
import { differing, levelOut } from "./levelling.js";
import type { MissedDocuments } from "./missed-documents.js";
import type { ReplicaConnection } from "./replica-connection.js";
import type { ReplicaContact } from "./replica-contact.js";
import type { ReplicaDelivery } from "./replica-delivery.js";

export interface ComparisonParts {
  readonly host: { readonly fleet: Fleet; readonly store: DocumentStore; readonly log: Logger };
  readonly contact: ReplicaContact;
  readonly missed: MissedDocuments;
  /** Documents that it must have. */
  readonly known: Set<ByteString>;
  readonly delivery: ReplicaDelivery;
  /** It has other contents. */
  readonly differs: (documents: readonly ByteString[]) => void;
  readonly adopted: (document: ByteString) => void;
  /** All that has been written before is on its way. */
  readonly sealed: () => void;
}

/** @returns false: it does not follow this one, and has not taken what it was given @throws Error  the connection */
export async function compareWith(connection: ReplicaConnection, parts: ComparisonParts): Promise<boolean> {
  const { contact, missed, known, host } = parts;
  if (contact.kind === "follower") return await bringLevel(connection, parts);
  const kind = contact.kind === "alone" ? "alone" : "original";
  const { absent, others } = await differing(connection, host.store, kind, known);
  for (const document of absent) missed.add(document);
  const told = others.filter((document) => !missed.has(document));
  if (told.length > 0) parts.differs(told);
  contact.isCompared = true;
  return true;
}

/** Whether a server has a document of this name that was never seen here, with other contents. @throws Error  the connection */
export async function isForeign(
  document: ByteString,
  contact: ReplicaContact,
  known: ReadonlySet<ByteString>,
  { store }: { readonly store: DocumentStore },
): Promise<boolean> {
  const { kind } = contact;
  if (known.has(document) || (kind !== "original" && kind !== "alone")) return false;
  const { others } = await differing(await contact.connected(), store, kind, new Set([document]));
  return others.length > 0;
}

async function bringLevel(connection: ReplicaConnection, parts: ComparisonParts): Promise<boolean> {
  const { host, contact, missed, known, delivery, differs, adopted } = parts;
  const levelled = await levelOut(connection, {
    host,
    missed,
    adopted,
    counts: contact.met?.counts ?? new Map(),
    sealed: () => {
      parts.sealed();
      contact.isCompared = true;
      missed.clear();
      known.clear();
      for (const document of host.store.names) known.add(document);
    },
  });
  if (levelled === null) return false;
  if (levelled.unexplained.length > 0) differs(levelled.unexplained);
  for (const { document, answer } of levelled.sent) delivery.isTaken(document, await answer);
  if (!delivery.isFollowing(await levelled.isLevel)) return false;
  if (missed.size === 0) host.log.info({ replica: contact.name }, "a JSON replica has the same documents");
  return true;
}
