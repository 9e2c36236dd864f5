/** The listener as connections of versions 1 and 2 see it. */
import type { Socket } from "node:net";
import type { Channels } from "../../engine/channels/channels.js";
import type { KeyWatchers } from "../../engine/channels/key-watchers.js";
import type { Pipeline } from "../../engine/pipeline/pipeline.js";
import type { SlowLog } from "../../engine/slow-log/slow-log.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { Version } from "../../protocol/frame.js";
import type { Hello } from "../../protocol/version-2/messages-v2.js";
import type { DaemonSocketHost } from "../daemon-listener.js";

/** Takes over the socket of another daemon. No listener is left on it, and no byte has followed the hello. */
export type TakeMember = (socket: Socket, hello: Hello) => void;

export interface LiveHost {
  readonly channels: Channels;
  /** null: the database does not report which keys change. */
  readonly keys: KeyWatchers | null;
  /** Whether a key exists now. */
  readonly exists: (db: number, key: ByteString) => boolean;
}

export interface ConnectionHost extends DaemonSocketHost {
  readonly pipeline: Pipeline;
  /** The daemon's id, 32 bytes. */
  readonly daemon: ByteString;
  /** Whether --require permits version 1. */
  readonly takesVersion1: boolean;
  /** Takes the connections of other daemons after their hello; null: this daemon has no members. */
  readonly members: TakeMember | null;
  /** The version that clients speak; 0: the first frame decides. */
  readonly version: Version | 0;
  /** The name of version 2 in metrics. */
  readonly listener: "dbsync-v2" | "ws";
  /** The sources of events that clients may subscribe to; null: there are none. */
  readonly live: LiveHost | null;
  /** The log of slow commands; null: none is written. */
  readonly slowLog: SlowLog | null;
  /** php-dbsync's -c; version 1 only. */
  readonly closeAfterAnswer: boolean;
}
