-- deja from LuaJIT, which reads the header itself (see cdef.sh).
--
--     local deja = require "deja"
--     local d = deja.open { cache = ".deja" }
--     local f = d:define("cost", "1", numbers.cost)       -- a C function: runs in processes
--     print(f(27LL), f:map(deja.array({ 1, 2, 3 }, deja.C.DEJA_I64))[3])
--
-- Numbers of Lua are f64, int64_t and uint64_t cdata (27LL, 27ULL) are i64 and u64, both ways. Tables with items are
-- lists, others maps. deja.array makes arrays; those of results lie where the library has them and are read-only.
-- Functions of Lua run inline: a Lua state belongs to one thread. Errors are raised as tables with `code` and `text`.
--
-- DEJA_LIBRARY names libdeja.so, DEJA_CDEF what cdef.sh wrote; otherwise they are looked for as usual and beside this file.

local ffi = require "ffi"
local here = debug.getinfo(1, "S").source:match "^@(.*/)" or ""

local file = assert(io.open(os.getenv "DEJA_CDEF" or here .. "deja.cdef"))
ffi.cdef(file:read "*a")
file:close()
local C = ffi.load(os.getenv "DEJA_LIBRARY" or "deja")

jit.off(true, true) -- a compiled call must not call back into Lua, and an inline function does

local M = { C = C }

local failure = {}
failure.__index = failure
function failure:__tostring()
    return self.text
end

local function raise(err, text)
    error(setmetatable({ code = err and err.code or C.DEJA_EINVAL, text = text or ffi.string(err.text) }, failure), 0)
end

-- ---- arrays ----

local ctypes = {
    [C.DEJA_I64] = "int64_t", [C.DEJA_U64] = "uint64_t", [C.DEJA_F64] = "double", [C.DEJA_I8] = "int8_t",
    [C.DEJA_I16] = "int16_t", [C.DEJA_I32] = "int32_t", [C.DEJA_U8] = "uint8_t", [C.DEJA_U16] = "uint16_t",
    [C.DEJA_U32] = "uint32_t", [C.DEJA_F32] = "float", [C.DEJA_BOOL] = "bool",
}

-- data: cdata from 0 on; shape: a table of lengths; count: of all elements.
local Array = {}
Array.__index = Array

local function wrap(a, owner)
    local self = { c = a, shape = {}, count = tonumber(C.deja_array_count(a)), owner = owner }
    for i = 1, a.ndim do
        self.shape[i] = tonumber(a.shape[i - 1])
    end
    self.data = ffi.cast("const " .. (ctypes[a.dtype] or "void") .. " *", a.data)
    return setmetatable(self, Array)
end

-- deja.array { 1, 2, 3 } or deja.array(1000), of f64; `dtype`: another one, say deja.C.DEJA_I64.
function M.array(from, dtype)
    dtype = dtype or C.DEJA_F64
    local count = type(from) == "table" and #from or from
    local shape = ffi.new("int64_t[1]", count)
    local data = ffi.new(ctypes[dtype] .. "[?]", count)
    for i = 1, type(from) == "table" and count or 0 do
        data[i - 1] = from[i]
    end
    local a = ffi.new("deja_array", { data = data, dtype = dtype, ndim = 1, shape = shape })
    local self = wrap(a, { data, shape })
    self.data = data
    return self
end

-- ---- values: `keep` holds what they point to ----

local set

local function set_list(v, t, count, keep)
    local items = ffi.new("deja_value[?]", math.max(count, 1))
    keep[#keep + 1] = items
    for i = 1, count do
        set(items[i - 1], t[i], keep)
    end
    v.kind, v.len, v.list = C.DEJA_LIST, count, items
end

local function set_map(v, t, keep)
    local keys = {}
    for key in pairs(t) do
        keys[#keys + 1] = key
    end
    local pairs_of = ffi.new("deja_pair[?]", math.max(#keys, 1))
    keep[#keep + 1] = pairs_of
    keep[#keep + 1] = keys
    for i, key in ipairs(keys) do
        if key:find("\0", 1, true) then
            raise({ code = C.DEJA_ETYPE }, "a key of a map is a text without NUL")
        end
        pairs_of[i - 1].key = key
        set(pairs_of[i - 1].value, t[key], keep)
    end
    v.kind, v.len, v.map = C.DEJA_MAP, #keys, pairs_of
end

local function count_keys(t)
    local count, texts = 0, 0
    for key in pairs(t) do
        count = count + 1
        texts = texts + (type(key) == "string" and 1 or 0)
    end
    return count, texts
end

local function is_filled(t, count)
    for i = 1, count do
        if t[i] == nil then
            return false
        end
    end
    return true
end

local function set_table(v, t, keep)
    if getmetatable(t) == Array then
        keep[#keep + 1] = t
        v.kind, v.array = C.DEJA_ARRAY, t.c
        return
    end
    local count, texts = count_keys(t)
    if texts == 0 and is_filled(t, count) then
        set_list(v, t, count, keep)
    elseif texts == count then
        set_map(v, t, keep)
    else
        raise(nil, "a table is a list without holes or a map with texts as keys, not a mixture")
    end
end

local function set_string(v, s, keep)
    keep[#keep + 1] = s
    v.kind, v.len = s:find("\0", 1, true) and C.DEJA_BYTES or C.DEJA_STRING, #s
    v.string = s
end

function set(v, x, keep)
    local kind = type(x)
    if kind == "boolean" then
        v.kind, v.i64 = C.DEJA_BOOL, x and 1 or 0
    elseif kind == "number" then
        v.kind, v.f64 = C.DEJA_F64, x
    elseif kind == "string" then
        set_string(v, x, keep)
    elseif kind == "table" then
        set_table(v, x, keep)
    elseif kind == "cdata" and ffi.istype("int64_t", x) then
        v.kind, v.i64 = C.DEJA_I64, x
    elseif kind == "cdata" and ffi.istype("uint64_t", x) then
        v.kind, v.u64 = C.DEJA_U64, x
    elseif kind ~= "nil" then
        raise(nil, "a " .. kind .. " cannot be passed")
    end
end

local function get(v, owner)
    local kind = v.kind
    if kind == C.DEJA_BOOL then
        return v.i64 ~= 0
    elseif kind == C.DEJA_I64 then
        return v.i64
    elseif kind == C.DEJA_U64 then
        return v.u64
    elseif kind == C.DEJA_F64 then
        return v.f64
    elseif kind == C.DEJA_ARRAY then
        return wrap(v.array, owner)
    elseif kind == C.DEJA_STRING or kind == C.DEJA_BYTES or kind == C.DEJA_FILE then
        return ffi.string(v.string, v.len)
    elseif kind == C.DEJA_NULL then
        return nil
    end
    local t = {}
    for i = 0, tonumber(v.len) - 1 do
        if kind == C.DEJA_LIST then
            t[i + 1] = get(v.list[i], owner)
        else
            t[ffi.string(v.map[i].key)] = get(v.map[i].value, owner)
        end
    end
    return t
end

local function values(n, items, keep)
    local vs = ffi.new("deja_value[?]", math.max(n, 1))
    for i = 1, n do
        set(vs[i - 1], items[i], keep)
    end
    return vs
end

-- ---- results: r[i] is a value or nil, r:error(i) why, r:was_cached(i); #r does not work in LuaJIT, r.count does ----

local Results = {}

local function results(pointer)
    local self = { pointer = ffi.gc(pointer, C.deja_results_free) }
    self.count = tonumber(C.deja_results_count(pointer))
    return setmetatable(self, Results)
end

function Results:__index(i)
    if type(i) ~= "number" then
        return Results[i]
    end
    local v = C.deja_results_at(self.pointer, i - 1)
    return v ~= nil and get(v, self) or nil
end

function Results:error(i)
    local text = C.deja_results_error(self.pointer, i - 1)
    return text ~= nil and ffi.string(text) or nil
end

function Results:was_cached(i)
    return C.deja_results_was_cached(self.pointer, i - 1) == 1
end

-- ---- functions ----

local Function = {}
Function.__index = Function

local function live(d)
    return d.pointer or raise(nil, "the context is closed")
end

function Function:results(...)
    local keep, err, n = {}, ffi.new "deja_error", select("#", ...)
    live(self.context)
    local r = C.deja_call(self.pointer, values(n, { ... }, keep), n, err)
    return r ~= nil and results(r) or raise(err)
end

function Function:__call(...)
    return self:results(...)[1]
end

function Function:is_cached(...)
    local err, n = ffi.new "deja_error", select("#", ...)
    live(self.context)
    local rc = C.deja_is_cached(self.pointer, values(n, { ... }, {}), n, err)
    return rc >= 0 and rc == 1 or rc < 0 and raise(err)
end

-- One call for each item of the columns: arrays are split along their first axis, any other value is the same for all.
-- `into`: an array for results that are numbers.
function Function:map_into(into, ...)
    local keep, err, n = {}, ffi.new "deja_error", select("#", ...)
    local columns = ffi.new("deja_column[?]", n)
    for i = 1, n do
        local x = select(i, ...)
        if type(x) == "table" and getmetatable(x) == Array then
            columns[i - 1].split = x.c
        else
            set(columns[i - 1].same, x, keep)
        end
    end
    local options = ffi.new("deja_map_options", { size = ffi.sizeof "deja_map_options", into = into and into.c })
    live(self.context)
    local r = C.deja_map_columns(self.pointer, columns, n, options, err)
    return r ~= nil and results(r) or raise(err)
end

function Function:map(...)
    return self:map_into(nil, ...)
end

-- ---- contexts ----

local Context = {}
Context.__index = Context

-- A table of deja_options: cache, workers, flags...
function M.open(options)
    local err, o = ffi.new "deja_error", ffi.new("deja_options", options or {})
    o.size = ffi.sizeof(o)
    local pointer = C.deja_open(o, err)
    if pointer == nil then
        raise(err)
    end
    return setmetatable({ pointer = ffi.gc(pointer, C.deja_close), jobs = {} }, Context)
end

function Context:close()
    if self.pointer then
        C.deja_close(ffi.gc(self.pointer, nil))
        self.pointer = nil
        for _, job in ipairs(self.jobs) do
            job:free()
        end
    end
end

-- A deja_job_fn that calls a function of Lua; nothing may be thrown through C.
local function job_of(fn)
    return ffi.cast("deja_job_fn", function(args, n, out, err)
        local given, count = {}, tonumber(n)
        for i = 1, count do
            given[i] = get(args[i - 1], nil)
        end
        local keep, v = {}, ffi.new "deja_value"
        local ok, result = pcall(function()
            set(v, fn(unpack(given, 1, count)), keep)
        end)
        if not ok then
            return C.deja_fail(err, C.DEJA_EINVAL, "%s", tostring(result))
        end
        return C.deja_return_value(out, v)
    end)
end

local backends = { process = C.DEJA_PROCESS, thread = C.DEJA_THREAD, async = C.DEJA_ASYNC, inline = C.DEJA_INLINE }

-- A copy, in which a backend by its name is its number.
local function with_backend(name, options)
    local copy = {}
    for key, value in pairs(options or {}) do
        copy[key] = value
    end
    if type(copy.backend) == "string" then
        copy.backend = backends[copy.backend]
            or raise(nil, ("define '%s': '%s' is no backend: process, thread, async or inline"):format(name, copy.backend))
    end
    return copy
end

-- `fn`: a C function of a library (cdata), or one of Lua, which runs inline. `options`: a table of deja_fn_options, with
-- the backend by its name ("thread") or number.
function Context:define(name, version, fn, options)
    local err, o = ffi.new "deja_error", ffi.new("deja_fn_options", with_backend(name, options))
    o.size = ffi.sizeof(o)
    if type(fn) == "function" then
        if not (options and options.backend) then
            o.backend = C.DEJA_INLINE
        elseif o.backend == C.DEJA_THREAD or o.backend == C.DEJA_ASYNC then
            raise(nil, "define '" .. name .. "': a Lua state belongs to one thread: use the backend inline, or a C function")
        end
        fn = job_of(fn)
        self.jobs[#self.jobs + 1] = fn
    end
    local pointer = C.deja_define(live(self), name, version, fn, o, err)
    if pointer == nil then
        raise(err)
    end
    return setmetatable({ pointer = pointer, context = self, name = name }, Function)
end

return M
