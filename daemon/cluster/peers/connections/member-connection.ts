/**
 * One connection to another member: frames, authentication, and the timeout of a silent peer. After both sides are
 * authenticated, the handlers receive the messages.
 *
 *   opener    connecting ──opened──► greeting ──hello──► challenging ──challenge──► proving ──proof──► open
 *   answerer                                   (hello) ─► challenging ──challenge──► proving ──proof──► open
 *   any       ──bad, silent, close()──► closed
 * Source: docs/protocol-v2.md "Members".
 */

import type { ByteString } from "../../../../protocol/byte-string.js";
import { MalformedFrame, stackOf } from "../../../../protocol/errors.js";
import {
  CLOSE_REASONS,
  type CloseCode,
  isMembershipCode,
} from "../../../../protocol/figures/close-reasons.js";
import { FrameParser, writeFrame } from "../../../../protocol/frame.js";
import { LIST_BODY_BYTES_MAX, type ListMessage } from "../../../../protocol/members/member-list.js";
import {
  type ExchangeMessage,
  isExchange,
  type MemberMessage,
  type OwnMessage,
  type ProofMessage,
  readMemberMessage,
  writeMemberMessage,
} from "../../../../protocol/members/member-messages.js";
import { bytesOfHex, hexOf } from "../../../../protocol/version-2/envelope.js";
import {
  type Hello,
  MEMBERS_PROTOCOL,
  memberKnows,
  membersProtocolIn,
  OtherProtocol,
  PROTOCOL,
  writeHello,
} from "../../../../protocol/version-2/messages-v2.js";
import { formatHost } from "../../../net/process/host-and-port.js";
import type { PeerAddress } from "../../../options/peer-address.js";
import type { ClusterState, MemberSecret } from "../shared/cluster-state.js";
import type { Connect, MemberSocket, MemberSocketHandlers } from "../shared/member-socket.js";

/** The maximum bytes of a message between members in addition to the envelope that it may contain. */
const FRAME_ROOM_BYTES = 2 * 1024 * 1024;
const NONCE_BYTES = 32;
/**
 * The maximum number of messages that may arrive after the proof, but before the parser accepts long frames. Until a
 * member has received a status, it sends only its own statuses and reports about itself.
 */
const EARLY_MAX = 1024;

/** The handlers of the events of connections. */
export interface ConnectionHandlers {
  /** Returns why a daemon that claims this id is refused, or null if it is not. The id is not verified yet. */
  helloRefusal(connection: MemberConnection, id: ByteString): CloseCode | null;
  /** Called when both sides are authenticated. To refuse the member, the callee closes the connection. */
  proven(connection: MemberConnection): void;
  message(connection: MemberConnection, message: ExchangeMessage): void;
  /** Refuses connections from this member for a while. @param detail  for the log */
  ban(connection: MemberConnection, detail: string): void;
  /** Receives the list by which a member proves that this daemon was left out. */
  leftOut(connection: MemberConnection, message: ListMessage): void;
  /**
   * Called when the connection is lost, unless this side has called `close`. The reason that the other side sent is
   * reliable only if the connection `isProven`.
   */
  lost(connection: MemberConnection, code: CloseCode | null, detail: string): void;
}

type State = "connecting" | "greeting" | "challenging" | "proving" | "open" | "closed";

export class MemberConnection implements MemberSocketHandlers {
  readonly side: Side;
  /** The address that the connection was opened to, or null for an incoming connection. */
  readonly address: PeerAddress | null;
  /** The id that the other side claims in its hello. */
  id: ByteString = "";
  /**
   * The beginning of the hash of the member list that the other side claims to use; empty: none; null: no list may name
   * it.
   */
  list: ByteString | null = null;
  /** Whether the other side has proved its id, and that it is a member. */
  isProven = false;
  /**
   * SubjectPublicKeyInfo of the other side's key, even if the member list does not name that key. An empty string until
   * the other side has proved that it has the key.
   */
  spki: ByteString = "";
  /**
   * The reason for which the other side has closed the connection, or null if it has not. Its code is null if this
   * version does not know it.
   */
  bye: { readonly code: CloseCode | null } | null = null;
  #known: MemberSecret | null = null;
  /** When the last byte was received or, before the first byte, when the connection began; `uptime` milliseconds. */
  lastSeenAt: number;
  readonly #cluster: ClusterState;
  readonly #handlers: ConnectionHandlers;
  readonly #socket: MemberSocket;
  readonly #nonce: ByteString;
  #otherNonce: ByteString = "";
  #state: State;
  #parser = new FrameParser(HANDSHAKE_FRAME_BYTES, PROTOCOL);
  #isWide = false;
  /** Messages that arrived after the proof, but before the parser accepted long frames. */
  #early: ExchangeMessage[] = [];
  #isEndedByMember = false;
  /** When the handshake began; `uptime` milliseconds. */
  readonly #since: number;

  private constructor(
    cluster: ClusterState,
    handlers: ConnectionHandlers,
    from: { address: PeerAddress; connect: Connect } | { socket: MemberSocket },
  ) {
    this.#cluster = cluster;
    this.#handlers = handlers;
    this.#nonce = cluster.randomBytes(NONCE_BYTES);
    this.#since = this.lastSeenAt = cluster.uptime();

    if ("socket" in from) {
      this.side = "answerer";
      this.address = null;
      this.#socket = from.socket;
      this.#state = "greeting";
    } else {
      this.side = "opener";
      this.address = from.address;
      this.#state = "connecting";
      this.#parser = new FrameParser(OPENER_FRAME_BYTES, PROTOCOL);
      this.#socket = from.connect(from.address, this);
    }
  }

  static open(cluster: ClusterState, handlers: ConnectionHandlers, address: PeerAddress): MemberConnection {
    return new MemberConnection(cluster, handlers, { address, connect: cluster.connect });
  }

  /** @param socket  an incoming connection whose first frame was a hello, which the caller passes to `greet` */
  static answer(cluster: ClusterState, handlers: ConnectionHandlers, socket: MemberSocket): MemberConnection {
    return new MemberConnection(cluster, handlers, { socket });
  }

  get remote(): string {
    return this.#socket.remote;
  }

  get name(): string {
    return this.address === null ? this.remote : formatHost(this.address);
  }

  get isClosed(): boolean {
    return this.#state === "closed";
  }

  /** Whether the other side, or the network, has closed the connection, and not this daemon. */
  get isEndedByMember(): boolean {
    return this.#isEndedByMember;
  }

  /** Why the other side is no longer a member, or null if it is one. */
  get refusal(): CloseCode | null {
    return this.#cluster.refusal(this.id, this.#known !== null && this.#known === this.#cluster.secret);
  }

  get unsentBytes(): number {
    return this.#socket.unsentBytes();
  }

  send(message: OwnMessage): void {
    if (this.#state !== "closed") this.#socket.write(writeMemberMessage(message));
  }

  /**
   * Closes the connection without calling the handlers.
   * @param code  the reason to send to the other side, or null to send none
   */
  close(code: CloseCode | null): void {
    if (this.#state === "closed") return;
    if (code !== null && this.#state !== "connecting") {
      for (const list of closingLists(code, this.#cluster.lists)) this.send(list);
      this.send({ kind: "bye", code, sentence: CLOSE_REASONS[code] });
    }
    this.#state = "closed";
    this.#socket.close();
  }

  /** Closes the connection, and reports the reason to the handlers. */
  drop(code: CloseCode, detail: string): void {
    if (!this.isClosed) this.#lose(code, detail);
  }

  /** Closes the connection to a member of another release. @param found  what the member has sent */
  dropOtherProtocol(found: string): void {
    this.drop("other-protocol", `${CLOSE_REASONS["other-protocol"]} It sent ${found}.`);
  }

  /** Closes the connection, and refuses further connections from this member for a while. */
  ban(detail: string): void {
    this.#handlers.ban(this, detail);
  }

  checkTime(now: number): void {
    if (this.#state === "closed") return;
    const { handshakeMs, silenceMs } = this.#cluster.limits;
    if (this.#state !== "open" && now - this.#since > handshakeMs) {
      this.#lose("silent", CLOSE_REASONS.silent);
    } else if (this.#state === "open" && now - this.lastSeenAt > silenceMs) {
      this.#lose("silent", CLOSE_REASONS.silent);
    }
  }

  opened(): void {
    if (this.#state !== "connecting") return;
    this.#state = "greeting";
    this.#sendHello();
  }

  received(chunk: Buffer): void {
    if (this.#state === "closed") return;
    this.lastSeenAt = this.#cluster.uptime();
    try {
      this.#take(chunk);
    } catch (problem) {
      this.#failed(problem);
    }
  }

  #take(chunk: Buffer): void {
    for (const payload of this.#parser.split(chunk)) {
      this.#receive(payload);
      // `#receive` may have closed the connection.
      if (this.isClosed) return;
    }
    if (this.#parser.malformed !== null) {
      this.#lose("malformed", this.#parser.malformed.message);
      return;
    }

    if (this.#state === "open" && !this.#isWide && !this.#parser.isMidRequest) this.#widen();
  }

  closed(detail: string): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#isEndedByMember = true;
    this.#handlers.lost(this, null, detail);
  }

  greet(hello: Hello): void {
    try {
      this.#greet(hello);
    } catch (problem) {
      this.#failed(problem);
    }
  }

  /**
   * Closes this connection after an exception that the other side's bytes caused. The process can continue, because the
   * code that threw the exception only records the member's reports; entries are stored by other code.
   */
  #failed(problem: unknown): void {
    if (!this.isClosed) this.#lose("internal-error", stackOf(problem));
  }

  #greet(hello: Hello): void {
    const refusal = this.#helloRefusal(hello);
    if (refusal !== null) {
      if (refusal === "other-protocol") this.dropOtherProtocol(`number ${membersProtocolIn(hello)}`);
      else this.#lose(refusal, CLOSE_REASONS[refusal]);
      return;
    }

    this.id = hello.daemon;
    this.list = listIn(hello);
    this.#state = "challenging";

    if (this.side === "opener") return;
    this.#sendHello();
    this.send({ kind: "challenge", nonce: this.#nonce });
  }

  #helloRefusal(hello: Hello): CloseCode | null {
    const { daemon, cluster, role } = hello;
    const protocol = membersProtocolIn(hello);
    // A daemon without peers answers the hello like that of a client.
    if (role !== "daemon" || daemon === "" || protocol === null) return "not-a-daemon";
    if (protocol !== MEMBERS_PROTOCOL) return "other-protocol";
    if (cluster !== this.#cluster.cluster) return "wrong-cluster";

    const pin = this.address?.pin ?? null;
    if (pin !== null && pin !== daemon) return "not-pinned";
    return this.#handlers.helloRefusal(this, daemon);
  }

  #sendHello(): void {
    this.#socket.write(helloOf(this.#cluster));
  }

  #receive(payload: Buffer): void {
    let message: MemberMessage;
    try {
      message = readMemberMessage(payload);
    } catch (problem) {
      if (problem instanceof OtherProtocol) this.dropOtherProtocol(problem.found);
      else if (problem instanceof MalformedFrame) this.#lose("malformed", problem.message);
      else throw problem;
      return;
    }

    if (message.kind === "bye") {
      this.#receiveBye(message.code, message.sentence);
    } else if (this.#state === "greeting" && message.kind === "hello") {
      this.#greet(message);
    } else if (this.#state === "challenging" && message.kind === "challenge") {
      this.#challenged(message.nonce);
    } else if (this.#state === "proving" && message.kind === "proof") {
      this.#proved(message);
    } else if (this.#state === "open" && isExchange(message)) {
      if (this.#isWide) this.#handlers.message(this, message);
      else if (message.kind === "list") this.#handlers.leftOut(this, message);
      else if (this.#early.push(message) > EARLY_MAX)
        this.#lose("malformed", "it sends more than a status before it receives one");
    } else {
      this.#lose("malformed", `an unexpected message (${message.kind})`);
    }
  }

  #challenged(nonce: ByteString): void {
    this.#otherNonce = nonce;
    this.#state = "proving";
    if (this.side === "answerer") return;
    this.send({ kind: "challenge", nonce: this.#nonce });
    this.#prove();
  }

  #prove(): void {
    this.send(makeProof(this.#challenges(), this.side, this.#cluster));
  }

  #proved(message: ProofMessage): void {
    const refusal = this.#refusalOf(message);
    // The answerer sends its proof only to an authenticated peer: a member, or a daemon that is no longer a member.
    if (this.side === "answerer" && (refusal === null || isMembershipCode(refusal))) this.#prove();

    if (refusal !== null) {
      this.#lose(refusal, CLOSE_REASONS[refusal]);
      return;
    }

    this.isProven = true;
    if (this.id === this.#cluster.identity.id) {
      this.#lose("self", CLOSE_REASONS.self);
      return;
    }

    this.#state = "open";
    if (this.side === "answerer") this.#widen();
  }

  /** Returns why the proof is refused, or null if it is accepted. The most expensive checks come last. */
  #refusalOf({ spki, signature, mac }: ProofMessage): CloseCode | null {
    const { hash, verifySignature, identity, secret: own } = this.#cluster;
    if (hash(Buffer.from(spki, "latin1")) !== this.id) return "bad-proof";

    const bytes = proofBytes(this.#challenges(), this.side === "opener" ? "answerer" : "opener");
    this.#known = own?.holds(bytes, mac) ? own : null;
    const refusal = this.id === identity.id ? null : this.refusal;
    if (refusal === null || isMembershipCode(refusal)) {
      if (!verifySignature(spki, bytes, signature)) return "bad-proof";
      this.spki = spki;
      return refusal;
    }

    return refusal === "not-a-member" && own !== null && this.#known === null ? "other-secret" : refusal;
  }

  /** Accepts long frames. This must precede the handlers' first message, which allows the other side to send them. */
  #widen(): void {
    this.#isWide = true;
    this.#parser = new FrameParser(this.#cluster.limits.maxEnvelopeBytes + FRAME_ROOM_BYTES, PROTOCOL);
    this.#handlers.proven(this);
    const early = this.#early;
    this.#early = [];
    for (const message of early) if (!this.isClosed) this.#handlers.message(this, message);
  }

  #challenges(): Challenges {
    const { identity, cluster } = this.#cluster;
    const own = { id: identity.id, nonce: this.#nonce };
    const other = { id: this.id, nonce: this.#otherNonce };
    const [opener, answerer] = this.side === "opener" ? [own, other] : [other, own];
    return { cluster, opener, answerer, binding: this.#socket.binding };
  }

  #receiveBye(code: string, sentence: string): void {
    this.#state = "closed";
    this.#isEndedByMember = true;
    this.#socket.close();
    const known = Object.hasOwn(CLOSE_REASONS, code) ? (code as CloseCode) : null;
    this.bye = { code: known };
    this.#handlers.lost(this, known, closeText(code, sentence));
  }

  #lose(code: CloseCode, detail: string): void {
    this.close(code);
    this.#handlers.lost(this, code, detail);
  }
}

/** The longest frame of a handshake, in bytes. An unauthenticated peer cannot make this daemon buffer more. */
const HANDSHAKE_FRAME_BYTES = 8192;
/**
 * The longest frame that the opener of a connection accepts, in bytes. After receiving the opener's proof, the other
 * daemon may send a list and close the connection.
 */
const OPENER_FRAME_BYTES: number = HANDSHAKE_FRAME_BYTES + LIST_BODY_BYTES_MAX;

/**
 * Returns the member lists to send before the connection is closed for this reason. A daemon that is missing from the
 * member list receives the list at this point: it cannot learn of the list in another way, because members no longer
 * accept its connections.
 */
function closingLists(code: CloseCode, lists: ClusterState["lists"]): readonly ListMessage[] {
  const isOfList = code === "left-out" || code === "not-listed";
  if (!isOfList || lists === null) return [];
  const { hash, lists: all } = lists.durable;
  const message = { kind: "list", hash, isReporting: false, hasEarlyVote: false } as const;
  return all.map(({ body, signature }) => ({ ...message, body, signature }));
}

/** Formats the close reason of the other side for a log. */
function closeText(code: string, sentence: string): string {
  return `it says: ${JSON.stringify(code).slice(1, -1)}: ${printable(sentence)}`;
}

const printable = (text: string): string => text.replace(/[^\x20-\x7e]/g, "?").slice(0, 200);

/** The beginning of every proof, with the number of the protocol that both sides announced in their hellos. */
const DOMAIN = `dbsync2\0members-${MEMBERS_PROTOCOL}\0`;

type Side = "opener" | "answerer";

/** What the proofs of both members cover. */
interface Challenges {
  readonly cluster: ByteString;
  /** The ids and nonces have 32 bytes. */
  readonly opener: { readonly id: ByteString; readonly nonce: ByteString };
  readonly answerer: { readonly id: ByteString; readonly nonce: ByteString };
  /** The bytes of the TLS exporter, or null if the stream is not encrypted. */
  readonly binding: Buffer | null;
}

/**
 * Returns the bytes that a side signs, by which two members authenticate each other. They cover the protocol number,
 * the cluster, the ids and the nonces of both members, the side, and the binding to this particular stream. All parts
 * except the last have a fixed length. A proof consists of a signature with the daemon's key and, if the daemon has the
 * cluster's secret, a MAC with that secret. Source: docs/protocol-v2.md "Members".
 */
function proofBytes({ cluster, opener, answerer, binding }: Challenges, side: Side): Buffer {
  const names = cluster + opener.id + answerer.id + opener.nonce + answerer.nonce;
  const sign = side === "opener" ? "\x01" : "\x02";
  return Buffer.concat([Buffer.from(DOMAIN + names + sign, "latin1"), binding ?? Buffer.alloc(0)]);
}

const NO_MAC = Buffer.alloc(0);

/** Signs the proof of one side. */
function makeProof(challenges: Challenges, side: Side, { identity, secret }: ClusterState): ProofMessage {
  const bytes = proofBytes(challenges, side);
  const mac = secret?.mac(bytes) ?? NO_MAC;
  return { kind: "proof", spki: identity.spki, signature: identity.sign(bytes), mac };
}

/** The capability of a daemon that a member list may name: it announces the hash of the list that it uses. */
const KNOWS_LIST = "list-";
const NO_LIST = "none";

/** The bytes of the hash in the word. Daemons of earlier versions refuse a hello with a word above 32 characters. */
const LIST_HASH_BYTES = 13;

/** Returns the word by which a daemon names its member list. @param list  the hash; empty: it has none */
const knowsList = (list: ByteString): string =>
  `${KNOWS_LIST}${list === "" ? NO_LIST : hexOf(list.slice(0, LIST_HASH_BYTES))}`;

/**
 * Returns the beginning of the hash of the member list that another daemon uses; empty: it has none; null: no list may
 * name it.
 */
function listIn({ knows }: Hello): ByteString | null {
  const word = knows.find((one) => one.startsWith(KNOWS_LIST))?.slice(KNOWS_LIST.length);
  if (word === undefined) return null;
  return word === NO_LIST ? "" : (bytesOfHex(word, LIST_HASH_BYTES) ?? null);
}

/** Writes the first message of a member. */
function helloOf({ identity, cluster, clock, state, lists }: ClusterState): Buffer {
  const hello = {
    kind: "hello",
    versions: [PROTOCOL],
    daemon: identity.id,
    cluster,
    role: "daemon",
  } as const;
  const list = lists?.isDurable ? [knowsList(lists.durable.hash)] : [];
  const now = { clock: clock(), state, members: null, knows: [...memberKnows(), ...list] };
  return Buffer.from(writeFrame(writeHello({ ...hello, ...now }), PROTOCOL), "latin1");
}
