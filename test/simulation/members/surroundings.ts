/** The surroundings of a daemon of the model, and the properties of the daemon that its parts use. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { KnownList, MembershipState } from "../../../protocol/members/member-list.js";
import type { SeededRandom } from "../../support/seeded-random.js";
import type { Disk } from "./disk.js";
import type { Envelopes } from "./envelopes.js";
import type { Ledger } from "./ledger.js";
import type { Lists } from "./lists.js";
import type { Message, Status } from "./network.js";
import type { Rules } from "./rules.js";
import type { Settings } from "./settings.js";

export interface Surroundings {
  readonly rules: Rules;
  readonly settings: Settings;
  readonly random: SeededRandom;
  readonly lists: Lists;
  readonly envelopes: Envelopes;
  readonly ledger: Ledger;
  /** Returns the right time in milliseconds. */
  readonly time: () => number;
  readonly others: (daemon: number) => readonly number[];
  readonly send: (message: Message) => void;
}

export interface DaemonView {
  readonly number: number;
  readonly disk: Disk;
  readonly around: Surroundings;
  readonly membership: MembershipState;
  readonly isLive: boolean;
  readonly held: number;
  /** The watermark in memory. */
  watermark: number;
  readonly published: number;
  /** The envelopes that the daemon's reports claim to include. */
  readonly reported: number;
  /** The last status of each daemon. */
  readonly lastStatuses: readonly (Status | undefined)[];
  /** Returns the list that the daemon's messages name, and whether the daemon reports. */
  reporting(): { readonly under: KnownList | null; readonly isReport: boolean };
  /** Returns the other members of a list. */
  othersOf(list: KnownList): readonly ByteString[];
}
