/** Returns a test double of an object of which the subject uses these members only. */
export function double<T>(members: Part<T>): T {
  return members as T;
}

/** Some members, recursively. Private members do not count. */
type Part<T> = {
  [Name in keyof T]?: T[Name] extends (...parameters: never[]) => unknown ? T[Name] : Part<T[Name]>;
};
