/** The methods of a logger that a timeline calls. */
export interface TimelineLogger {
  info(facts: object, text: string): void;
  warn(facts: object, text: string): void;
  error(facts: object, text: string): void;
}

/** The message about a failed disk, logged with the reason. */
export const FAILED =
  "the data folder cannot be written: no writes are accepted any longer. Free or repair the disk, then start again";
