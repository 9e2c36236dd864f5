/** What a connection of versions 1 and 2 is given. */
import type { Socket } from "node:net";
import type { Channels } from "../../engine/channels/channels.js";
import type { KeyWatchers } from "../../engine/channels/key-watchers.js";
import type { Pipeline } from "../../engine/pipeline/pipeline.js";
import type { SlowLog } from "../../engine/slow-log/slow-log.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { Version } from "../../protocol/frame.js";
import type { Hello } from "../../protocol/version-2/messages-v2.js";
import type { DaemonSocketHost } from "../daemon-listener.js";

/** Nobody listens to the socket any more, and nothing has come behind the hello. */
export type TakeMember = (socket: Socket, hello: Hello) => void;

export interface LiveHost {
  readonly channels: Channels;
  /** null: what is behind the daemon does not tell of keys. */
  readonly keys: KeyWatchers | null;
  /** Whether a key is there now. */
  readonly exists: (db: number, key: ByteString) => boolean;
}

export interface ConnectionHost extends DaemonSocketHost {
  readonly pipeline: Pipeline;
  /** The daemon's id, 32 bytes. */
  readonly daemon: ByteString;
  /** Whether --require leaves version 1 on. */
  readonly takesVersion1: boolean;
  /** Takes connections of other daemons, behind their hello; null: this daemon has no members. */
  readonly members: TakeMember | null;
  /** What is spoken; 0: the first frame tells. */
  readonly version: Version | 0;
  /** What version 2 is called in metrics. */
  readonly listener: "dbsync-v2" | "ws";
  /** What clients may ask to be told of; null: nothing. */
  readonly live: LiveHost | null;
  /** Of commands that held up all others; null: none is kept. */
  readonly slowLog: SlowLog | null;
  /** php-dbsync's -c; version 1 only. */
  readonly closeAfterAnswer: boolean;
}
