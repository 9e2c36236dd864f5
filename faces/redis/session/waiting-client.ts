/** A client that waits for data in keys, and a key with the clients that wait for it. */
import type { CommandSender, LocalData } from "../../../daemon/engine/backends/command-path.js";
import type { Command, WaitShape } from "../../../daemon/store/rows/command-row.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";

const NOTHING_TO_CANCEL = (): void => {};

/** The request of a client to wait, and the function that answers it. */
export interface WaitRequest {
  readonly command: Command;
  readonly shape: WaitShape;
  /** The data that the client waits for. */
  readonly localData: LocalData;
  readonly sender: CommandSender;
  readonly db: number;
  /** Whether the wait begins in a later turn than the command, so that data may have arrived in between. */
  readonly isLate: boolean;
  readonly resolve: (reply: Reply) => void;
}

/** A waiting client. */
export class WaitingClient {
  /** Whether its command is running, or its reply waits until it may be sent. */
  isRunning = false;
  /**
   * The reply to send if the running command finds nothing, because the client's wait ended while it was running; null
   * if the wait has not ended.
   */
  overdue: Reply | null = null;
  isAnswered = false;
  /** The closed date up to which the client has received everything, or -1 if no entry is held back from it. */
  openedTo = -1;
  cancelTimer = NOTHING_TO_CANCEL;
  readonly request: WaitRequest;

  constructor(request: WaitRequest) {
    this.request = request;
  }
}

/** A key that clients wait for. */
export class AwaitedKey {
  /** The waiting clients, in the order in which they began to wait. */
  readonly clients: WaitingClient[] = [];
  /** Cancels the timer for the key's expiry, which runs while a client waits for one of its groups. */
  cancelExpiryTimer: (() => void) | null = null;
  /** Cancels the timer that runs while it is the turn of other daemons to take elements. */
  cancelTurnTimer: (() => void) | null = null;
  /** The latest date that other daemons were requested to close for its clients; milliseconds since 1970. */
  requestedTo = -1;
  /** The latest date that they have closed, except those that did not answer in time. */
  closedTo = -1;
  /** The number of clients that wait for a group; there may be thousands of other clients. */
  #groupClients = 0;
  readonly db: number;
  readonly key: ByteString;

  constructor(db: number, key: ByteString) {
    this.db = db;
    this.key = key;
  }

  /** The first client that waits for a group. Clients that wait for other data may precede it. */
  get ofGroup(): WaitingClient | undefined {
    return this.#groupClients === 0 ? undefined : this.clients.find(isOfGroup);
  }

  push(client: WaitingClient): void {
    this.clients.push(client);
    if (isOfGroup(client)) this.#groupClients++;
  }

  /** Removes a client. @returns whether it was waiting */
  remove(client: WaitingClient): boolean {
    const index = this.clients.indexOf(client);
    if (index < 0) return false;
    this.clients.splice(index, 1);
    if (isOfGroup(client)) this.#groupClients--;
    return true;
  }
}

function isOfGroup({ request }: WaitingClient): boolean {
  return request.shape.type === "group";
}
