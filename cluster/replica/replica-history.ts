/** What TIMELINE commands are answered from, put together. */

import { hashOf } from "../../engine/trust/identity.js";
import type { Signers } from "../../engine/trust/signers.js";
import type { Environment } from "../../net/process/environment.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { DATABASES_DEFAULT } from "../../store/database.js";
import type { Storage } from "../../timeline/entries/storage.js";
import type { SnapshotParts } from "../../timeline/snapshots/snapshot-making.js";
import type { Timeline } from "../../timeline/timeline.js";
import { History } from "../history/history.js";
import type { MemberLists } from "../members/member-lists.js";
import type { Peering } from "../peers/peering.js";
import type { Keeping } from "./aside-folders.js";
import type { Recorder } from "./recorder.js";

export interface ReplicaHistoryParts {
  readonly storage: Storage;
  readonly recorder: Recorder;
  readonly lists: MemberLists;
  readonly timeline: Timeline;
  readonly peering: Peering;
  readonly snapshots: SnapshotParts["snapshots"];
  readonly soon: (step: () => void) => void;
  readonly signers: Signers;
  readonly environment: Environment;
  readonly keeping: Pick<Keeping, "waitingLetters">;
  /** The command by which an administrator has yet to authorize the own key; null: none. */
  readonly introduction: () => readonly ByteString[] | null;
}

export function replicaHistory(parts: ReplicaHistoryParts): History {
  const { storage, recorder, lists, timeline, peering, snapshots, soon, signers, environment } = parts;
  const deadLetters = () => parts.keeping.waitingLetters(environment.clock());
  return new History({
    recall: {
      storage,
      snapshots,
      soon,
      uptime: environment.uptime,
      hash: hashOf,
      genesis: signers.makeRing,
      databases: DATABASES_DEFAULT,
    },
    replica: {
      timeline,
      peering,
      lists,
      state: () => recorder.state,
      revoked: () => recorder.revoked,
      unlisted: () => recorder.unlisted,
      isDurable: storage.isDurable,
      lostGroups: storage.lostGroups,
      deadLetters,
      introduction: parts.introduction,
    },
    environment,
  });
}
