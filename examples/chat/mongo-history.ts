/** The history in MongoDB: a document each, whose `_id` is the message's. Database `chat` unless the address names another. */
import type { Collection, MongoClient } from "mongodb";
import type { History } from "./history.js";
import type { Message } from "./message.js";

type Kept = Omit<Message, "id"> & { readonly _id: string };

/** What a server says when there is such an `_id` already. */
const DUPLICATE = 11000;

export class MongoHistory implements History {
  readonly #client: MongoClient;
  readonly #messages: Collection<Kept>;

  private constructor(client: MongoClient) {
    this.#client = client;
    this.#messages = client.db(client.options.dbName === "test" ? "chat" : undefined).collection("messages");
  }

  /** @throws Error  the package mongodb is missing, or no server answers */
  static async open(url: string, answersWithinMs: number): Promise<MongoHistory> {
    const { MongoClient } = await import("mongodb");
    const client = await new MongoClient(url, {
      ...{ serverSelectionTimeoutMS: answersWithinMs, socketTimeoutMS: answersWithinMs },
      // A duplicate tells that the first try was kept; the driver need not find out.
      retryWrites: false,
    }).connect();
    const history = new MongoHistory(client);
    await history.#messages.createIndex({ room: 1, order: 1 });
    return history;
  }

  async add(message: Message): Promise<Message> {
    const { id, ...rest } = message;
    try {
      await this.#messages.insertOne({ _id: id, ...rest });
      return message;
    } catch (problem) {
      if ((problem as { code?: unknown }).code !== DUPLICATE) throw problem;
      const known = await this.#messages.findOne({ _id: id });
      return known === null ? message : messageOf(known);
    }
  }

  async last(room: string, count: number, before: string | null): Promise<readonly Message[]> {
    const which = before === null ? { room } : { room, order: { $lt: before } };
    const found = await this.#messages.find(which).sort({ order: -1 }).limit(count).toArray();
    return found.reverse().map(messageOf);
  }

  async close(): Promise<void> {
    await this.#client.close();
  }
}

const messageOf = ({ _id, ...rest }: Kept): Message => ({ id: _id, ...rest });
