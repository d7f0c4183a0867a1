"""test_deja.py ABI LIBNUMBERS: what deja.py promises, and that its structs are those of C (ABI is examples/c/abi)."""

import array
import ctypes
import gc
import math
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

import deja
from deja import Deja, DejaError

try:
    import numpy
except ImportError:
    numpy = None

ABI, NUMBERS = sys.argv[1], ctypes.CDLL(sys.argv[2])


def same(x):
    return x


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.d = Deja(self.folder.name + "/cache", workers=2)
        self.addCleanup(self.d.close)

    def refused(self, code, call, *args):
        with self.assertRaises(DejaError) as caught:
            call(*args)
        self.assertEqual(caught.exception.code, code)
        return str(caught.exception)

    def test_structs_are_those_of_c(self):
        said = subprocess.run([ABI], capture_output=True, text=True, check=True).stdout.split("\n")
        self.assertEqual(said[:-1], list(deja.abi()))
        self.assertGreater(len(said), 80)

    def test_values_go_in_and_come_out(self):
        zoo = [None, True, False, 0, -(2**63), 2**63 - 1, 2**64 - 1, 1.5, -0.0, math.inf, "", "täxt", b"", b"a\0b", [], {}]
        zoo += [[1, [2.0, ["x"]]], {"b": 1, "a": {"c": [None]}}, pathlib.Path(__file__)]
        for backend in ("inline", "thread"):
            f = self.d.define("same " + backend, "1", same, backend=backend)
            for x in zoo + [math.nan]:
                for y in (f(x), f(x)):  # computed, and from the cache
                    self.assertEqual((type(x), str(x)), (type(y), str(y)))
            self.assertEqual(str(f.map(zoo)[:]), str(zoo))

    def test_what_cannot_be_passed_is_refused(self):
        f = self.d.define("same", "1", same)
        for x in (2**64, -(2**63) - 1, "a\0b", {1: 2}, {"a\0": 1}, object(), [object()], 1j, "\udcff", {"\udcff": 1}):
            self.refused(deja.ETYPE, f, x)
        self.refused(deja.EINVAL, f.map, [1, 2], [1, 2, 3])
        masked = type("Masked", (), {"mask": [True], "filled": None, "__array_interface__": {"shape": (1,)}})()
        self.assertIn("mask", self.refused(deja.ETYPE, f, masked))
        self.assertIn("deeper", self.refused(deja.EINVAL, f, self.nested(70)))

    def test_backends_that_cannot_be(self):
        for backend, why in (("nope", "'nope' is no backend"), ("async", "stack")):
            with self.assertRaises(DejaError) as caught:
                self.d.define("same", "1", same, backend=backend)
            self.assertIn(why, str(caught.exception))

    @staticmethod
    def nested(depth):
        return [Case.nested(depth - 1)] if depth else []

    def test_an_array_of_the_standard_library(self):
        f = self.d.define("same", "1", same)
        for code in "bBhHiIlLqQfd":
            x = array.array(code, [1, 2, 3])
            self.assertEqual(list(f(x)), [1, 2, 3], code)

    def test_a_view_of_another_order(self):
        f = self.d.define("list", "1", list)
        own = memoryview((ctypes.c_double * 4)(1, 2, 3, 4)).cast("B").cast("d")
        result = memoryview(self.d.define("same", "1", same)(array.array("d", [1, 2, 3, 4])))
        for x in (own, result):
            self.assertEqual([f(x), f(x[::-1]), f(x[::2])], [[1, 2, 3, 4], [4, 3, 2, 1], [1, 3]])

    @unittest.skipUnless(numpy, "no numpy")
    def test_arrays_of_numpy(self):
        f = self.d.define("same", "1", same)
        for dtype in "? i1 i2 i4 i8 u1 u2 u4 u8 f4 f8 c8 c16".split():
            for x in (numpy.ones((2, 3), dtype), numpy.zeros((0, 4), dtype), numpy.arange(24).reshape(2, 3, 4).astype(dtype)):
                for z in (x, x.T, x[::-1], x[:, ::2]):
                    y = f(z)
                    self.assertEqual((y.dtype, y.shape), (z.dtype, z.shape))
                    self.assertTrue((y == z).all())
                    self.assertFalse(y.flags.writeable)
        self.assertEqual([f(numpy.int32(7)), f(numpy.float32(0.5)), f(numpy.bool_(True))], [7, 0.5, True])
        for x in (numpy.zeros(3, object), numpy.zeros(3, ">f8"), numpy.zeros(3, "f2"), numpy.zeros(3, "M8[s]")):
            self.refused(deja.ETYPE, f, x)

    @unittest.skipUnless(numpy, "no numpy")
    def test_a_result_lies_where_the_library_has_it(self):
        f = self.d.define("squares", "1", NUMBERS.squares)
        r = f.map([numpy.arange(100000.0)])
        where = deja._c.deja_results_at(r._pointer, 0).contents.array.contents.data
        y = r[0]
        self.assertEqual(y.ctypes.data, where)
        del r
        self.d.close()
        gc.collect()
        self.assertEqual(y[99999], 99999.0**2)  # what y lies in is still mapped

    @unittest.skipUnless(numpy, "no numpy")
    def test_columns_and_results_of_numpy(self):
        f = self.d.define("wave", "1", NUMBERS.wave)
        t = numpy.linspace(0, 5, 1001)
        y = numpy.empty(1001)
        f.map(t, 0.5, into=y)
        self.assertTrue(numpy.allclose(y, numpy.sin(t) * numpy.exp(-0.5 * t), atol=1e-12))
        self.refused(deja.EINVAL, lambda: f.map(t, 0.5, into=y[:-1]))

    def test_asked_forced_and_forgotten(self):
        ran = []
        f = self.d.define("note", "1", lambda x, quiet: ran.append(x), ignore=[1])
        self.assertFalse(f.is_cached(1, True))
        f(1, True), f(1, False)
        self.assertEqual((ran, f.is_cached(1, 5)), ([1], True))
        f.forced(1, True)
        self.assertEqual(ran, [1, 1])
        self.assertTrue(f.forget(1, True))
        self.assertFalse(f.is_cached(1, True))
        f(1, True), f(2, True)
        self.assertEqual(f.forget_all(), 2)

    def test_futures_that_fail_or_are_late(self):
        f = self.d.define("slow", "1", lambda s: time.sleep(s) or s, backend="thread", no_cache=True)
        f.submit(0.4, user="slow")
        self.refused(deja.ETIMEDOUT, self.d.next, 20)
        f.submit("x", user="bad")
        done = {future.user: future for future in self.d.finished()}
        self.assertEqual(done["slow"].result(), 0.4)
        self.assertIn("TypeError", self.refused(deja.EINVAL, done["bad"].result))
        self.assertIsNone(self.d.next())

    def test_a_worker_that_dies_costs_its_item(self):
        libc = ctypes.CDLL(None)
        f = self.d.define("abort", "1", libc.abort)
        self.assertIn("signal 6", self.refused(-19, f, 1))
        self.assertEqual(self.d.define("cost", "1", NUMBERS.cost)(27), 111)

    def test_a_closed_context_is_harmless(self):
        f = self.d.define("same", "1", same)
        future = f.submit(1)
        self.d.close()
        self.d.close()
        self.refused(deja.EINVAL, f, 1)
        self.refused(deja.EINVAL, self.d.next)
        self.assertFalse(future.cancel())


unittest.main(argv=sys.argv[:1])
