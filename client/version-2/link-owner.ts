/** Whom a daemon's link tells, and what it is made of. */

import type { Hello, RefusedMessage, ResultMessage } from "../../protocol/version-2/messages-v2.js";
import type { Sending } from "../calls/sending.js";
import type { Version1Way } from "../calls/version-1-way.js";
import type { Alarm } from "../shared/alarm.js";
import type { FrameTracer } from "../shared/debug.js";
import type { Environment } from "../shared/environment.js";
import type { Failure } from "../shared/outcome.js";
import type { Address } from "../shared/servers.js";
import type { Versions } from "../shared/versions.js";

export interface LinkOwner<Link> {
  /** For the hello: what the client was told, or "". */
  readonly cluster: string;
  /** Each answer to a hello. */
  greeted(link: Link, hello: Hello, sentAt: number, now: number): void;
  /** It closed on the hello. Its queue is for the owner to take. */
  turnedOut1(link: Link, sendings: readonly Sending[], now: number): void;
  /** Returns false for a read that its daemon may have answered without its client's writes. @throws MalformedFrame */
  answered(link: Link, sending: Sending, message: ResultMessage, now: number): boolean;
  /** Follows such an answer: the read is signed again, and names the write. */
  notProven(sending: Sending, now: number): void;
  refused(link: Link, sending: Sending, message: RefusedMessage, now: number): void;
  failed(sending: Sending, failure: Failure): void;
  /** No connection is to be had: what waits to be signed may have nobody to wait for. */
  lostHope(link: Link, now: number): void;
  othersAnsweredSince(link: Link, time: number): boolean;
}

export interface LinkParts<Link> {
  readonly address: Address;
  /** What goes to the same daemon by version 1. */
  readonly version1: Version1Way;
  readonly environment: Environment;
  readonly alarm: Alarm;
  readonly owner: LinkOwner<Link>;
  readonly trace: FrameTracer | null;
  readonly keepalive: boolean;
  /** Whether what is signed waits for a daemon that is not reached, until its time is over; else it fails at once. */
  readonly isPatient?: boolean;
  /** Of daemons whose entry in the list says nothing; null: nobody has said. */
  readonly versions: Versions | null;
  /** Words of its hellos: that it signs nothing; undefined: none, since it signs. */
  readonly knows: readonly string[] | undefined;
}
