// Evaluated first in each realm. It takes away what an outcome must not depend on, and returns the function that Go calls.
// What it needs later it keeps: the source may change every built-in.
(function () {
  "use strict";
  const { parse, stringify } = JSON;
  const { isArray } = Array;
  const { apply, construct } = Reflect;
  const { defineProperty, freeze } = Object;
  const tagOf = Object.prototype.toString;
  const Fault = TypeError;
  const EngineFault = InternalError;
  const nothing = freeze([]);

  function absent(name, message) {
    const fault = new Fault(message);
    defineProperty(fault, "name", { value: name });
    return fault;
  }
  function put(object, name, value) {
    defineProperty(object, name, { value, writable: true, configurable: true, enumerable: false });
  }

  const Clock = Date;
  const Timeless = function Date(...given) {
    if (new.target === undefined || given.length === 0) throw absent("NoClock", "a merge has no clock");
    return construct(Clock, given, new.target);
  };
  defineProperty(Timeless, "prototype", { value: Clock.prototype, writable: false });
  defineProperty(Timeless, "length", { value: Clock.length });
  put(Timeless, "parse", Clock.parse);
  put(Timeless, "UTC", Clock.UTC);
  put(Timeless, "now", function now() { throw absent("NoClock", "a merge has no clock"); });
  put(Clock.prototype, "constructor", Timeless);
  put(globalThis, "Date", Timeless);
  put(Math, "random", function random() { throw absent("NoRandomness", "a merge has no randomness"); });
  delete globalThis.WeakRef;
  delete globalThis.FinalizationRegistry;
  delete globalThis.Atomics;
  delete globalThis.SharedArrayBuffer;
  delete Object.prototype.__proto__;

  // Why a result is none: as Go has them.
  const returnedNothing = 1, notData = 2, notFinite = 3, hole = 4, opaque = 5, unwritable = 6, tooLarge = 7;

  // keep is the replacer of stringify: it finds what would be lost in silence.
  let lost = 0;
  function keep(key, value) {
    switch (typeof value) {
      case "number":
        if (value - value !== 0) lost = notFinite;
        break;
      case "undefined":
        if (isArray(this)) lost = hole;
        break;
      case "object":
        if (value === null || isArray(value)) break;
        switch (apply(tagOf, value, nothing)) {
          case "[object Object]": case "[object String]": case "[object Boolean]": break;
          case "[object Number]": return keep(key, +value);
          default: lost = opaque;
        }
        break;
      case "function": case "symbol": case "bigint":
        lost = notData;
    }
    if (lost !== 0) throw nothing;
    return value;
  }

  function write(value, maxLength) {
    let text;
    lost = 0;
    try {
      text = stringify(value, keep);
    } catch (fault) {
      if (lost !== 0) return lost;
      if (fault === null || fault instanceof EngineFault) throw fault; // out of memory or of stack
      return unwritable;
    }
    if (typeof text !== "string") return returnedNothing;
    return text.length > maxLength ? tooLarge : text;
  }

  const read = (text) => text === undefined ? undefined : parse(text);

  // Without a context it says if there is something to call.
  return function (context, base, client, server, maxLength) {
    const hasMerge = typeof merge === "function";
    if (context === undefined) return hasMerge || typeof customEntityMerge === "function";
    if (!hasMerge) return write(customEntityMerge(read(client), read(server)), maxLength);
    const merged = merge(read(base), read(client), read(server), freeze(parse(context)));
    return merged === undefined ? undefined : write(merged, maxLength);
  };
})()
