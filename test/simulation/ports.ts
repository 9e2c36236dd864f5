/** The ports of a simulated daemon: its members' sockets on the simulated network. */

import type { MemberSocket, MemberSocketOwner } from "../../cluster/peers/shared/member-socket.js";
import type { PeerAddress } from "../../options/peer-address.js";
import { MalformedFrame } from "../../protocol/errors.js";
import type { Hello } from "../../protocol/version-2/messages-v2.js";
import { readClientMessage } from "../../protocol/version-2/messages-v2.js";
import { Connection, type End, type Place } from "./network.js";
import type { Harbour, Host, World } from "./world.js";

const PORT = 1111;
/** Milliseconds after which an unanswered connection attempt is abandoned. */
const CONNECT_MS = 3_000;

/** Returns the frames to send in place of one that the daemon writes for a host. */
type Says = (frame: Buffer, to: string) => readonly Buffer[];

/** Accepts incoming connections whose hello has arrived. */
export interface Acceptor {
  accept(socket: MemberSocket, hello: Hello): MemberSocketOwner;
}

export class Ports implements Harbour {
  readonly #host: Host;
  readonly #world: World;
  readonly place: Place;
  readonly #says: Says;
  #acceptor: Acceptor | null = null;

  constructor(host: Host, world: World, { isAlive, says }: { isAlive: () => boolean; says: Says }) {
    this.#host = host;
    this.#world = world;
    this.place = { host: host.name, processor: host.processor, isAlive };
    this.#says = says;
  }

  get addresses(): readonly PeerAddress[] {
    const { hosts, isBadOut } = this.#world;
    return hosts
      .filter((other) => other !== this.#host && !(isBadOut && other.isByzantine))
      .map(({ name }) => ({ host: name, port: PORT, pin: null, tls: false }));
  }

  get isOpen(): boolean {
    return this.#acceptor !== null;
  }

  /** Accepts connections from now on. */
  open(acceptor: Acceptor): void {
    this.#acceptor = acceptor;
  }

  connect({ host }: PeerAddress, owner: MemberSocketOwner): MemberSocket {
    const { network, scheduler } = this.#world;
    const socket = new DiallingSocket(host, this.#says);
    const { processor, isAlive } = this.place;
    const later = (delay: number, run: () => void) =>
      scheduler.after(delay, processor, () => {
        if (isAlive() && !socket.isClosed) run();
      });
    const isCut = network.link(this.#host.name, host).isCut || network.link(host, this.#host.name).isCut;
    if (isCut || network.isLost(this.#host.name, host)) {
      later(CONNECT_MS, () => owner.closed("ETIMEDOUT"));
      return socket;
    }
    const way = network.delayOf(this.#host.name, host);
    later(way + network.delayOf(host, this.#host.name), () => {
      const ports = this.#world.hosts.find(({ name }) => name === host)?.daemon?.ports;
      if (!ports?.isOpen) {
        owner.closed("ECONNREFUSED");
        return;
      }
      const { near, far } = new Connection(network, this.place, ports.place);
      near.owner = owner;
      socket.end = near;
      ports.welcome(far);
      owner.opened();
    });
    return socket;
  }

  /** Waits for the hello, like a listener that serves both clients and members. */
  welcome(end: End): void {
    let bytes = Buffer.alloc(0);
    end.owner = {
      received: (chunk) => {
        bytes = Buffer.concat([bytes, chunk]);
        const head = /^ds2:(\d+):/.exec(bytes.toString("latin1", 0, 20));
        if (head === null) return;
        const start = head[0].length;
        const stop = start + Number(head[1]);
        if (bytes.length < stop) return;
        const hello = readHello(bytes.subarray(start, stop));
        if (hello === null) {
          end.close();
          return;
        }
        const owner = (this.#acceptor as Acceptor).accept(new AcceptedSocket(end, this.#says), hello);
        end.owner = owner;
        if (bytes.length > stop) owner.received(bytes.subarray(stop));
      },
      closed: () => {},
    };
  }
}

/** Returns the hello; null: another message, such as the close reason of a member that has changed its mind. */
function readHello(payload: Buffer): Hello | null {
  try {
    const message = readClientMessage(payload);
    return message.kind === "hello" && message.role === "daemon" ? message : null;
  } catch (problem) {
    if (problem instanceof MalformedFrame) return null;
    throw problem;
  }
}

class AcceptedSocket implements MemberSocket {
  readonly binding = null;
  readonly #end: End;
  readonly #says: Says;

  constructor(end: End, says: Says) {
    this.#end = end;
    this.#says = says;
  }

  get remote(): string {
    return `${this.#end.remote}:1`;
  }

  write(bytes: Buffer): void {
    for (const said of this.#says(bytes, this.#end.remote)) this.#end.write(said);
  }

  close(): void {
    this.#end.close();
  }

  unsentBytes(): number {
    return this.#end.unsentBytes();
  }
}

class DiallingSocket implements MemberSocket {
  readonly binding = null;
  readonly remote: string;
  end: End | null = null;
  isClosed = false;
  readonly #says: Says;

  constructor(host: string, says: Says) {
    this.remote = `${host}:${PORT}`;
    this.#says = says;
  }

  write(bytes: Buffer): void {
    if (this.end === null) throw new Error("bytes are written before the connection is open");
    for (const said of this.#says(bytes, this.end.remote)) this.end.write(said);
  }

  close(): void {
    this.isClosed = true;
    this.end?.close();
  }

  unsentBytes(): number {
    return this.end?.unsentBytes() ?? 0;
  }
}
