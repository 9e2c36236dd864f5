/** Returns a test double of an object. It has only the members that the tested code uses. */
export function double<T>(members: Part<T>): T {
  return members as T;
}

/** A subset of the public members of an object, recursively. */
type Part<T> = {
  [Name in keyof T]?: T[Name] extends (...parameters: never[]) => unknown
    ? T[Name]
    : unknown extends T[Name]
      ? T[Name]
      : Part<T[Name]>;
};
