/** A line of doctor's report. `fix` says what to do about a WARN or FAIL. */
export interface Finding {
  readonly grade: "OK" | "WARN" | "FAIL";
  readonly subject: string;
  readonly text: string;
  readonly fix?: string;
}

/** Receives a finding. */
export type Report = (finding: Finding) => void;
