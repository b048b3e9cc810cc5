/** A method as a function of its object, which stays what it is whatever user code makes of the prototype: `uncurry(Set.prototype.add)(set, 1)`. */
export const uncurry = Function.prototype.bind.bind(Function.prototype.call) as <T, A extends unknown[], R>(
  method: (this: T, ...args: A) => R,
) => (self: T, ...args: A) => R;
