/**
 * `--json-replica`: servers of the original's kind that are sent what JSON clients write here, as the original sends it to the
 * servers in its list; at the start they give the documents that are not here yet. Source: test/vectors/json, "Replication".
 */
import type { Logger } from "pino";
import { type ByteString, bytesOfText, textOfBytes } from "../../../protocol/byte-string.js";
import {
  isContainer,
  JsonNumber,
  JsonObject,
  type JsonValue,
  memberNames,
  memberValues,
} from "../../../protocol/json-value.js";
import { writeJson, writePhpString } from "../../../protocol/json-writer.js";
import type { Reply } from "../../../protocol/reply.js";
import { resolveCommand } from "../../../store/command-table.js";
import { CommandFailure } from "../../../store/errors.js";
import type { CommandPath } from "../../command-path.js";
import type { Environment } from "../../environment.js";
import type { Limits } from "../../limits.js";
import type { ReplicaPlace } from "./replica-connection.js";
import { ReplicaLink } from "./replica-link.js";
import { type Contents, type Forwarded, repeated, translated } from "./replica-requests.js";
import { bulksOf, bytesOf, itemsOf } from "./reply-parts.js";
import type { JsonRequest } from "./request.js";
import { wordOf } from "./selection.js";

const GET_ALL = '{"action":"getall","replicate":false}';

export interface JsonReplicasParts {
  readonly places: readonly ReplicaPlace[];
  readonly path: CommandPath;
  readonly limits: Limits;
  readonly environment: Environment;
  readonly log: Logger;
}

export class JsonReplicas {
  readonly #parts: JsonReplicasParts;
  readonly #links: readonly ReplicaLink[];

  constructor(parts: JsonReplicasParts) {
    const { places, limits, log } = parts;
    this.#parts = parts;
    const bounds = { silenceMs: limits.jsonReplicaTimeout, maxBytes: limits.maxOutputBytes };
    const contentsOf = (document: ByteString) => this.#contentsOf(document);
    this.#links = places.map((place) => new ReplicaLink({ place, bounds, contentsOf, log }));
  }

  /** Takes over the documents that are not here yet, from one after the other. */
  async copyMissing(): Promise<void> {
    const { log } = this.#parts;
    for (const link of this.#links) {
      try {
        const documents = (await link.ask(GET_ALL)).get("documents");
        if (!isContainer(documents)) throw new Error("its answer has no documents");
        const values = memberValues(documents);
        const isThere = new Set(bulksOf(this.#run(["DOC.LIST"])));
        const names = memberNames(documents).map(bytesOfText);
        link.keep(names);
        for (const [at, name] of names.entries())
          if (!isThere.has(name))
            this.#runAll(link, name, [...copying(name, values[at]), ...(await restOf(link, name))]);
        log.info({ replica: link.name, documents: names.length }, "has given its documents");
      } catch (problem) {
        const reason = problem instanceof Error ? problem.message : String(problem);
        log.warn({ replica: link.name, reason }, "could not give its documents");
      }
    }
  }

  /** What a request has just changed here. @returns whether another server has confirmed it */
  async forward(request: JsonRequest): Promise<boolean> {
    const { document } = request;
    if (document === undefined) return false;
    let words: Forwarded | null = null;
    const changed = {
      contents: () => this.#contentsOf(document),
      firstKey: () => bytesOf(itemsOf(this.#run(["DOC.GETKEYS", document]))[0]),
      isCounted: () => this.#isCounted(document),
    };
    const write = {
      document,
      isDrop: request.action === "drop",
      repeated: repeated(request),
      translated: () => (words ??= translated(request, document, changed)),
    };
    const all = await Promise.all(this.#links.map((link) => link.forward(write)));
    return all.includes(true);
  }

  stop(): void {
    for (const link of this.#links) link.stop();
  }

  #runAll(from: ReplicaLink, name: ByteString, commands: readonly (readonly ByteString[])[]): void {
    for (const argv of commands) {
      const reply = this.#run(argv);
      if (reply.kind !== "error") continue;
      const told = { replica: from.name, document: textOfBytes(name), reason: reply.text };
      this.#parts.log.warn(told, "has given a document that cannot be taken over");
      return;
    }
  }

  #contentsOf(document: ByteString): Contents {
    const reply = this.#run(["DOC.GET", document, "DETAILS"]);
    if (reply.kind === "error") return null;
    const now = this.#parts.environment.clock();
    const items = itemsOf(reply);
    const entries = items.flatMap((key, at) => {
      if (at % 2 === 1) return [];
      const [text, , expires] = itemsOf(items[at + 1]);
      const ttl =
        expires?.kind === "integer" ? Math.max(1, Math.ceil((Number(expires.value) - now) / 1000)) : null;
      return [{ key: textOfBytes(bytesOf(key)), text: bytesOf(text), ttl }];
    });
    return { entries, indexes: bulksOf(this.#run(["DOC.INDEX", "LIST", document])) };
  }

  /** A deletion counts the ids that are numbers from 0 anew: if the highest one is there, there are no others. */
  #isCounted(document: ByteString): boolean {
    const count = this.#run(["DOC.COUNT", document]);
    if (count.kind !== "integer" || Number(count.value) === 0) return count.kind === "integer";
    const last = String(Number(count.value) - 1);
    return itemsOf(this.#run(["DOC.GET", document, "ID", last])).length > 0;
  }

  /** Errors are replies. */
  #run(argv: readonly ByteString[]): Reply {
    const { path, environment } = this.#parts;
    const sender = { db: 0, now: environment.clock(), as: null, readsAll: true, isStable: false };
    const command = resolveCommand(argv);
    if (command instanceof CommandFailure) return command.reply;
    const reply = path.execute(command, argv, sender);
    if (reply instanceof Promise) throw new Error("--json-replica stands with the database in memory alone");
    return reply;
  }
}

/** The commands that make a document of another server. */
function copying(name: ByteString, entries: JsonValue | undefined): ByteString[][] {
  if (!isContainer(entries)) return [];
  const texts = memberValues(entries).map((value) => bytesOfText(writeJson(value)));
  const keyed = memberNames(entries).flatMap((key, at) => [bytesOfText(key), texts[at]!]);
  // The original lets entries lack members that the first one has.
  const insert = ["DOC.INSERT", name, "NOCHECK", "KEYS", ...keyed];
  return [["DOC.CREATE", name], ...(keyed.length > 0 ? [insert] : [])];
}

/** Those that give it the indexes and lifetimes that it has on a daemon of ours. @throws Error  the connection */
async function restOf(link: ReplicaLink, name: ByteString): Promise<ByteString[][]> {
  if (!link.isDaemon) return [];
  const document = `"document":${writePhpString(textOfBytes(name))}`;
  const indexes = (await link.ask(`{"action":"listindexes",${document}}`)).get("indexes");
  const fields = isContainer(indexes) ? memberValues(indexes) : [];
  const made = fields.map((field) => ["DOC.INDEX", "CREATE", name, wordOf(field)]);
  const details = (await link.ask(`{"action":"get",${document},"fields":[],"details":true}`)).get("details");
  if (!isContainer(details)) return made;
  const values = memberValues(details);
  const kept = memberNames(details).flatMap((key, at) => {
    const value = values[at];
    const expires = value instanceof JsonObject ? value.get("expires") : undefined;
    if (!(expires instanceof JsonNumber)) return [];
    return [["DOC.UPDATE", name, "{}", "ID", bytesOfText(key), "PXAT", expires.text]];
  });
  return [...made, ...kept];
}
