/** A stream of bytes to another member, as Peering sees it; transport.ts has the real one, tests have their own. */
import type { PeerAddress } from "../../../options/peer-address.js";

export interface MemberSocket {
  write(bytes: Buffer): void;
  /** Closes after what was written; no event follows. */
  close(): void;
  /** Bytes written that the system has not taken yet. */
  unsentBytes(): number;
  /** Bytes that only the two ends of this encrypted stream know (TLS exporter); null: not encrypted. */
  readonly binding: Buffer | null;
  /** Address and port, as the log shows them. */
  readonly remote: string;
}

/** Receives a socket's events. They are emitted later than the call that caused them; `closed` at most once, and last. */
export interface MemberSocketOwner {
  /** The stream is open. Only if this side opened it. */
  opened(): void;
  received(chunk: Buffer): void;
  /** @param detail  why, as the system says it */
  closed(detail: string): void;
}

export type Connect = (address: PeerAddress, owner: MemberSocketOwner) => MemberSocket;
