/** The history in MongoDB: a document each, whose `_id` is the message's. Database `chat` unless the address names another. */
import type { Collection, MongoClient } from "mongodb";
import type { History } from "./history.js";
import type { Message } from "./message.js";

type Kept = Omit<Message, "id"> & { readonly _id: string };

/** MongoDB's error when the `_id` exists already. */
const DUPLICATE = 11000;
/** The driver's errors of the connection, rather than of the request. */
const LINE_TROUBLE = /^Mongo(Network|NetworkTimeout|ServerSelection|NotConnected|TopologyClosed|PoolCleared)/;

interface Opened {
  readonly client: MongoClient;
  readonly messages: Collection<Kept>;
}

export class MongoHistory implements History {
  readonly #urls: readonly string[];
  readonly #answersWithinMs: number;
  #tried = 0;
  #opened: Promise<Opened> | null = null;

  private constructor(urls: readonly string[], answersWithinMs: number) {
    this.#urls = urls;
    this.#answersWithinMs = answersWithinMs;
  }

  /**
   * @param urls  of servers that have the same, as daemons that know each other do; tried in turn
   * @throws Error  the package mongodb is missing, or no server answers
   */
  static async open(urls: readonly string[], answersWithinMs: number): Promise<MongoHistory> {
    const history = new MongoHistory(urls, answersWithinMs);
    await history.#ask((messages) => messages.createIndex({ room: 1, order: 1 }));
    return history;
  }

  add(message: Message): Promise<Message> {
    const { id, ...rest } = message;
    return this.#ask(async (messages) => {
      try {
        await messages.insertOne({ _id: id, ...rest });
        return message;
      } catch (problem) {
        if ((problem as { code?: unknown }).code !== DUPLICATE) throw problem;
        const known = await messages.findOne({ _id: id });
        return known === null ? message : messageOf(known);
      }
    });
  }

  async last(room: string, count: number, before: string | null): Promise<readonly Message[]> {
    const which = before === null ? { room } : { room, order: { $lt: before } };
    const found = await this.#ask((messages) =>
      messages.find(which).sort({ order: -1 }).limit(count).toArray(),
    );
    return found.reverse().map(messageOf);
  }

  async close(): Promise<void> {
    const opened = await this.#opened?.catch(() => null);
    await opened?.client.close();
  }

  /** Asks the server that answered last, and then each other server once: a request can be repeated, for an id is stored once. */
  async #ask<Answer>(work: (messages: Collection<Kept>) => Promise<Answer>): Promise<Answer> {
    for (let attempt = 1; ; attempt++) {
      const opening = (this.#opened ??= this.#open());
      try {
        const { messages } = await opening;
        return await work(messages);
      } catch (problem) {
        if (!LINE_TROUBLE.test((problem as Error).name)) throw problem;
        // Several requests may have found out at the same time: one of them goes on.
        if (this.#opened === opening) {
          this.#opened = null;
          this.#tried++;
          opening.then(({ client }) => client.close()).catch(() => {});
        }
        if (attempt > this.#urls.length) throw problem;
      }
    }
  }

  async #open(): Promise<Opened> {
    const { MongoClient } = await import("mongodb");
    const url = this.#urls[this.#tried % this.#urls.length] as string;
    const within = this.#answersWithinMs / this.#urls.length;
    const client = new MongoClient(url, {
      serverSelectionTimeoutMS: within,
      connectTimeoutMS: within,
      socketTimeoutMS: this.#answersWithinMs,
      // A duplicate shows that the first try was stored; the driver need not find out.
      retryWrites: false,
    });
    await client.connect();
    const name = client.options.dbName === "test" ? "chat" : client.options.dbName;
    return { client, messages: client.db(name).collection("messages") };
  }
}

const messageOf = ({ _id, ...rest }: Kept): Message => ({ id: _id, ...rest });
