-- demo.lua ABI LIBNUMBERS: functions of a C library in processes, functions of Lua inline. Run it twice: the second run is
-- answered from the cache. ABI is examples/c/abi: LuaJIT must have read the structs as C has them.
package.path = (arg[0]:match ".*/" or "") .. "?.lua;" .. package.path
local ffi = require "ffi"
local deja = require "deja"
local C = deja.C

ffi.cdef [[
int cost(const deja_value *arg, size_t n, deja_out *out, deja_error *err);
int wave(const deja_value *arg, size_t n, deja_out *out, deja_error *err);
int squares(const deja_value *arg, size_t n, deja_out *out, deja_error *err);
]]
local numbers = ffi.load(arg[2])

local function how(was_cached)
    return was_cached and "from the cache" or "computed"
end

local function check_structs()
    local members, faults = 0, 0
    for line in io.popen(arg[1]):lines() do
        local struct, member, at = line:match "^([%w_]+)%.([%w_]+) (%d+)"
        if member then
            members = members + 1
            faults = faults + (ffi.offsetof(struct, member) == tonumber(at) and 0 or 1)
        else
            local name, size = line:match "^([%w_]+) (%d+)$"
            faults = faults + (ffi.sizeof(name) == tonumber(size) and 0 or 1)
        end
    end
    print("structs", members .. " members", faults .. " differ")
end

local function functions_of_c(d)
    local cost = d:define("cost", "1", numbers.cost)
    local r = cost:results(97LL)
    print("call", r[1], how(r:was_cached(1)))
    local ok, err = pcall(cost, "x")
    print("error", ok, err, err.code)

    local wave = d:define("wave", "1", numbers.wave)
    local times, y = deja.array(5000), deja.array(5000)
    for i = 0, 4999 do
        times.data[i] = i / 100
    end
    r = wave:map_into(y, times, 0.1)
    print("map", r.count, ("%.6f"):format(y.data[157]), how(r:was_cached(1)))

    r = cost:map(deja.array({ 3, -1, 7 }, C.DEJA_I64))
    print("items", r[1], r:error(2), r[3])

    local squares = d:define("squares", "1", numbers.squares)
    local z = squares(deja.array { 1, 2, 3 })
    collectgarbage()
    print("array", z.shape[1], z.data[0], z.data[1], z.data[2])
end

local function functions_of_lua(d)
    local ran = 0
    local describe = d:define("describe", "1", function(text, times)
        ran = ran + 1
        return { text = text:rep(times), list = { true, 1LL, "x" } }
    end)
    local t = describe("ab", 3)
    print("inline", t.text, t.list[1], t.list[2], t.list[3], how(ran == 0), describe:is_cached("ab", 3))
    local fails = d:define("fails", "1", function()
        error("no luck", 0)
    end)
    print("raised", select(2, pcall(fails)))
    for _, mixed in ipairs { { 1, a = 2 }, { 1, nil, 3 }, { [0] = 1 }, { [1.5] = 1 }, { ["a\0b"] = 1 } } do
        local ok, err = pcall(describe, mixed, 1)
        print("table", ok, err)
    end
    print("process", select(2, pcall(d.define, d, "there", "1", function() end, { backend = C.DEJA_PROCESS })))
    print("thread", select(2, pcall(d.define, d, "there", "1", function() end, { backend = "thread" })))
    print("backend", select(2, pcall(d.define, d, "there", "1", function() end, { backend = "threads" })))
    return describe
end

check_structs()
local d = deja.open()
functions_of_c(d)
local describe = functions_of_lua(d)
d:close()
print("closed", select(2, pcall(describe, "ab", 3)))
