/** What a cache tells of itself, whatever its clients speak. */
import type { CacheFigures } from "./cache-figures.js";

export interface WatchedCache {
  readonly figures: Readonly<CacheFigures>;
  /** Answers that are kept, and their bytes. */
  readonly entries: number;
  readonly bytes: number;
  /** Readers who wait for an answer of the server. */
  readonly waiting: number;
  /** Of unfinished requests and untaken answers. */
  readonly bufferedBytes: number;
  /** Where the server is. */
  readonly place: string;
  /** Whether it answers, as far as is known. */
  readonly isUp: boolean;
  /** Why it does not, or what failed last; null: nothing. */
  readonly reason: string | null;
}
