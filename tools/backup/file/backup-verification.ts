/** Verifies the file of a backup: first all its bytes, and then its timeline, like the timeline of a data folder. */
import { pino } from "pino";
import { compareGenesis } from "../../../daemon/engine/trust/genesis.js";
import { hashOf } from "../../../daemon/engine/trust/identity.js";
import { loadSigners } from "../../../daemon/engine/trust/load-signers.js";
import type { Settings } from "../../../daemon/options/settings.js";
import { MemoryStorage } from "../../../daemon/timeline/memory-storage.js";
import {
  FAULTS_MAX,
  NotChecked,
  Verification,
  type VerificationReport,
} from "../../history/verification/timeline-verification.js";
import { whyUnread } from "./backup-file.js";
import { DamagedBackup, OpenedBackup } from "./opened-backup.js";

export interface BackupVerification extends VerificationReport {
  /** When the backup was made, in milliseconds since 1970, or null if that part is damaged. */
  readonly made: number | null;
  /** Sentences that report what cannot be verified. */
  readonly untold: readonly string[];
}

/** @throws NotChecked. @throws StartError  the keys cannot be read, or are not those of the backup */
export function verifyBackup(
  settings: Settings,
  file: string,
  progress: (entries: number) => void,
): BackupVerification {
  const signers = loadSigners(settings, pino({ level: "silent" }));
  const view = open(file);
  if (view instanceof DamagedBackup) {
    const faults = view.damages.map(
      ({ from, to }) => ({ kind: "damaged-backup", where: `${file}, bytes ${from} to ${to}` }) as const,
    );
    const report = new Verification(new MemoryStorage(), null, signers, progress).run();
    return {
      ...report,
      made: null,
      untold: [],
      faults: faults.slice(0, FAULTS_MAX),
      faultCount: faults.length,
    };
  }
  try {
    const genesis = view.mark("genesis");
    if (genesis !== null) compareGenesis(genesis, signers.genesis);
    const report = new Verification(view, view, signers, progress).run();
    return { ...report, made: view.end.made, untold: view.end.incomplete ? [INCOMPLETE] : [] };
  } finally {
    view.close();
  }
}

const INCOMPLETE = "The daemon was catching up when the backup was made: entries may be missing.";

function open(file: string): OpenedBackup | DamagedBackup {
  try {
    return new OpenedBackup(file, hashOf);
  } catch (problem) {
    if (problem instanceof DamagedBackup) return problem;
    throw new NotChecked(`${file}: ${whyUnread(problem)}`);
  }
}
