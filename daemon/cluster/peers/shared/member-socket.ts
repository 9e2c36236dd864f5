/**
 * A byte stream to another member, as Peering uses it. transport.ts implements it with sockets. Tests have their own
 * implementation.
 */
import type { PeerAddress } from "../../../options/peer-address.js";

export interface MemberSocket {
  write(bytes: Buffer): void;
  /** Closes the stream once all written bytes have been sent. No event is emitted after this call. */
  close(): void;
  /** Returns the number of written bytes that the system has not accepted yet. */
  unsentBytes(): number;
  /** Bytes that only the two ends of this encrypted stream know (TLS exporter), or null if it is not encrypted. */
  readonly binding: Buffer | null;
  /** Address and port, as the log shows them. */
  readonly remote: string;
}

/**
 * The handlers of a socket's events. An event is emitted only after the call that caused it has returned. `closed` is
 * the last event, and is emitted at most once.
 */
export interface MemberSocketHandlers {
  /** Called when the stream is open. Called only if this side opened it. */
  opened(): void;
  received(chunk: Buffer): void;
  /** @param detail  the reason, as the system reports it */
  closed(detail: string): void;
}

export type Connect = (address: PeerAddress, handlers: MemberSocketHandlers) => MemberSocket;
