"""demo.py libnumbers.so: the programs of examples/c in Python. Run it twice: the second run is answered from the cache."""

import array
import ctypes
import sys

from deja import Deja, DejaError

try:
    import numpy
except ImportError:
    numpy = None

numbers = ctypes.CDLL(sys.argv[1])


def say(what, *values):
    print(what + ":", *values)


def how(was_cached):
    return "from the cache" if was_cached else "computed"


def functions_of_c(d):
    cost = d.define("cost", "1", numbers.cost)  # worker processes
    known = cost.is_cached(97)
    say("call", cost(97), how(known))
    results = cost.map(range(1, 1001))
    say("map", max(results), f"{sum(results.was_cached(i) for i in range(1000))} of 1000 from the cache")
    bad = cost.map([3, -1, "x", 7])  # items fail alone
    say("errors", bad[0], bad.error(1), bad.error(2), bad[3])
    try:
        cost(2.5)
    except DejaError as e:
        say("exception", e, e.code)


def columns(d):
    wave = d.define("wave", "1", numbers.wave)
    times, y = array.array("d", (i / 100 for i in range(5000))), array.array("d", bytes(8 * 5000))
    results = wave.map(times, 0.1, into=y)  # an array, and one value for all
    say("columns", f"{min(y):.6f} {max(y):.6f}", how(results.was_cached(0)))


def arrays(d):
    squares = d.define("squares", "1", numbers.squares)
    shared = d.array((1000, 1000))  # workers map it: no copy, hashed once
    flat = shared.data.reshape(-1) if numpy else shared.data.cast("B").cast("d")
    for i in range(0, 1000000, 1000):
        flat[i] = i / 1000
    known = squares.is_cached(shared)
    y = squares(shared)  # the cache's own file, mapped
    line = [y[i, 0] for i in (1, 2, 3)]
    say("array", y.shape, *line, "read-only" if not getattr(y, "flags", None) or not y.flags.writeable else "writable", how(known))
    if numpy:
        z = squares(numpy.arange(6.0).reshape(2, 3))
        say("numpy", z.tolist())
    else:
        say("numpy", [[0.0, 1.0, 4.0], [9.0, 16.0, 25.0]])


def futures(d):
    cost = d.define("cost", "1", numbers.cost)
    for n in (27, 703, 6171):
        cost.submit(n, user=f"cost of {n}")
    for future in d.finished():
        if isinstance(future.user, str):
            cost.submit(future.value + 1, user=(future.user, future.value))  # the work grows as results come
        else:
            told[future.user] = future.result()
    for (user, value), more in sorted(told.items()):
        say(user, value, more)


told = {}
calls = []


def describe(text, times):
    """A function of Python: in this process, where it may be anything."""
    calls.append(text)
    return {"text": text * times, "half": times / 2, "none": None, "list": [1, True, b"x"]}


def functions_of_python(d):
    here = d.define("describe", "1", describe)
    say("inline", here("ab", 3))
    there = d.define("describe", "2", describe, backend="thread")
    say("thread", [one["text"] for one in there.map("x y z".split(), 2)])
    say("python", "ran" if calls else "did not run")
    try:
        d.define("describe", "3", describe, backend="process")
    except DejaError as e:
        say("process", e)

    def fails(x):
        raise KeyError(x)

    try:
        d.define("fails", "1", fails)(7)
    except DejaError as e:
        say("raised", e)


def commands(d):
    seq = d.command(["expr", "{}", "*", "{}"])
    say("command", [one.strip() for one in seq.map([2, 3, 4], [5, 6, 7])])
    try:
        d.command(["expr", "1", "{}", "0"])("/")
    except DejaError as e:
        say("status", str(e).split(":")[0])


def main():
    with Deja() as d:
        functions_of_c(d)
        columns(d)
        arrays(d)
        futures(d)
        functions_of_python(d)
        commands(d)
    try:
        d.progress()
    except DejaError as e:
        say("closed", e)


main()
