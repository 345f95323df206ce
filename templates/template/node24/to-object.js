/** Names to values; a name given twice, or written `name[]`, holds an array. */
function toObject(parameters) {
  const result = {};
  for (const [name, value] of parameters) {
    const list = name.endsWith("[]");
    const key = list ? name.slice(0, -2) : name;
    const before = Object.hasOwn(result, key) ? [result[key]].flat() : [];
    const values = [...before, value];
    // Not assignment: a parameter may be called __proto__.
    Object.defineProperty(result, key, {
      value: list || values.length > 1 ? values : value,
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }
  return result;
}

module.exports = { toObject };
