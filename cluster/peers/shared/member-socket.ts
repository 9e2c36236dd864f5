/** A byte stream to another member, as Peering uses it. transport.ts has the real one; tests have their own. */
import type { PeerAddress } from "../../../options/peer-address.js";

export interface MemberSocket {
  write(bytes: Buffer): void;
  /** Closes the stream after everything written has been sent; no event follows. */
  close(): void;
  /** Returns the bytes written that the system has not accepted yet. */
  unsentBytes(): number;
  /** Bytes that only the two ends of this encrypted stream know (TLS exporter), or null if it is not encrypted. */
  readonly binding: Buffer | null;
  /** Address and port, as the log shows them. */
  readonly remote: string;
}

/** Receives a socket's events. They are emitted after the call that caused them; `closed` at most once, and last. */
export interface MemberSocketOwner {
  /** Called when the stream is open, only if this side opened it. */
  opened(): void;
  received(chunk: Buffer): void;
  /** @param detail  the reason, as the system reports it */
  closed(detail: string): void;
}

export type Connect = (address: PeerAddress, owner: MemberSocketOwner) => MemberSocket;
