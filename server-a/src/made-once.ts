/**
 * Returns a function that makes something of an object that does not change: once for each object, and kept as long as the
 * object lives.
 */
export function madeOnce<T extends object, Made>(make: (object: T) => Made): (object: T) => Made {
  const known = new WeakMap<T, Made>();
  return (object) => {
    let made = known.get(object);
    if (made === undefined) {
      made = make(object);
      known.set(object, made);
    }
    return made;
  };
}
