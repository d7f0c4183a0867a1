"""deja from Python: one file over ctypes, nothing to build and nothing to install beside libdeja itself.

    with Deja(".deja") as d:
        f = d.define("cost", "1", ctypes.CDLL("libnumbers.so").cost)    # a C function: runs in processes
        print(f(27), f.map(range(1, 1000))[-1])

A function of C runs in worker processes unless `backend` says otherwise; one of Python runs in the caller ("inline") or in
threads ("thread"), where it has the interpreter's lock; commands run by the program `deja exec`. Arrays (numpy, or
array.array) go in and out without copying: what comes out is read-only, and stays valid as long as something refers to it.
Errors are exceptions (DejaError) with the text of the library.

The environment: DEJA_LIBRARY names libdeja.so, DEJA_PROGRAM the program; otherwise they are looked for as usual.
"""

import array
import collections.abc
import concurrent.futures
import ctypes as c
import operator
import os
import pathlib
import shutil
import subprocess

try:
    import numpy
except ImportError:
    numpy = None

# ---- the structs of the header; abi() is compared with what C says ----

NULL, BOOL, I64, U64, F64, STRING, BYTES, ARRAY, LIST, MAP, FILE = range(11)
I8, I16, I32, U8, U16, U32, F32, C64, C128 = range(16, 25)
PROCESS, THREAD, ASYNC, INLINE = range(4)
BACKENDS = {"process": PROCESS, "thread": THREAD, "async": ASYNC, "inline": INLINE}
NO_CACHE, READONLY, REFRESH, NO_SYNC, INIT_EACH, NO_WORKERS = 1, 2, 4, 8, 16, 32
FORCE = 1
EINVAL, ETYPE, ETIMEDOUT = -3, -11, -12

DTYPES = {
    "b1": BOOL, "i1": I8, "i2": I16, "i4": I32, "i8": I64, "u1": U8, "u2": U16, "u4": U32, "u8": U64,
    "f4": F32, "f8": F64, "c8": C64, "c16": C128,
}  # fmt: skip
TYPESTRS = {kind: name for name, kind in DTYPES.items()}
FORMATS = {BOOL: "?", I8: "b", I16: "h", I32: "i", I64: "q", U8: "B", U16: "H", U32: "I", U64: "Q", F32: "f", F64: "d"}


class CError(c.Structure):
    _fields_ = [("code", c.c_int32), ("sys_errno", c.c_int32), ("text", c.c_char * 1016)]


class CArray(c.Structure):
    _fields_ = [
        ("data", c.c_void_p), ("dtype", c.c_uint32), ("ndim", c.c_uint32), ("shape", c.POINTER(c.c_int64)),
        ("strides", c.POINTER(c.c_int64)), ("shared", c.c_void_p),
    ]  # fmt: skip


class CValue(c.Structure):
    pass


class CPair(c.Structure):
    pass


class CUnion(c.Union):
    _fields_ = [
        ("i64", c.c_int64), ("u64", c.c_uint64), ("f64", c.c_double), ("string", c.c_void_p), ("bytes", c.c_void_p),
        ("array", c.POINTER(CArray)), ("list", c.POINTER(CValue)), ("map", c.POINTER(CPair)),
    ]  # fmt: skip


CValue._anonymous_ = ("u",)
CValue._fields_ = [
    ("kind", c.c_uint32), ("reserved", c.c_uint32), ("len", c.c_uint64), ("u", CUnion), ("reserved2", c.c_uint64),
]  # fmt: skip
CPair._fields_ = [("key", c.c_char_p), ("value", CValue)]


class COut(c.Structure):
    _fields_ = [("value", CValue), ("sink", c.c_void_p)]


class CColumn(c.Structure):
    _fields_ = [("split", c.POINTER(CArray)), ("same", CValue)]


class COptions(c.Structure):
    _fields_ = [
        ("size", c.c_uint32), ("flags", c.c_uint32), ("cache", c.c_char_p), ("workers", c.c_uint32),
        ("stack_bytes", c.c_uint32), ("init", c.c_void_p), ("init_arg", c.c_void_p), ("max_tasks", c.c_uint32),
        ("grace_ms", c.c_uint32), ("max_rss_bytes", c.c_uint64), ("heap_bytes", c.c_uint64), ("warn", c.c_void_p),
        ("warn_context", c.c_void_p),
    ]  # fmt: skip


class CFnOptions(c.Structure):
    _fields_ = [
        ("size", c.c_uint32), ("backend", c.c_uint32), ("scope", c.c_char_p), ("ignore", c.c_uint64),
        ("max_age_ms", c.c_int64), ("valid", c.c_void_p), ("valid_context", c.c_void_p), ("timeout_ms", c.c_int64),
        ("per_second", c.c_double), ("max_running", c.c_uint32), ("retries", c.c_uint32), ("no_cache", c.c_uint32),
        ("strict", c.c_uint32),
    ]  # fmt: skip


class CMapOptions(c.Structure):
    _fields_ = [
        ("size", c.c_uint32), ("flags", c.c_uint32), ("stop_at_failure", c.c_uint32), ("reserved", c.c_uint32),
        ("into", c.POINTER(CArray)),
    ]  # fmt: skip


class CDone(c.Structure):
    _fields_ = [
        ("value", c.POINTER(CValue)), ("error", c.c_char_p), ("code", c.c_int32), ("was_cached", c.c_int32),
        ("user", c.c_void_p), ("function", c.c_void_p), ("number", c.c_uint64), ("results", c.c_void_p),
    ]  # fmt: skip


class CProgress(c.Structure):
    _fields_ = [
        ("size", c.c_uint32), ("running", c.c_uint32), ("calls", c.c_uint64), ("done", c.c_uint64), ("hits", c.c_uint64),
        ("failed", c.c_uint64),
    ]  # fmt: skip


STRUCTS = {
    "deja_error": CError, "deja_array": CArray, "deja_value": CValue, "deja_pair": CPair, "deja_out": COut,
    "deja_column": CColumn, "deja_options": COptions, "deja_fn_options": CFnOptions, "deja_map_options": CMapOptions,
    "deja_done": CDone, "deja_progress": CProgress,
}  # fmt: skip
JOB = c.CFUNCTYPE(c.c_int, c.POINTER(CValue), c.c_size_t, c.POINTER(COut), c.POINTER(CError))


def abi():
    """A line "struct.member offset size" for each member of each struct, and "struct size"."""
    for name, struct in STRUCTS.items():
        yield f"{name} {c.sizeof(struct)}"
        for member, kind in struct._fields_:
            names = [one for one, _ in CUnion._fields_] if kind is CUnion else [member]
            for one in names:
                at = getattr(struct, one)
                yield f"{name}.{one} {at.offset} {at.size}"


# ---- the library ----

P, VALUES, ERR = c.c_void_p, c.POINTER(CValue), c.POINTER(CError)
SIGNATURES = {
    "deja_open": (P, [c.POINTER(COptions), ERR]),
    "deja_close": (None, [P]),
    "deja_sync": (c.c_int, [P, ERR]),
    "deja_define": (P, [P, c.c_char_p, c.c_char_p, P, c.POINTER(CFnOptions), ERR]),
    "deja_call": (P, [P, VALUES, c.c_size_t, ERR]),
    "deja_call_forced": (P, [P, VALUES, c.c_size_t, ERR]),
    "deja_is_cached": (c.c_int, [P, VALUES, c.c_size_t, ERR]),
    "deja_forget": (c.c_int, [P, VALUES, c.c_size_t, ERR]),
    "deja_forget_function": (c.c_int64, [P, ERR]),
    "deja_forget_all": (c.c_int64, [P, ERR]),
    "deja_results_count": (c.c_size_t, [P]),
    "deja_results_at": (VALUES, [P, c.c_size_t]),
    "deja_results_error": (c.c_char_p, [P, c.c_size_t]),
    "deja_results_code": (c.c_int, [P, c.c_size_t]),
    "deja_results_was_cached": (c.c_int, [P, c.c_size_t]),
    "deja_results_free": (None, [P]),
    "deja_map": (P, [P, VALUES, c.c_size_t, c.c_size_t, c.POINTER(CMapOptions), ERR]),
    "deja_map_columns": (P, [P, c.POINTER(CColumn), c.c_size_t, c.POINTER(CMapOptions), ERR]),
    "deja_submit": (P, [P, VALUES, c.c_size_t, ERR]),
    "deja_future_set_user": (None, [P, P]),
    "deja_next": (c.c_int, [P, c.c_int64, c.POINTER(CDone), ERR]),
    "deja_cancel": (c.c_int, [P]),
    "deja_progress_get": (None, [P, c.POINTER(CProgress)]),
    "deja_array_new": (c.POINTER(CArray), [P, c.c_uint32, c.c_uint32, c.POINTER(c.c_int64), ERR]),
    "deja_return_value": (c.c_int, [c.POINTER(COut), VALUES]),
    "deja_dtype_size": (c.c_uint64, [c.c_uint32]),
    "deja_array_count": (c.c_uint64, [c.POINTER(CArray)]),
}


def _load():
    library = c.CDLL(os.environ.get("DEJA_LIBRARY", "libdeja.so.0"))
    for name, (result, arguments) in SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


_c = _load()


class DejaError(Exception):
    """What the library said; `code` is one of deja/error.h."""

    def __init__(self, text, code=EINVAL):
        super().__init__(text)
        self.code = code


def _raise(err):
    raise DejaError(err.text.decode("utf-8", "replace") or "the context is closed", err.code or EINVAL)


def _write_error(err, code, text):
    """As deja_fail(), cut where it does not fit."""
    err.contents.code, err.contents.sys_errno = code, 0
    err.contents.text = text.encode("utf-8", "replace")[:1015].decode("utf-8", "ignore").encode().replace(b"\0", b"?")
    return code


# ---- Python -> values: `keep` holds what they point to ----


def _c_array(data, dtype, shape, strides, keep):
    ndim = len(shape)
    a = CArray(data=data, dtype=dtype, ndim=ndim, shape=(c.c_int64 * ndim)(*shape))
    if strides is not None:
        a.strides = (c.c_int64 * ndim)(*strides)
    keep.append(a)
    return a


def _array_of_view(x, keep):
    """Of a view that came from here where it lies, of another one (a part, or reversed) a copy in its own order."""
    is_ours = isinstance(x.obj, c.Array) and c.sizeof(x.obj) == x.nbytes and x.c_contiguous
    raw = x.obj if is_ours else (c.c_char * x.nbytes).from_buffer_copy(x.tobytes())
    keep.append(raw)
    kind = next((kind for kind, name in FORMATS.items() if name == x.format), None)
    if kind is None:
        raise DejaError(f"a memoryview of format '{x.format}' cannot be passed", ETYPE)
    return _c_array(c.addressof(raw), kind, x.shape, None, keep)


def _as_array(x, keep):
    """The CArray of something that is one, else None."""
    if isinstance(x, SharedArray):
        return x._pointer.contents
    if isinstance(x, array.array):
        keep.append(x)
        address, count = x.buffer_info()
        name = ("f" if x.typecode in "fd" else "i" if x.typecode in "bhilq" else "u") + str(x.itemsize)
        if x.typecode == "u":
            return None
        return _c_array(address, DTYPES[name], (count,), None, keep)
    if isinstance(x, memoryview):
        return _array_of_view(x, keep)
    if hasattr(x, "mask") and hasattr(x, "filled"):
        raise DejaError("a masked array cannot be passed: its mask would be lost; pass x.filled(value)", ETYPE)
    interface = getattr(x, "__array_interface__", None)
    if interface is None or (interface["shape"] == () and hasattr(x, "item")):
        return None
    order, name = interface["typestr"][0], interface["typestr"][1:]
    if name not in DTYPES or order == ">":
        raise DejaError(f"an array of {interface['typestr']} cannot be passed", ETYPE)
    keep.append(x)
    data = interface.get("data") or (None,)
    return _c_array(data[0], DTYPES[name], interface["shape"], interface.get("strides"), keep)


def _encoded(text):
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise DejaError(f"{ascii(text)} is no text in UTF-8 (a lone surrogate): pass bytes", ETYPE) from None


def _set_text(v, kind, data, keep):
    if kind != BYTES and b"\0" in data:
        raise DejaError("a text with a NUL cannot be passed: pass bytes", ETYPE)
    keep.append(data)
    v.kind, v.len, v.string = kind, len(data), c.cast(c.c_char_p(data), P).value


def _set_items(v, kind, items, keep):
    keep.append(items)
    v.kind, v.len = kind, len(items)
    setattr(v, "list" if kind == LIST else "map", c.cast(items, VALUES if kind == LIST else c.POINTER(CPair)))


def _set_map(v, x, keep):
    pairs = (CPair * len(x))()
    for pair, (key, one) in zip(pairs, x.items()):
        if not isinstance(key, str) or "\0" in key:
            raise DejaError("keys of maps are texts", ETYPE)
        pair.key = _encoded(key)
        _set(pair.value, one, keep)
    _set_items(v, MAP, pairs, keep)


def _set_whole(v, x):
    if not -(2**63) <= x < 2**64:
        raise DejaError(f"{x} does not fit into 64 bits", ETYPE)
    v.kind = I64 if x < 2**63 else U64
    setattr(v, "i64" if x < 2**63 else "u64", x)


def _set(v, x, keep):
    if x is None:
        v.kind = NULL
    elif isinstance(x, bool):
        v.kind, v.i64 = BOOL, x
    elif isinstance(x, int):
        _set_whole(v, x)
    elif isinstance(x, float):
        v.kind, v.f64 = F64, x
    elif isinstance(x, str):
        _set_text(v, STRING, _encoded(x), keep)
    elif isinstance(x, (bytes, bytearray)):
        _set_text(v, BYTES, bytes(x), keep)
    elif isinstance(x, os.PathLike):
        _set_text(v, FILE, os.fsencode(x), keep)
    elif isinstance(x, (list, tuple)):
        _set_items(v, LIST, _values(x, keep), keep)
    elif isinstance(x, dict):
        _set_map(v, x, keep)
    else:
        _set_other(v, x, keep)


def _set_other(v, x, keep):
    a = _as_array(x, keep)
    if a is not None:
        v.kind, v.array = ARRAY, c.pointer(a)
    elif hasattr(x, "__array_interface__"):
        _set(v, x.item(), keep)  # a scalar of numpy
    elif hasattr(x, "__index__"):
        _set_whole(v, operator.index(x))
    else:
        raise DejaError(f"a {type(x).__name__} cannot be passed", ETYPE)


def _values(items, keep):
    items = list(items)
    values = (CValue * len(items))()
    for v, x in zip(values, items):
        _set(v, x, keep)
    return values


# ---- values -> Python: `owner` is kept alive by arrays ----


class _View:
    """An array where it lies, for numpy."""

    def __init__(self, a, owner, is_readonly):
        self.owner = owner
        self.__array_interface__ = {
            "version": 3,
            "shape": tuple(a.shape[: a.ndim]),
            "typestr": ("|" if TYPESTRS[a.dtype][1:] == "1" else "<") + TYPESTRS[a.dtype],
            "data": (a.data or 0, is_readonly),
            "strides": tuple(a.strides[: a.ndim]) if a.strides else None,
        }


def _to_array(a, owner, is_readonly=True):
    if numpy:
        return numpy.asarray(_View(a, owner, is_readonly))
    count = _c.deja_array_count(c.byref(a))
    raw = (c.c_char * (count * _c.deja_dtype_size(a.dtype))).from_address(a.data or 0)
    raw.owner = owner
    view = memoryview(raw).cast("B")
    if a.dtype in FORMATS and count:
        view = view.cast(FORMATS[a.dtype], tuple(a.shape[: a.ndim]))
    return view.toreadonly() if is_readonly else view


def _get(v, owner):
    kind = v.kind
    if kind == NULL:
        return None
    if kind == BOOL:
        return bool(v.i64)
    if kind in (I64, U64, F64):
        return (v.i64, v.u64, v.f64)[kind - I64]
    if kind == ARRAY:
        return _to_array(v.array.contents, owner)
    if kind == LIST:
        return [_get(v.list[i], owner) for i in range(v.len)]
    if kind == MAP:
        return {v.map[i].key.decode(): _get(v.map[i].value, owner) for i in range(v.len)}
    data = c.string_at(v.string, v.len)
    if kind == FILE:
        return pathlib.Path(os.fsdecode(data))
    return data if kind == BYTES else data.decode("utf-8", "surrogateescape")


class Results(collections.abc.Sequence):
    """What one or many calls returned. An item that failed raises its error when it is asked for; `error(i)` tells."""

    def __init__(self, pointer):
        self._pointer = pointer

    def __del__(self, free=_c.deja_results_free):
        free(self._pointer)

    def __len__(self):
        return _c.deja_results_count(self._pointer)

    def __getitem__(self, i):
        if isinstance(i, slice):
            return [self[k] for k in range(*i.indices(len(self)))]
        i = operator.index(i) + (len(self) if i < 0 else 0)
        if not 0 <= i < len(self):
            raise IndexError(i)
        v = _c.deja_results_at(self._pointer, i)
        if not v:
            raise self.error(i)
        return _get(v.contents, self)

    def error(self, i):
        text = _c.deja_results_error(self._pointer, i)
        return text and DejaError(text.decode("utf-8", "replace"), _c.deja_results_code(self._pointer, i))

    def was_cached(self, i=0):
        return bool(_c.deja_results_was_cached(self._pointer, i))

    def __repr__(self):
        shown = [repr(self.error(i) or self[i]) for i in range(min(len(self), 10))]
        return "[" + ", ".join(shown + ["..."] * (len(self) > 10)) + "]"


class SharedArray:
    """Memory that workers map, see deja_array_new: fill `data` (a numpy array, else a memoryview), then pass this object.
    From the first call on writing is a fault. It ends with its context."""

    def __init__(self, deja, pointer):
        self._pointer = pointer
        self.data = _to_array(pointer.contents, deja, is_readonly=False)


class Future:
    """A call under way; Deja.next() hands it back when it is finished."""

    def __init__(self, function, pointer, user):
        self.function, self.user = function, user
        self._pointer = pointer
        self.error = self.value = None
        self.was_cached = False

    @property
    def is_finished(self):
        return self._pointer is None

    def cancel(self):
        """True: it had not begun, or its process was ended, and it finishes with an error."""
        return self._pointer is not None and bool(_c.deja_cancel(self._pointer))

    def result(self):
        if self.error:
            raise self.error
        return self.value


class Function:
    """A defined function; calling it is deja_call."""

    def __init__(self, deja, pointer, name):
        self._deja, self._pointer, self.name = deja, pointer, name

    def _live(self):
        self._deja._live()
        return self._pointer

    def _ask(self, call, args, failed):
        keep, err = [], CError()
        values = _values(args, keep)
        result = call(self._live(), values, len(values), c.byref(err))
        if failed(result):
            _raise(err)
        return result

    def __call__(self, *args):
        return Results(self._ask(_c.deja_call, args, operator.not_))[0]

    def forced(self, *args):
        """Computes even when there is a result, and replaces it."""
        return Results(self._ask(_c.deja_call_forced, args, operator.not_))[0]

    def is_cached(self, *args):
        return self._ask(_c.deja_is_cached, args, lambda rc: rc < 0) == 1

    def forget(self, *args):
        return self._ask(_c.deja_forget, args, lambda rc: rc < 0) == 1

    def forget_all(self):
        """All results in all versions; how many."""
        err = CError()
        count = _c.deja_forget_function(self._live(), c.byref(err))
        return count if count >= 0 else _raise(err)

    def submit(self, *args, user=None):
        """Begins a call; `user` comes back with its Future from Deja.next(), which is called by the same thread."""
        future = Future(self, self._ask(_c.deja_submit, args, operator.not_), user)
        _c.deja_future_set_user(future._pointer, id(future))
        self._deja._futures[id(future)] = future
        return future

    def map(self, *columns, into=None, force=False, stop_at_failure=False):
        """One call for each item of the columns; texts, numbers and other single values are the same for all. Arrays are
        split along their first axis without making an object of each item. Into an array `into` (one axis of bool, int64,
        uint64 or float64) results that are numbers are written. Gives Results, in order."""
        keep, err = [], CError()
        options = CMapOptions(size=c.sizeof(CMapOptions), flags=FORCE * force, stop_at_failure=stop_at_failure)
        if into is not None:
            options.into = c.pointer(_as_array(into, keep))
        columns = [x if _is_single(x) or _is_split(x) else list(x) for x in columns]
        if any(_is_split(x) for x in columns) and all(_is_split(x) or _is_single(x) for x in columns):
            pointer = self._map_columns(columns, options, keep, err)
        else:
            pointer = self._map_rows(columns, options, keep, err)
        return Results(pointer) if pointer else _raise(err)

    def _map_columns(self, columns, options, keep, err):
        given = (CColumn * len(columns))()
        for column, x in zip(given, columns):
            if _is_split(x):
                column.split = c.pointer(_as_array(x, keep))
            else:
                _set(column.same, x, keep)
        return _c.deja_map_columns(self._live(), given, len(given), c.byref(options), c.byref(err))

    def _map_rows(self, columns, options, keep, err):
        counts = {len(x) for x in columns if not _is_single(x)}
        if len(counts) != 1:
            raise DejaError(f"map '{self.name}': columns of {sorted(counts)} items")
        count = counts.pop()
        rows = _values((x if _is_single(x) else x[i] for i in range(count) for x in columns), keep)
        return _c.deja_map(self._live(), rows, count, len(columns), c.byref(options), c.byref(err))


def _is_single(x):
    return x is None or isinstance(x, (str, bytes, dict, os.PathLike)) or not hasattr(x, "__iter__")


def _is_split(x):
    if isinstance(x, (SharedArray, array.array)):
        return True
    return bool(getattr(x, "__array_interface__", {"shape": ()})["shape"])


def _job_of(function):
    """A deja_job_fn that calls a function of Python, with arguments that are valid until it returns."""

    def job(args, count, out, err):
        try:
            keep, value = [], CValue()
            _set(value, function(*(_get(args[i], None) for i in range(count))), keep)
            return _c.deja_return_value(out, c.byref(value))
        except DejaError as e:
            return _write_error(err, e.code, str(e))
        except BaseException as e:  # nothing may pass through C
            return _write_error(err, EINVAL, f"{type(e).__name__}: {e}")

    return JOB(job)


# ---- contexts ----


class Deja:
    """A cache and workers, see deja_open. Make it before threads: it forks. `cache`: a folder; None: the user's own."""

    def __init__(self, cache=None, *, workers=0, flags=0, **others):
        options = COptions(size=c.sizeof(COptions), flags=flags, workers=workers, **others)
        options.cache = os.fsencode(cache) if cache is not None else None
        self._pointer, self._futures, self._keep = None, {}, []
        self._cache = cache
        err = CError()
        self._pointer = _c.deja_open(c.byref(options), c.byref(err)) or _raise(err)

    def _live(self):
        if not self._pointer:
            raise DejaError("the context is closed")
        return self._pointer

    def close(self):
        pointer, self._pointer = self._pointer, None
        for future in self._futures.values():
            future._pointer = None
        self._futures.clear()
        if pointer:
            _c.deja_close(pointer)

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.close()

    def __del__(self):
        if getattr(self, "_pointer", None):
            self.close()

    def define(self, name, version, function, *, backend=None, scope=None, ignore=(), **others):
        """`function`: of C, from a library loaded by ctypes (backend "process" unless said), or of Python ("inline", or
        "thread"). `ignore`: positions of arguments that are no part of the key. Others: as in deja_fn_options."""
        is_c = isinstance(function, c._CFuncPtr)
        backend = backend or ("process" if is_c else "inline")
        if backend not in BACKENDS:
            raise DejaError(f"define '{name}': '{backend}' is no backend: {', '.join(BACKENDS)}")
        if not is_c and backend == "async":
            raise DejaError(f"define '{name}': Python needs a larger stack than a task of async has: use inline or thread")
        job = function if is_c else _job_of(function)
        if not is_c and scope is None:
            scope = os.path.basename(getattr(getattr(function, "__code__", None), "co_filename", "python"))
        options = CFnOptions(size=c.sizeof(CFnOptions), ignore=sum(1 << i for i in set(ignore)), **others)
        options.backend = BACKENDS[backend]
        options.scope = scope and scope.encode()
        err = CError()
        pointer = _c.deja_define(
            self._live(), name.encode(), str(version).encode(), c.cast(job, P), c.byref(options), c.byref(err)
        )
        self._keep.append(job)
        return Function(self, pointer or _raise(err), name)

    def command(self, argv, **options):
        """A command that is remembered, see Command."""
        return Command(self._cache, argv, **options)

    def next(self, timeout_ms=-1):
        """The Future that is finished first of those submitted; None when none is left. Raises at a timeout."""
        done, err = CDone(), CError()
        while True:  # in slices, so that Ctrl-C is heard
            slice_ms = 200 if timeout_ms < 0 else min(200, timeout_ms)
            rc = _c.deja_next(self._live(), slice_ms, c.byref(done), c.byref(err))
            if rc != ETIMEDOUT or 0 <= timeout_ms <= 200:
                break
            timeout_ms -= 200 if timeout_ms > 0 else 0
        if rc < 0:
            _raise(err)
        return self._finish(done) if rc else None

    def _finish(self, done):
        future = self._futures.pop(done.user)
        future._pointer = None
        results, done.results = Results(done.results), None  # ours now
        future.error, future.was_cached = results.error(0), bool(done.was_cached)
        future.value = None if future.error else results[0]
        return future

    def finished(self):
        """All futures, as they finish; more may be submitted meanwhile."""
        while (future := self.next()) is not None:
            yield future

    def array(self, shape, dtype="f8"):
        """A SharedArray: passed to calls it is never copied, and hashed once."""
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        err = CError()
        lengths = (c.c_int64 * len(shape))(*shape)
        pointer = _c.deja_array_new(self._live(), DTYPES[dtype], len(shape), lengths, c.byref(err))
        return SharedArray(self, pointer) if pointer else _raise(err)

    def progress(self):
        p = CProgress(size=c.sizeof(CProgress))
        _c.deja_progress_get(self._live(), c.byref(p))
        return {name: getattr(p, name) for name, _ in CProgress._fields_[1:]}

    def forget_all(self):
        err = CError()
        count = _c.deja_forget_all(self._live(), c.byref(err))
        return count if count >= 0 else _raise(err)

    def sync(self):
        """Waits until every result so far is durable."""
        err = CError()
        if _c.deja_sync(self._live(), c.byref(err)) < 0:
            _raise(err)


class Command:
    """A command with places "{}" for arguments, run by `deja exec`: its key has its words, the content of its program, the
    working directory, and the contents of `inputs`. Gives what it wrote to standard output."""

    def __init__(self, cache, argv, *, inputs=(), env=(), version=None, anywhere=False):
        self._argv = [os.fspath(word) for word in argv]
        program = os.environ.get("DEJA_PROGRAM") or shutil.which("deja")
        if not program:
            raise DejaError("the program 'deja' is not in PATH, and DEJA_PROGRAM does not name it")
        self._exec = [program, "exec"]
        self._exec += ["--cache", os.fspath(cache)] if cache is not None else []
        self._exec += [f"--input={os.fspath(path)}" for path in inputs] + [f"--env={name}" for name in env]
        self._exec += [f"--key-version={version}"] if version is not None else []
        self._exec += ["--anywhere"] if anywhere else []

    def __call__(self, *args):
        rest = iter(args)
        words = [word.replace("{}", str(next(rest))) if "{}" in word else word for word in self._argv]
        run = subprocess.run(self._exec + ["--"] + words, capture_output=True, text=True, check=False)
        if run.returncode:
            raise DejaError(f"'{' '.join(words)}' ended with status {run.returncode}: {run.stderr.strip()}")
        return run.stdout

    def map(self, *columns):
        """One run for each item of the columns, on all processors, in order."""
        with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            return list(pool.map(self, *columns))
