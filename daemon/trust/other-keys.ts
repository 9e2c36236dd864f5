/** Key files that have become others while the daemon runs: when that cannot be taken over. */
import { StartError } from "../process/start-error.js";

/** @throws StartError  with the cures */
export function refuseOtherKeys({
  hasTimeline,
  haveChanged,
}: {
  readonly hasTimeline: boolean;
  /** By KEY commands. */
  readonly haveChanged: boolean;
}): void {
  if (hasTimeline)
    throw new StartError(
      "sign-key, root-key: the files have changed, and a timeline keeps the keys it began with. Put the old files " +
        "back, and change keys by dbsync keys add and dbsync keys revoke (KEY ADD, KEY REVOKE).",
      2,
    );
  if (haveChanged)
    throw new StartError(
      "sign-key, root-key: the files have changed, and so have the keys by KEY commands, which would be lost. " +
        "Change keys by KEY ADD and KEY REVOKE.",
      2,
    );
}
