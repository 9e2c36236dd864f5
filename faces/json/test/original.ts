/**
 * An imitation of an original server, with its recorded faults (test/vectors/json/README.md, "Bugs"). It treats all
 * bytes of one read as one request, never reopens a lost link, ignores the answers of replicas, and stores nothing.
 */
import { connect, createServer, type Server, type Socket } from "node:net";

type Entry = Readonly<Record<string, unknown>>;

interface Request {
  readonly action?: string;
  readonly document?: string;
  readonly data?: readonly Entry[];
  readonly id?: number | string;
  readonly replicate?: boolean;
}

/** The client side of a connection to another server. */
interface Link {
  readonly socket: Socket;
  isLost: boolean;
  answered: () => void;
}

const END = "\n\r";
/**
 * The timeout in milliseconds; the original uses 60 s. Two servers that receive writes at the same time wait that long
 * for each other. If it is shorter than an answer takes on a busy machine, a server receives two requests in one read.
 */
const SOCKET_MS = 250;
const WRITES: ReadonlySet<string> = new Set(["create", "insert", "delete", "empty", "drop"]);

export class Original implements AsyncDisposable {
  readonly port: number;
  readonly documents = new Map<string, Entry[]>();
  readonly #replicas: readonly number[];
  readonly #links = new Map<number, Link>();
  readonly #clients = new Set<Socket>();
  readonly #server: Server;
  /** The queue of requests; a write waits for all replicas. */
  #work: Promise<void> = Promise.resolve();

  private constructor(port: number, replicas: readonly number[]) {
    this.port = port;
    this.#replicas = replicas;
    this.#server = createServer((socket) => {
      this.#clients.add(socket.on("error", () => {}).on("close", () => this.#clients.delete(socket)));
      socket.on("data", (chunk) => {
        this.#work = this.#work.then(async () => {
          socket.write((await this.#answer(chunk.toString())) + END);
        });
      });
    });
  }

  /** Starts a server. @param replicas  the ports in its list; its own port is skipped, as in the second version */
  static async start(port: number, replicas: readonly number[]): Promise<Original> {
    const original = new Original(
      port,
      replicas.filter((one) => one !== port),
    );
    for (const replica of original.#replicas) await original.#copyFrom(replica);
    await new Promise<void>((resolve) => original.#server.listen(port, "127.0.0.1", resolve));
    return original;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { socket } of this.#links.values()) socket.destroy();
    for (const socket of this.#clients) socket.destroy();
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(text: string): Promise<string> {
    let request: Request;
    try {
      request = JSON.parse(text) as Request;
    } catch {
      return failed(`Syntax error, malformed JSON. <${text.trim()}>`);
    }

    const { action = "" } = request;
    if (action === "list") return success({ documents: [...this.documents.keys()] });
    if (action === "getall")
      return success({
        documents: Object.fromEntries(this.documents),
        replicated: request.replicate !== false,
      });

    const document = request.document ?? "";
    if (action === "get") return success({ data: this.documents.get(document) ?? [] });
    if (action === "count") return success({ count: this.documents.get(document)?.length ?? 0 });
    if (!WRITES.has(action)) return failed(`The action '${action}' provided is not valid.`);

    const fault = this.#write(action, document, request);
    if (fault !== null) return failed(fault);
    if (request.replicate === false) return success({ replicated: false });
    for (const replica of this.#replicas) await this.#forward(replica, { ...request, replicate: false });
    return success({ replicated: true });
  }

  #write(action: string, document: string, { data = [], id }: Request): string | null {
    const entries = this.documents.get(document);
    if (action === "create") {
      if (entries !== undefined) return "Document provided already exist.";
      this.documents.set(document, []);
      return null;
    }
    if (entries === undefined) return "Document provided does not exist.";
    if (action === "insert") entries.push(...data);
    else if (action === "delete") entries.splice(Number(id), 1);
    else if (action === "drop") this.documents.delete(document);
    else this.documents.set(document, []);
    return null;
  }

  /** Sends the request to a replica, and ignores the answer. */
  async #forward(replica: number, request: Request): Promise<void> {
    const link = this.#links.get(replica) ?? (await this.#open(replica));
    if (link === null || link.isLost) return;
    await new Promise<void>((resolve) => {
      link.answered = resolve;
      setTimeout(resolve, SOCKET_MS);
      link.socket.write(`${JSON.stringify(request)}\n`);
    });
  }

  /** Opens the link. @returns null if the connection failed; the next write tries again */
  async #open(replica: number): Promise<Link | null> {
    const socket = connect(replica, "127.0.0.1");
    const isThere = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    });
    if (!isThere) return null;
    const link: Link = { socket, isLost: false, answered: () => {} };
    socket.on("error", () => {});
    socket.on("data", () => link.answered());
    socket.on("close", () => {
      link.isLost = true;
      link.answered();
    });
    this.#links.set(replica, link);
    return link;
  }

  /** Fetches the documents that the server does not have yet. */
  async #copyFrom(replica: number): Promise<void> {
    const link = await this.#open(replica);
    if (link === null) return;
    const text = await new Promise<string>((resolve) => {
      let received = "";
      link.socket.on("data", (chunk) => {
        received += chunk.toString();
        if (received.endsWith(END)) resolve(received);
      });
      link.socket.write('{"action":"getall","replicate":false}\n');
    });
    const { documents } = JSON.parse(text) as { documents: Record<string, Entry[]> };
    for (const [name, entries] of Object.entries(documents))
      if (!this.documents.has(name)) this.documents.set(name, [...entries]);
  }
}

const success = (members: object) => JSON.stringify({ status: "success", ...members });
const failed = (message: string) => JSON.stringify({ status: "error", message });
