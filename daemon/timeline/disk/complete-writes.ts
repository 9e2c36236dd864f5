/** Writes of all bytes at a position of a file. The system may write fewer bytes than requested, for example on a full disk. */
import { write, writeSync } from "node:fs";

/** Writes in this thread. @throws Error  the system's error */
export function writeNow(descriptor: number, bytes: Buffer, position: number): void {
  for (let done = 0; done < bytes.length; )
    done += writeSync(descriptor, bytes, done, bytes.length - done, position + done);
}

/** Writes in another thread. Rejects with the system's error. */
export function writeInThread(descriptor: number, bytes: Buffer, position: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const writeFrom = (done: number): void => {
      write(descriptor, bytes, done, bytes.length - done, position + done, (problem, written) => {
        if (problem !== null) reject(problem);
        else if (done + written === bytes.length) resolve();
        else writeFrom(done + written);
      });
    };
    writeFrom(0);
  });
}
