/** The interface of the faces whose clients have names and passwords. */
import type { DaemonListener } from "../../daemon/listener/daemon-listener.js";
import type { UserListenerName } from "../../daemon/options/option-table.js";
import type { Settings } from "../../daemon/options/settings.js";
import type { Face } from "../../daemon/program/face.js";
import type { UserListenerOptions } from "./user-listener.js";

export interface UserFace extends Face {
  /** The name of the listener's option. */
  readonly listener: UserListenerName;
  /** Whether its clients log in with secrets that are derived from passwords; default: no. */
  readonly usesSecrets?: true;
  /**
   * Whether its listener first loads data from other servers. Until then it refuses its clients itself, in its own
   * protocol, and clients of other listeners wait. Default: it loads none.
   */
  readonly loadsData?: (settings: Settings) => boolean;
  /** Loads the listener. */
  readonly load: () => Promise<new (options: UserListenerOptions) => DaemonListener>;
}

/** Returns the faces whose clients have names and passwords, by the names of their options. */
export function userFacesOf(faces: readonly Face[]): ReadonlyMap<UserListenerName, UserFace> {
  const isUserFace = (face: Face): face is UserFace => "load" in face;
  return new Map(faces.filter(isUserFace).map((face) => [face.listener, face]));
}
