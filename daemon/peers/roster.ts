/**
 * Who the members are, and the one connection to each: opens them, lets them in, decides between two, tries again, and
 * says in the log what is wrong. Source: docs/protocol-v2.md "Members".
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { hexOf } from "../../protocol/envelope.js";
import type { DaemonState, Hello } from "../../protocol/messages-v2.js";
import { Dialer, dialingKey } from "./dialer.js";
import { FAREWELLS, type FarewellCode } from "./handshake.js";
import type { Member } from "./member.js";
import { type ConnectionOwner, type ExchangeMessage, MemberConnection } from "./member-connection.js";
import { isOfLoopback, subjectOf } from "./member-places.js";
import type { MemberSocket, MemberSocketOwner, PeerAddress } from "./member-socket.js";
import type { Notices } from "./notices.js";
import { MEMBERS_MOST } from "./peering-limits.js";
import type { MemberStatus, PeeringParts } from "./peering-parts.js";

export interface RosterParts {
  readonly peering: PeeringParts;
  readonly notices: Notices;
  /** Of this daemon. */
  readonly state: () => DaemonState;
  /** Both have proved who they are. @param bit  stands for it until `forgotten` */
  readonly joined: (connection: MemberConnection, bit: number) => Member;
  readonly left: (member: Member) => void;
  /** A bit is to stand for another member from now on. */
  readonly forgotten: (bit: number) => void;
}

export class Roster {
  /** Connected and proven, by id. */
  readonly members = new Map<ByteString, Member>();
  readonly #parts: RosterParts;
  readonly #owner: ConnectionOwner;
  #dialers: Dialer[] = [];
  /** Came in, and have not proved who they are. */
  readonly #handshakes = new Set<MemberConnection>();
  /** Of those that are not connected, who was longest ago comes first. */
  readonly #bits = new Map<ByteString, number>();
  /** When those were heard last that are not connected; `uptime` milliseconds. */
  readonly #heard = new Map<ByteString, number>();
  /** Until when connections of a member are refused. */
  readonly #bans = new Map<ByteString, number>();
  #isRunning = false;

  constructor(parts: RosterParts) {
    this.#parts = parts;
    this.#owner = {
      get state() {
        return parts.state();
      },
      doubt: (connection, id) => this.#doubt(connection, id),
      proven: (connection) => this.#proven(connection),
      message: (connection, message) => this.#receive(connection, message),
      lost: (connection, code, detail) => this.#lost(connection, code, detail),
    };
    this.setPeers(parts.peering.peers);
  }

  start(): void {
    this.#isRunning = true;
  }

  stop(): void {
    this.#isRunning = false;
    for (const { connection } of this.members.values()) connection.close("stopping");
    for (const { connection } of this.#dialers) connection?.close("stopping");
    for (const connection of this.#handshakes) connection.close("stopping");
    this.members.clear();
    this.#handshakes.clear();
  }

  /** Opens what is due, closes what is silent. */
  tick(now: number): void {
    for (const dialer of this.#dialers) {
      if (dialer.isDue(now, this.#isCovered(dialer))) {
        dialer.connection = MemberConnection.open(this.#parts.peering, this.#owner, dialer.address);
      }
      dialer.connection?.checkTime(now);
    }
    for (const connection of [...this.#handshakes]) connection.checkTime(now);
    for (const { connection } of [...this.members.values()]) connection.checkTime(now);
  }

  /** This process was stopped: what the others have sent meanwhile is read before they are called silent. */
  slept(now: number): void {
    for (const { connection } of this.members.values()) connection.heardAt = now;
  }

  /** Other addresses: connections opened to those that are left out are closed. */
  setPeers(addresses: readonly PeerAddress[]): void {
    const before = new Map(this.#dialers.map((dialer) => [dialingKey(dialer.address), dialer]));
    const { limits, random } = this.#parts.peering;
    this.#dialers = addresses.map((address) => {
      const kept = before.get(dialingKey(address));
      before.delete(dialingKey(address));
      return kept ?? new Dialer(address, limits, random);
    });
    for (const { connection } of before.values())
      if (connection !== null) this.#close(connection, "stopping");
    this.recheck();
  }

  /** Lets go of whom is no member any more: its key was revoked, or its pin is gone. */
  recheck(): void {
    for (const member of [...this.members.values()]) {
      if (this.#parts.peering.isMember(member.id, isOfLoopback(member.connection))) continue;
      this.drop(member, "not-a-member", FAREWELLS["not-a-member"]);
    }
  }

  accept(socket: MemberSocket, hello: Hello): MemberSocketOwner {
    const { peering, notices } = this.#parts;
    const connection = MemberConnection.answer(peering, this.#owner, socket);
    if (!this.#isRunning) connection.close("stopping");
    else if (this.#handshakes.size >= peering.limits.maxHandshakes) {
      notices.warn("handshakes", { remote: socket.remote }, FAREWELLS["too-many-handshakes"]);
      connection.close("too-many-handshakes");
    } else {
      this.#handshakes.add(connection);
      connection.greet(hello);
    }
    return connection;
  }

  /** Addresses that are not this daemon's own. */
  get hasOthers(): boolean {
    return this.#dialers.some(({ isSelf }) => !isSelf);
  }

  /** Whether it is configured, as far as is known, or connected. */
  has(id: ByteString): boolean {
    return this.members.has(id) || this.#dialers.some((dialer) => dialer.id === id);
  }

  /** Everybody that is configured or connected; null: one that is configured is not connected. */
  get all(): readonly Member[] | null {
    for (const { id, isSelf } of this.#dialers) {
      if (!isSelf && (id === null || !this.members.has(id))) return null;
    }
    return [...this.members.values()];
  }

  /** How many daemons there are as far as is known, and how many were heard since a time; this one is one of both. */
  count(since: number): { readonly size: number; readonly heard: number } {
    const ids = new Set(this.members.keys());
    let unknown = 0;
    for (const { id, isSelf } of this.#dialers) {
      if (isSelf) continue;
      if (id === null) unknown++;
      else ids.add(id);
    }
    let heard = 1;
    for (const id of ids) {
      const heardAt = this.members.get(id)?.connection.heardAt ?? this.#heard.get(id);
      if (heardAt !== undefined && heardAt >= since) heard++;
    }
    return { size: ids.size + unknown + 1, heard };
  }

  /** Addresses of --peer first, then members that connected from elsewhere. */
  get statuses(): readonly MemberStatus[] {
    const listed = new Set<ByteString>();
    const statuses = this.#dialers.map((dialer) => {
      const member = dialer.id === null ? undefined : this.members.get(dialer.id);
      if (member === undefined || listed.has(member.id)) return dialer.describe(this.#lastHeard(dialer.id));
      listed.add(member.id);
      return member.describe(dialer.name);
    });
    for (const member of this.members.values()) {
      if (!listed.has(member.id)) statuses.push(member.describe(member.connection.remote));
    }
    return statuses;
  }

  /** Closes a connection to a member, and says why in the log. */
  drop({ connection }: Member, code: FarewellCode, detail: string): void {
    if (connection.isClosed) return;
    connection.close(code);
    this.#lost(connection, code, detail);
  }

  /** Drops a member, and refuses its connections for a while. */
  ban(member: Member, detail: string): void {
    const until = this.#parts.peering.uptime() + this.#parts.peering.limits.banMs;
    this.#bans.set(member.id, until);
    const dialer = this.#dialerOf(member.connection);
    this.drop(member, "too-many-refused", detail);
    dialer?.rest(until);
  }

  /** What a hello alone tells, before any proof is made or checked. */
  #doubt(connection: MemberConnection, id: ByteString): FarewellCode | null {
    const { isMember, uptime, identity } = this.#parts.peering;
    // That it is this daemon itself has to be proved as well.
    if (id === identity.id) return null;
    if (!isMember(id, isOfLoopback(connection))) return "not-a-member";
    if ((this.#bans.get(id) ?? Number.NEGATIVE_INFINITY) > uptime()) return "too-many-refused";
    if (!this.members.has(id) && this.members.size >= MEMBERS_MOST) return "too-many-members";
    const other = this.members.get(id)?.connection;
    // Who has proved nothing at this address may be somebody else, and is no reason to leave it alone.
    if (other === undefined || this.#dialerOf(connection)?.id !== id) return null;
    return this.#isBetter(connection, other) ? null : "duplicate";
  }

  /**
   * Of two connections the one that the lower id has opened is kept; of two that the same side has opened the newer, since
   * it opens one only when it has lost the one before, or did not know that two addresses are one daemon's.
   */
  #isBetter(connection: MemberConnection, other: MemberConnection): boolean {
    if (connection.side === other.side) return true;
    return this.#parts.peering.identity.id < connection.id === (connection.side === "opener");
  }

  #proven(connection: MemberConnection): void {
    this.#handshakes.delete(connection);
    const { id } = connection;
    const dialer = this.#dialerOf(connection);
    if (dialer !== undefined) dialer.id = id;
    const other = this.members.get(id);
    const isSpare = other !== undefined && !this.#isBetter(connection, other.connection);
    const bit = isSpare ? null : this.#bitOf(id);
    if (bit === null) {
      this.#close(connection, isSpare ? "duplicate" : "too-many-members");
      return;
    }
    if (other !== undefined) this.#close(other.connection, "duplicate");
    const member = this.#parts.joined(connection, bit);
    this.members.set(id, member);
    this.#heard.delete(id);
    if (dialer !== undefined) dialer.trouble = null;
    const address = dialer?.name ?? connection.name;
    this.#parts.notices.clear(subjectOf(connection, address));
    if (other === undefined) {
      this.#parts.notices.info({ address, member: hexOf(id) }, "member connected");
    }
    member.start();
  }

  /** The bit that stands for a member; null: all stand for others that are connected. */
  #bitOf(id: ByteString): number | null {
    let bit = this.#bits.get(id);
    if (bit === undefined && this.#bits.size < MEMBERS_MOST) bit = 1 << this.#bits.size;
    if (bit === undefined) {
      const [gone] = [...this.#bits].filter(([other]) => !this.members.has(other));
      if (gone === undefined) return null;
      bit = gone[1];
      this.#bits.delete(gone[0]);
      this.#heard.delete(gone[0]);
      this.#parts.forgotten(bit);
    }
    this.#bits.set(id, bit);
    return bit;
  }

  /** There is a connection to whoever is there, or another address of it is being tried. */
  #isCovered({ id, address }: Dialer): boolean {
    if (id === null) return false;
    const isTried = this.#dialers.some(
      (other) => other.address !== address && other.id === id && other.connection !== null,
    );
    return isTried || this.members.has(id);
  }

  #receive(connection: MemberConnection, message: ExchangeMessage): void {
    const member = this.members.get(connection.id);
    if (member?.connection === connection) member.receive(message);
  }

  /** Closes a connection, which is no news. */
  #close(connection: MemberConnection, code: FarewellCode): void {
    connection.close(code);
    this.#forget(connection, code, FAREWELLS[code]);
  }

  #lost(connection: MemberConnection, code: FarewellCode | null, detail: string): void {
    const address = this.#forget(connection, code, detail);
    // That it calls itself is said by the side that opened it.
    const isQuiet = code === "duplicate" || (code === "self" && connection.side === "answerer");
    if (!this.#isRunning || isQuiet) return;
    const member = connection.id === "" ? {} : { member: hexOf(connection.id) };
    const text = code === null ? "a member is not reached" : FAREWELLS[code];
    const facts = { address, ...member, ...(detail === text ? {} : { detail }) };
    this.#parts.notices.warn(subjectOf(connection, address), facts, text);
  }

  /** @returns what the connection is called in the log */
  #forget(connection: MemberConnection, code: FarewellCode | null, detail: string): string {
    const now = this.#parts.peering.uptime();
    this.#handshakes.delete(connection);
    const member = this.members.get(connection.id);
    let openFor = 0;
    if (member?.connection === connection) {
      openFor = Math.max(1, now - member.since);
      this.members.delete(connection.id);
      this.#heard.set(connection.id, connection.heardAt);
      this.#bits.delete(connection.id);
      this.#bits.set(connection.id, member.bit);
      this.#parts.left(member);
    }
    const dialer = this.#dialerOf(connection);
    // Of a proof that came in one piece with the farewell nobody has been told.
    if (dialer !== undefined && connection.isProven) dialer.id = connection.id;
    const isSelf = connection.id === this.#parts.peering.identity.id;
    const isCertain = connection.isProven && (code !== "self" || isSelf);
    dialer?.lost(isCertain ? code : null, detail, openFor, now);
    return dialer?.name ?? connection.name;
  }

  #lastHeard(id: ByteString | null): number | null {
    const heardAt = id === null ? undefined : this.#heard.get(id);
    return heardAt === undefined ? null : this.#parts.peering.uptime() - heardAt;
  }

  #dialerOf(connection: MemberConnection): Dialer | undefined {
    return this.#dialers.find((dialer) => dialer.connection === connection);
  }
}
