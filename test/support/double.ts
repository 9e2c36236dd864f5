/** Stands in a test for an object of which its subject uses no more than these members. */
export function double<T>(members: Part<T>): T {
  return members as T;
}

/** Some members, of which each may lack some of its own. Members that are private do not count. */
type Part<T> = {
  [Name in keyof T]?: T[Name] extends (...parameters: never[]) => unknown ? T[Name] : Part<T[Name]>;
};
