/**
 * Several members in one process, on a clock, a network and a disk that the test controls: messages arrive when `run`
 * advances the time. A signature is a real SHA-256 hash instead of one of an elliptic curve.
 */

import { Peering } from "../../../../daemon/cluster/peers/peering.js";
import type { CheckEntry, ClusterState } from "../../../../daemon/cluster/peers/shared/cluster-state.js";
import type { Connect, MemberSocket } from "../../../../daemon/cluster/peers/shared/member-socket.js";
import {
  PEERING_LIMITS,
  type PeeringLimits,
} from "../../../../daemon/cluster/peers/shared/peering-limits.js";
import type { PeerAddress } from "../../../../daemon/options/peer-address.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { MalformedFrame } from "../../../../protocol/errors.js";
import { FrameParser } from "../../../../protocol/frame.js";
import { readMemberMessage } from "../../../../protocol/members/member-messages.js";
import { readBody, signedBytes } from "../../../../protocol/version-2/envelope.js";
import type { EndOwner } from "../../../simulation/network.js";
import { receiveHello } from "../../../simulation/ports.js";
import { type Processor, Scheduler } from "../../../simulation/scheduler.js";
import { isSignedBy, type SimulatedKey, sha256, signatureOf } from "../../../simulation/signatures.js";
import { SeededRandom } from "../../../support/seeded-random.js";
import { CLUSTER, client, EPOCH, keyOf } from "./entries.js";
import { FakeTimeline } from "./fake-timeline.js";

export interface Line {
  readonly level: "info" | "warn" | "error";
  readonly facts: Record<string, unknown>;
  readonly text: string;
}

/** A daemon of the test. */
export interface Node {
  readonly name: string;
  readonly key: SimulatedKey;
  readonly timeline: FakeTimeline;
  readonly peering: Peering;
  readonly lines: Line[];
  /** Milliseconds by which its clock is ahead. */
  offset: number;
  /** The keys that it knows. */
  readonly known: Map<ByteString, SimulatedKey>;
  readonly address: PeerAddress;
}

export interface NodeOptions {
  readonly peers?: readonly string[];
  readonly cluster?: ByteString;
  readonly limits?: Partial<PeeringLimits>;
  readonly parts?: Partial<ClusterState>;
  readonly pin?: ByteString;
  readonly isUnknown?: boolean;
}

/** One end of a stream; `far` is the other end. */
class Pipe implements MemberSocket {
  readonly binding: Buffer | null;
  readonly remote: string;
  owner: EndOwner | null = null;
  far: Pipe | null = null;
  /** Bytes written and not delivered. */
  waiting = 0;
  isClosed = false;
  readonly #deliver: Deliver;

  constructor(remote: string, binding: Buffer | null, deliver: Deliver) {
    this.remote = remote;
    this.binding = binding;
    this.#deliver = deliver;
  }

  write(bytes: Buffer): void {
    if (this.isClosed) return;
    this.waiting += bytes.length;
    this.#deliver(bytes, () => {
      this.waiting -= bytes.length;
      this.far?.owner?.received(bytes);
    });
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.owner = null;
    this.#deliver(null, () => this.far?.onClosed("closed by the other side"));
  }

  unsentBytes(): number {
    return this.waiting;
  }

  onClosed(detail: string): void {
    const { owner } = this;
    this.owner = null;
    this.isClosed = true;
    owner?.closed(detail);
  }
}

/** Runs a step when bytes, or the end of a stream (null), arrive. */
type Deliver = (bytes: Buffer | null, arrive: () => void) => void;

/** A message in flight, as tests inspect it. */
export interface Seen {
  readonly from: string;
  readonly to: string;
  readonly kind: string;
  readonly bytes: number;
}

export class World {
  readonly scheduler = new Scheduler();
  readonly nodes = new Map<string, Node>();
  readonly seen: Seen[] = [];
  /** Directed pairs: "a b" means that b receives nothing from a. */
  readonly cut = new Set<string>();
  /** The nodes to which names lead that do not lead to the node of their own name. */
  readonly stale = new Map<string, string>();
  /** Whether a message is lost, together with the rest of the chunk in which it was written. */
  isLost: (message: Seen) => boolean = () => false;
  /** Milliseconds from the writing of a message to its arrival. */
  latencyMs = 0;
  /** The TLS binding of each side, if a test uses TLS. */
  bindings: ((opener: string, answerer: string) => [Buffer | null, Buffer | null]) | null = null;
  readonly random = new SeededRandom(1);
  /** Whether openers read in one chunk what answerers wrote in one turn. */
  isInOnePiece = false;
  readonly #processors = new Map<string, Processor>();
  #sockets: [string, string, Pipe][] = [];

  /** Milliseconds since the start of the test. */
  get now(): number {
    return this.scheduler.time;
  }

  /** Adds daemons that all know each other. @param options  the options of each daemon */
  addAll(names: readonly string[], options: Omit<NodeOptions, "peers"> = {}): Node[] {
    return names.map((name) =>
      this.add(name, { ...options, peers: names.filter((other) => other !== name) }),
    );
  }

  add(name: string, options: NodeOptions = {}): Node {
    const key = keyOf(name);
    const soon = (step: () => void) => this.scheduler.after(0, this.#processorOf(name), step);
    const lines: Line[] = [];
    const logAs = (level: Line["level"]) => (facts: object, text: string) =>
      void lines.push({ facts: facts as Line["facts"], text, level });
    const known = new Map(options.isUnknown ? [] : [[client.id, client]]);
    const timeline = new FakeTimeline(soon, (entries, from) => peering.flushed(entries, from));
    const clock = () => EPOCH + this.now + node.offset;
    const peers = (options.peers ?? []).map((peer) => this.addressOf(peer));

    const peering = new Peering({
      timeline: timeline.real,
      identity: { ...key, sign: (bytes) => signatureOf(key.spki, bytes) },
      cluster: options.cluster ?? CLUSTER,
      peers,
      clock,
      soon,
      nextTurn: soon,
      hash: sha256,
      verifySignature: isSignedBy,
      admitted: null,
      secret: null,
      refusal: () => null,
      order: null,
      signatureThreads: null,
      messages: null,
      about: null,
      named: null,
      lists: null,
      checkEntry: checkEntryBy(known),
      checkUnit: () => null,
      connect: this.#connectFrom(name),
      uptime: () => this.now,
      random: () => this.random.below(1000) / 1000,
      randomBytes: (count) =>
        Array.from({ length: count }, () => String.fromCharCode(this.random.below(256))).join(""),
      log: { info: logAs("info"), warn: logAs("warn"), error: logAs("error") },
      limits: { ...PEERING_LIMITS, ...options.limits },
      ...options.parts,
    });

    const node: Node = {
      name,
      key,
      timeline,
      peering,
      lines,
      offset: 0,
      known,
      address: this.addressOf(name),
    };

    this.nodes.set(name, node);
    peering.start();
    return node;
  }

  addressOf(name: string): PeerAddress {
    return { host: name, port: 1, pin: null, tls: false };
  }

  /** Pauses a node's process (SIGSTOP). */
  stop(name: string): void {
    this.#processorOf(name).busyUntil = Number.POSITIVE_INFINITY;
  }

  /** Continues a paused node. The messages that have waited for it are read by the next `settle` or `run`. */
  wake(name: string): void {
    this.scheduler.resume(this.#processorOf(name));
  }

  /** Kills a node's process: its sockets break. */
  kill(name: string): void {
    this.nodes.delete(name);
    this.breakAll((a, b) => a === name || b === name);
  }

  breakAll(which: (opener: string, answerer: string) => boolean): void {
    const [broken, remaining] = [
      this.#sockets.filter(([a, b]) => which(a, b)),
      this.#sockets.filter(([a, b]) => !which(a, b)),
    ];
    this.#sockets = remaining;
    for (const [, , pipe] of broken) {
      pipe.onClosed("ECONNRESET");
      pipe.far?.onClosed("ECONNRESET");
    }
  }

  /** Advances the time, 25 ms per tick. */
  run(milliseconds: number): void {
    for (const end = this.now + milliseconds; this.now < end; ) {
      this.scheduler.run(this.now + 25);
      for (const node of this.nodes.values()) {
        if (this.#processorOf(node.name).busyUntil > this.now) continue;
        node.timeline.published = Math.max(node.timeline.published, EPOCH + this.now + node.offset - 1000);
        node.peering.tick();
      }
    }
    this.settle();
  }

  /** Runs until a condition holds. @throws Error  if it does not hold in time */
  runUntil(condition: () => boolean, maxMs = 60_000): number {
    const start = this.now;
    while (!condition()) {
      if (this.now - start > maxMs) throw new Error(`not within ${maxMs} ms`);
      this.run(25);
    }
    return this.now - start;
  }

  /** Runs everything that can happen without time passing. */
  settle(): void {
    this.scheduler.run(this.now);
  }

  countOf(kind: string, from?: string, to?: string): number {
    return this.seen.filter(
      (seen) => seen.kind === kind && (from ?? seen.from) === seen.from && (to ?? seen.to) === seen.to,
    ).length;
  }

  #processorOf(name: string): Processor {
    const processor = this.#processors.get(name) ?? { busyUntil: 0 };
    this.#processors.set(name, processor);
    return processor;
  }

  #inOnePiece(owner: EndOwner): EndOwner {
    let pieces: Buffer[] = [];
    return {
      closed: (detail) => this.scheduler.after(0, null, () => owner.closed(detail)),
      received: (piece) => {
        if (pieces.push(piece) > 1) return;
        this.scheduler.after(0, null, () => {
          owner.received(Buffer.concat(pieces));
          pieces = [];
        });
      },
    };
  }

  #connectFrom(opener: string): Connect {
    return ({ host: name }, owner) => {
      const host = this.stale.get(name) ?? name;
      const [near, far] = this.bindings?.(opener, host) ?? [null, null];
      const here = new Pipe(`${host}:1`, near, this.#deliverer(opener, host));
      const there = new Pipe(`${opener}:40000`, far, this.#deliverer(host, opener));
      here.far = there;
      there.far = here;
      here.owner = this.isInOnePiece ? this.#inOnePiece(owner) : owner;

      this.scheduler.after(0, null, () => {
        const node = this.nodes.get(host);
        if (node === undefined || this.cut.has(`${opener} ${host}`)) {
          here.onClosed("ECONNREFUSED");
          return;
        }
        this.#sockets.push([opener, host, here]);
        receiveHello(there, (hello) => node.peering.accept(there, hello));
        owner.opened();
      });
      return here;
    };
  }

  #deliverer(from: string, to: string): Deliver {
    return (bytes, arrive) => {
      const isLost = bytes !== null && this.#see(from, to, bytes).some((seen) => this.isLost(seen));
      if (isLost || this.cut.has(`${from} ${to}`)) return;
      this.scheduler.after(this.latencyMs, this.#processorOf(to), arrive);
    };
  }

  #see(from: string, to: string, bytes: Buffer): readonly Seen[] {
    const seen = new FrameParser(1 << 30, 2).split(bytes).map((payload) => {
      return { from, to, kind: readMemberMessage(payload).kind, bytes: payload.length };
    });
    this.seen.push(...seen);
    return seen;
  }
}

/** Replaces the daemon's check of entries: signatures are those of `signatureOf`. */
export const checkEntryBy =
  (known: ReadonlyMap<ByteString, SimulatedKey>): CheckEntry =>
  (body, signature, timeline) => {
    try {
      const envelope = readBody(body);
      const { key: signer, at, seq } = envelope;
      const signed = signedBytes(body);
      const orderKey = { at, seq, id: sha256(signed) };
      if (timeline.holds(orderKey)) return { stored: orderKey };
      if (!timeline.hasRoom(orderKey, body.length + signature.length)) return "no-room";
      const key = known.get(signer);
      if (key === undefined) return "unknown-signer";
      if (!isSignedBy(key.spki, signed, signature)) return { refused: "bad-signature" };
      return { id: orderKey.id, body, signature, envelope };
    } catch (problem) {
      if (!(problem instanceof MalformedFrame)) throw problem;
      return { refused: "malformed" };
    }
  };

/** Whether all given nodes have the same entries. */
export function haveSameEntries(...nodes: readonly Node[]): boolean {
  const totals = nodes.map(({ timeline: { index } }) =>
    JSON.stringify([index.total("ring"), index.total("data")]),
  );
  return totals.every((total) => total === totals[0]);
}

export const entriesOf = ({ timeline: { index } }: Pick<Node, "timeline">): number =>
  index.total("ring").count + index.total("data").count;

/** Returns `--peer` addresses: one for each of `ids`, whose daemons are identified, and `unknown` without an id. */
export const addressesOf = (ids: Iterable<ByteString>, unknown = 0) =>
  [...ids, ...new Array<null>(unknown).fill(null)].map((id) => ({ id, isSelf: false }));
