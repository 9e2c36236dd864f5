/** The ports of a simulated daemon: the sockets to its members on the simulated network. */

import type { MemberSocket, MemberSocketHandlers } from "../../daemon/cluster/peers/shared/member-socket.js";
import type { PeerAddress } from "../../daemon/options/peer-address.js";
import { MalformedFrame } from "../../protocol/errors.js";
import type { Hello } from "../../protocol/version-2/messages-v2.js";
import { readClientMessage } from "../../protocol/version-2/messages-v2.js";
import { Connection, type End, type EndOwner, type SimulatedProcess } from "./network.js";
import type { DaemonPorts, Host, World } from "./world.js";

const PORT = 1111;
/** Milliseconds after which an unanswered connection attempt is abandoned. */
const CONNECT_MS = 3_000;

/** Returns the frames to send in place of a frame that the daemon has written for a host. */
type Rewrite = (frame: Buffer, to: string) => readonly Buffer[];

/** The part of a daemon that accepts incoming connections whose hello has arrived. */
export interface Acceptor {
  accept(socket: MemberSocket, hello: Hello): MemberSocketHandlers;
}

export class Ports implements DaemonPorts {
  readonly #host: Host;
  readonly #world: World;
  readonly process: SimulatedProcess;
  readonly #rewrite: Rewrite;
  #acceptor: Acceptor | null = null;

  constructor(host: Host, world: World, { isAlive, rewrite }: { isAlive: () => boolean; rewrite: Rewrite }) {
    this.#host = host;
    this.#world = world;
    this.process = { host: host.name, processor: host.processor, isAlive };
    this.#rewrite = (frame, to) => {
      if (isAlive()) world.onStep?.(host, "before sending", frame);
      return rewrite(frame, to);
    };
  }

  get addresses(): readonly PeerAddress[] {
    const { hosts, isByzantineRemoved } = this.#world;
    return hosts
      .filter((other) => other !== this.#host && !(isByzantineRemoved && other.isByzantine))
      .filter(({ name }) => this.#host.options.peers?.includes(name) !== false)
      .map(({ name }) => ({ host: name, port: PORT, pin: null, tls: false }));
  }

  get isOpen(): boolean {
    return this.#acceptor !== null;
  }

  /** Accepts connections from now on. */
  open(acceptor: Acceptor): void {
    this.#acceptor = acceptor;
  }

  connect({ host }: PeerAddress, owner: MemberSocketHandlers): MemberSocket {
    const { network, scheduler } = this.#world;
    const socket = new OutgoingSocket(host, this.#rewrite);
    const { processor, isAlive } = this.process;
    const later = (delay: number, run: () => void) =>
      scheduler.after(delay, processor, () => {
        if (isAlive() && !socket.isClosed) run();
      });

    const isCut = network.link(this.#host.name, host).isCut || network.link(host, this.#host.name).isCut;
    if (isCut || network.isLost(this.#host.name, host)) {
      later(CONNECT_MS, () => owner.closed("ETIMEDOUT"));
      return socket;
    }

    const outward = network.delayOf(this.#host.name, host);
    later(outward + network.delayOf(host, this.#host.name), () => {
      const ports = this.#world.hosts.find(({ name }) => name === host)?.daemon?.ports;
      if (!ports?.isOpen) {
        owner.closed("ECONNREFUSED");
        return;
      }

      const { near, far } = new Connection(network, this.process, ports.process);
      near.owner = this.#watched(owner, host);
      socket.end = near;
      ports.receiveConnection(far);
      owner.opened();
    });
    return socket;
  }

  receiveConnection(end: End): void {
    receiveHello(end, (hello) => {
      const socket = new IncomingSocket(end, this.#rewrite);
      return this.#watched((this.#acceptor as Acceptor).accept(socket, hello), end.remote);
    });
  }

  /** Reports the steps of receiving messages, if the run watches them. @param from  the name of the other host */
  #watched(owner: EndOwner, from: string): EndOwner {
    const { onStep, hosts } = this.#world;
    const sender = hosts.find(({ name }) => name === from);
    if (onStep === undefined || sender === undefined) return owner;
    return {
      received: (chunk) => {
        onStep(sender, "after sending", chunk);
        if (this.process.isAlive()) onStep(this.#host, "before receiving", chunk);
        if (this.process.isAlive()) owner.received(chunk);
        if (this.process.isAlive()) onStep(this.#host, "after receiving", chunk);
      },
      closed: (reason) => owner.closed(reason),
    };
  }
}

/** Waits for the hello of a new connection, like a listener that serves both clients and members. */
export function receiveHello(
  end: { owner: EndOwner | null; close(): void },
  accept: (hello: Hello) => EndOwner,
): void {
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
      const owner = accept(hello);
      end.owner = owner;
      if (bytes.length > stop) owner.received(bytes.subarray(stop));
    },
    closed: () => {},
  };
}

/** Returns the hello, or null for any other message, such as the close reason of a member that decided otherwise. */
function readHello(payload: Buffer): Hello | null {
  try {
    const message = readClientMessage(payload);
    return message.kind === "hello" && message.role === "daemon" ? message : null;
  } catch (problem) {
    if (problem instanceof MalformedFrame) return null;
    throw problem;
  }
}

class IncomingSocket implements MemberSocket {
  readonly binding = null;
  readonly #end: End;
  readonly #rewrite: Rewrite;

  constructor(end: End, rewrite: Rewrite) {
    this.#end = end;
    this.#rewrite = rewrite;
  }

  get remote(): string {
    return `${this.#end.remote}:1`;
  }

  write(bytes: Buffer): void {
    for (const altered of this.#rewrite(bytes, this.#end.remote)) this.#end.write(altered);
  }

  close(): void {
    this.#end.close();
  }

  unsentBytes(): number {
    return this.#end.unsentBytes();
  }
}

class OutgoingSocket implements MemberSocket {
  readonly binding = null;
  readonly remote: string;
  end: End | null = null;
  isClosed = false;
  readonly #rewrite: Rewrite;

  constructor(host: string, rewrite: Rewrite) {
    this.remote = `${host}:${PORT}`;
    this.#rewrite = rewrite;
  }

  write(bytes: Buffer): void {
    if (this.end === null) throw new Error("bytes are written before the connection is open");
    for (const altered of this.#rewrite(bytes, this.end.remote)) this.end.write(altered);
  }

  close(): void {
    this.isClosed = true;
    this.end?.close();
  }

  unsentBytes(): number {
    return this.end?.unsentBytes() ?? 0;
  }
}
