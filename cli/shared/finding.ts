/** A line of doctor's report. `fix` is what to do, for WARN and FAIL. */
export interface Finding {
  readonly grade: "OK" | "WARN" | "FAIL";
  readonly subject: string;
  readonly text: string;
  readonly fix?: string;
}

/** Takes a finding. */
export type Report = (finding: Finding) => void;
