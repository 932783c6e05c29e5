# ngx.shared.DICT: values, times, eviction, counters, what is refused.
use Test::Nginx::Socket 'no_plan';

add_block_preprocessor(sub {
    my $block = shift;
    $block->set_value(http_config => $block->http_config // '    lua_shared_dict dogs 1m; lua_shared_dict cats 100k;');
    $block->set_value(request => 'GET /t');
    $block->set_value(no_error_log => '[error]') if !defined $block->error_log;
});

no_long_string();
run_tests();

__DATA__

=== TEST 1: values of each type come back as they were
--- config
    location = /t {
        content_by_lua_block {
            local dogs = ngx.shared.dogs
            for _, value in ipairs { "text", "", "a\0b", 3, -0.5, 1e300, 1/0, true, false } do
                ngx.print(tostring(dogs:set("key", value)), " ")
                local got, flags = dogs:get("key")
                ngx.say(type(got), " ", tostring(got == value), " ", tostring(flags))
            end
        }
    }
--- response_body
true string true nil
true string true nil
true string true nil
true number true nil
true number true nil
true number true nil
true number true nil
true boolean true nil
true boolean true nil

=== TEST 2: ngx.shared is a plain table, dictionaries share their methods and are apart from each other
--- config
    location = /t {
        content_by_lua_block {
            local names = {}
            for name in pairs(ngx.shared) do names[#names + 1] = name end
            table.sort(names)
            ngx.say(table.concat(names, " "), " ", tostring(getmetatable(ngx.shared)), " ", tostring(ngx.shared.none))
            local dogs, cats = ngx.shared.dogs, ngx.shared.cats
            ngx.say(dogs.get == cats.get, " ", rawget(dogs, "get"), " ", dogs.nosuch)
            dogs:set("k", 1)
            ngx.say(dogs:get("k"), " ", cats:get("k"))
            local own = setmetatable({}, { __index = dogs })
            ngx.say(own:get("k"))
        }
    }
--- response_body
cats dogs nil nil
true nil nil
1 nil
1

=== TEST 3: long values, beyond any buffer
--- config
    location = /t {
        content_by_lua_block {
            local dogs = ngx.shared.dogs
            for _, length in ipairs { 4095, 4096, 4097, 100000, 900000 } do
                local text = ("x"):rep(length - 1) .. "y"
                ngx.say(dogs:set("long", text), " ", dogs:get("long") == text, " ", (dogs:get_stale("long")) == text)
            end
        }
    }
--- response_body
true true true
true true true
true true true
true true true
true true true

=== TEST 4: flags
--- config
    location = /t {
        content_by_lua_block {
            local dogs = ngx.shared.dogs
            for _, flags in ipairs { 0, 7, -1, 1.9, true } do
                dogs:set("k", "v", 0, flags)
                local value, got = dogs:get("k")
                ngx.print(value, " ", got, " ", select("#", dogs:get("k")), " | ")
                ngx.say(dogs:get_stale("k"))
            end
        }
    }
--- response_body
v nil 1 | vnilfalse
v 7 2 | v7false
v -1 2 | v-1false
v 1 2 | v1false
v 1 2 | v1false

=== TEST 5: keys are turned into strings
--- config
    location = /t {
        content_by_lua_block {
            local dogs = ngx.shared.dogs
            for _, key in ipairs { 12, 12.5, 1e100, true, setmetatable({}, { __tostring = function() return "T" end }) } do
                dogs:set(key, "v")
            end
            ngx.say(table.concat(dogs:get_keys(), " "))
            ngx.say(dogs:get("12"), " ", dogs:get(12), " ", dogs:get(true), " ", dogs:get("T"))
        }
    }
--- response_body
12 12.5 1e+100 true T
v v v v

=== TEST 6: bad keys
--- config
    location = /t {
        content_by_lua_block {
            local dogs = ngx.shared.dogs
            local long = ("k"):rep(65536)
            for _, name in ipairs {
                "get", "get_stale", "set", "safe_set", "add", "safe_add", "replace", "delete", "incr", "ttl", "expire"
            } do
                local call = dogs[name]
                ngx.say(name, ": ", table.concat({
                    tostring(call(dogs, nil, 1)), select(2, call(dogs, nil, 1)), select(2, call(dogs, "", 1)),
                    select(2, call(dogs, long, 1)),
                }, ", "))
            end
            ngx.say(dogs:set(long:sub(2), 1), " ", dogs:get(long:sub(2)))
        }
    }
--- response_body
get: nil, nil key, empty key, key too long
get_stale: nil, nil key, empty key, key too long
set: nil, nil key, empty key, key too long
safe_set: nil, nil key, empty key, key too long
add: nil, nil key, empty key, key too long
safe_add: nil, nil key, empty key, key too long
replace: nil, nil key, empty key, key too long
delete: nil, nil key, empty key, key too long
incr: nil, nil key, empty key, key too long
ttl: nil, nil key, empty key, key too long
expire: nil, nil key, empty key, key too long
true 1

=== TEST 7: bad values leave what is there
--- config
    location = /t {
        content_by_lua_block {
            local dogs = ngx.shared.dogs
            dogs:set("k", "old")
            for _, value in ipairs { {}, print, ngx.null, coroutine.create(function() end), 5LL } do
                for _, name in ipairs { "set", "safe_set", "add", "safe_add", "replace" } do
                    local ok, err = dogs[name](dogs, "k", value)
                    assert(ok == nil and err == "bad value type", name)
                end
            end
            ngx.say(dogs:get("k"))
            ngx.say(dogs:add("k", nil))
            ngx.say(dogs:safe_add("new", nil))
            ngx.say(dogs:replace("k", nil))
            ngx.say(dogs:get("k"))
            ngx.say(dogs:set("k", nil))
            ngx.say(dogs:get("k"))
        }
    }
--- response_body
old
falseattempt to add or replace nil valuesfalse
falseattempt to add or replace nil valuesfalse
falseattempt to add or replace nil valuesfalse
old
truenilfalse
nil

=== TEST 8: a bad self raises at the caller
--- config
    location = /t {
        content_by_lua_block {
            local dogs = ngx.shared.dogs
            for _, name in ipairs {
                "get", "get_stale", "set", "safe_set", "add", "safe_add", "replace", "delete", "incr", "ttl", "expire",
                "flush_all", "capacity", "free_space", "lpush"
            } do
                for _, self in ipairs { "x", 3, true, {}, { 1 }, ngx.shared } do
                    local ok, err = pcall(dogs[name], self, "k", 1)
                    assert(not ok and err == 'bad "zone" argument', name .. ": " .. tostring(err))
                end
            end
            local ok, err = pcall(function()
                local value = dogs.get("x", "k")
                return value
            end)
            ngx.say(err)
            ok, err = pcall(function() dogs.set({}, "k", 1) end)
            ngx.say(err)
            ok, err = pcall(function() dogs.get_keys({}) end)
            ngx.say(err)
            ok, err = pcall(function() dogs.flush_expired("x") end)
            ngx.say(err)
        }
    }
--- response_body_like
^content_by_lua\(nginx.conf:\d+\):13: bad "zone" argument
content_by_lua\(nginx.conf:\d+\):17: bad "zone" argument
content_by_lua\(nginx.conf:\d+\):19: bad user data for the ngx_shm_zone_t pointer
content_by_lua\(nginx.conf:\d+\):21: bad argument #1 to 'flush_expired' \(table expected, got string\)

=== TEST 9: set, add, replace, delete
--- config
    location = /t {
        content_by_lua_block {
            local dogs = ngx.shared.dogs
            ngx.say(dogs:add("k", 1))
            ngx.say(dogs:add("k", 2))
            ngx.say(dogs:safe_add("k", 2))
            ngx.say(dogs:get("k"))
            ngx.say(dogs:replace("k", "three"))
            ngx.say(dogs:get("k"))
            ngx.say(dogs:replace("none", 1))
            ngx.say(dogs:get("none"))
            ngx.say(dogs:delete("k"))
            ngx.say(dogs:delete("none"))
            ngx.say(dogs:get("k"))
            ngx.say(dogs:safe_set("k", true))
            ngx.say(dogs:get("k"))
        }
    }
--- response_body
truenilfalse
falseexistsfalse
falseexistsfalse
1
truenilfalse
three
falsenot foundfalse
nil
truenilfalse
truenilfalse
nil
truenilfalse
true

=== TEST 10: what is over is not there, but for get_stale
--- config
    location = /t {
        content_by_lua_block {
            local dogs = ngx.shared.dogs
            -- Something live at the old end keeps the rest from being removed by the way.
            dogs:set("live", 1)
            for _, key in ipairs { "a", "b", "c", "d", "e", "f" } do dogs:set(key, 5, 0.01, 9) end
            ngx.sleep(0.03)
            ngx.say(dogs:get_stale("a"))
            ngx.say(dogs:get("a"), " ", (dogs:ttl("a") < 0))
            ngx.say(dogs:replace("a", 1))
            ngx.say(dogs:add("b", "new"))
            ngx.say(dogs:get("b"))
            ngx.say(dogs:incr("c", 1))
            ngx.say(dogs:incr("d", 1, 10))
            ngx.say(dogs:get("d"))
            ngx.say(dogs:expire("e", 0), dogs:get("e"))
            ngx.say(#dogs:get_keys(), " ", dogs:flush_expired(), " ", dogs:get_stale("a"))
        }
    }
--- response_body
59true
nil true
falsenot foundfalse
truenilfalse
new
nilnot found
11nilfalse
11
true59
4 3 nil

=== TEST 11: ttl and expire
--- config
    location = /t {
        content_by_lua_block {
            local dogs = ngx.shared.dogs
            ngx.say(dogs:ttl("k"))
            ngx.say(dogs:expire("k", 1))
            dogs:set("k", 1)
            ngx.say(dogs:ttl("k"), " ", dogs:expire("k", 5), " ", dogs:ttl("k"), " ", dogs:expire("k", "7"), " ", dogs:ttl("k"))
            ngx.say(dogs:expire("k", 0), " ", dogs:ttl("k"))
            dogs:set("k", 1, 0.5)
            ngx.say(dogs:ttl("k"))
            for _, exptime in ipairs { 1e10, 1e300, 1/0, 0.0004 } do
                dogs:set("k", 1, exptime)
                ngx.say(exptime, " ", dogs:ttl("k"))
            end
            for _, exptime in ipairs { -1, -0.0001 } do
                for _, name in ipairs { "set", "safe_set", "add", "safe_add", "replace" } do
                    local ok, err = pcall(dogs[name], dogs, "k", 2, exptime)
                    assert(not ok and err == 'bad "exptime" argument', name)
                end
            end
            for _, exptime in ipairs { "3", true, {} } do
                local ok, err = pcall(dogs.set, dogs, "k", 2, exptime)
                assert(not ok and err:find("attempt to compare " .. type(exptime) .. " with number", 1, true), err)
            end
            ngx.say(dogs:get("k"))
            local ok, err = pcall(function() dogs:expire("k") end)
            ngx.say((err:gsub("nginx.conf:%d+", "nginx.conf")))
        }
    }
--- response_body
nilnot found
nilnot found
0 true 5 true 7
true 0
0.5
10000000000 10000000000
1e+300 0
inf 0
0.0004 0
1
content_by_lua(nginx.conf):25: bad "exptime" argument

=== TEST 12: incr
--- config
    location = /t {
        content_by_lua_block {
            local dogs = ngx.shared.dogs
            ngx.say(dogs:incr("k", 1))
            dogs:set("k", 10, 100, 7)
            ngx.say(dogs:incr("k", 1))
            ngx.say(dogs:incr("k", -0.5))
            ngx.say(dogs:incr("k", "0x10"))
            ngx.say(dogs:get("k"))
            ngx.say(dogs:ttl("k") > 50)
            for _, value in ipairs { "10", "12345678", true } do
                dogs:set("k", value)
                ngx.say(dogs:incr("k", 1))
            end
            for _, value in ipairs { "x", true, {} } do
                local ok, err = pcall(dogs.incr, dogs, "k", value)
                assert(not ok and err:find("cannot convert 'nil' to 'double'", 1, true), err)
            end
        }
    }
--- response_body
nilnot found
11
10.5
26.5
26.57
true
nilnot a number
nilnot a number
nilnot a number

=== TEST 13: incr with init and init_ttl
--- config
    location = /t {
        content_by_lua_block {
            local dogs = ngx.shared.dogs
            ngx.say(dogs:incr("k", 1, 10))
            ngx.say(dogs:incr("k", 1, 10))
            ngx.say(dogs:incr("s", 1, "5"))
            ngx.say(dogs:incr("none", 1, false))
            ngx.say(dogs:incr("t", 1, 0, 100))
            ngx.say(dogs:ttl("t") > 50)
            ngx.say(dogs:incr("t", 1, 0, 0.001))
            ngx.say(dogs:ttl("t") > 50)
            for _, case in ipairs {
                { "x" }, { true }, { {} }, { 0, "x" }, { 0, true }, { nil, "x" }, { 0, -1 }, { nil, -1 }, { nil, 5 }, { false, 5 }
            } do
                local ok, err = pcall(function() dogs:incr("k", 1, case[1], case[2]) end)
                ngx.say((err:gsub("^.-:%d+: ", "")))
            end
            ngx.say(dogs:get("k"))
        }
    }
--- response_body
11nilfalse
12nilfalse
6nilfalse
nilnot found
1nilfalse
true
2nilfalse
true
bad init arg: number expected, got string
bad init arg: number expected, got boolean
bad init arg: number expected, got table
bad init_ttl arg: number expected, got string
bad init_ttl arg: number expected, got boolean
bad init_ttl arg: number expected, got string
bad "init_ttl" argument
bad "init_ttl" argument
must provide "init" when providing "init_ttl"
must provide "init" when providing "init_ttl"
12

=== TEST 14: what was used least recently is evicted
--- config
    location = /t {
        content_by_lua_block {
            local cats = ngx.shared.cats
            local text = ("x"):rep(60)
            local count = 0
            repeat
                count = count + 1
                local ok, err, forcible = cats:set("key" .. count, text)
                assert(ok and not err)
                cats:get("key1")
            until forcible
            ngx.say(count, " ", cats:get("key1") == text, " ", cats:get("key2"), " ", cats:get("key3") == text, " ", cats:free_space())
            -- Each that is read, or only asked for by ttl, counts or does not count as used.
            cats:get("key3")
            cats:ttl("key4")
            ngx.say(cats:add("one more", text))
            ngx.say(cats:get("key3") == text, " ", cats:get("key4"), " ", cats:get("key5") == text)
            -- Smaller entries have pages of their own, of which one has room.
            ngx.say(cats:incr("counter", 1, 0))
        }
    }
--- response_body
353 true nil true 0
trueniltrue
true nil true
1nilfalse

=== TEST 15: safe_set and safe_add never evict
--- config
    location = /t {
        content_by_lua_block {
            local cats = ngx.shared.cats
            local count, ok, err, forcible = 0
            repeat
                count = count + 1
                ok, err, forcible = cats[count % 2 == 0 and "safe_set" or "safe_add"](cats, "key" .. count, ("x"):rep(60))
            until not ok
            ngx.say(err, " ", forcible, " ", cats:get("key1") ~= nil, " ", #cats:get_keys(0) == count - 1)
            ngx.say(cats:safe_set("key1", ("y"):rep(60)))
            ngx.say(cats:get("key1"))
        }
    }
--- response_body
no memory false true true
truenilfalse
yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy

=== TEST 16: what can never fit
--- config
    location = /t {
        content_by_lua_block {
            local cats = ngx.shared.cats
            ngx.say(cats:set("huge", ("x"):rep(200000)))
            for i = 1, 100 do cats:set("key" .. i, i) end
            ngx.say(cats:set("huge", ("x"):rep(200000)))
            ngx.say(#cats:get_keys())
            ngx.say(cats:safe_set("huge", ("x"):rep(200000)))
            ngx.say(cats:replace("key100", ("x"):rep(200000)))
            ngx.say(cats:get("key100"), " ", cats:set("small", 1))
        }
    }
--- response_body
falseno memoryfalse
falseno memorytrue
70
falseno memoryfalse
falseno memorytrue
nil truenilfalse

=== TEST 17: flush_all and flush_expired
--- config
    location = /t {
        content_by_lua_block {
            local dogs = ngx.shared.dogs
            for i = 1, 20 do dogs:set("key" .. i, i) end
            ngx.say(select("#", dogs:flush_all()))
            ngx.say(dogs:get("key7"), " ", dogs:get_stale("key9"), " ", #dogs:get_keys())
            ngx.say(dogs:flush_expired(3), " ", dogs:flush_expired("2.9"), " ", dogs:flush_expired(), " ", dogs:flush_expired())
            dogs:set("live", 1)
            dogs:rpush("list", 1)
            dogs:expire("list", 0.001)
            ngx.sleep(0.005)
            ngx.say(dogs:flush_expired(-1), " ", dogs:get("live"))
        }
    }
--- response_body
0
nil 9 0
3 2 10 0
1 1

=== TEST 18: get_keys
--- config
    location = /t {
        content_by_lua_block {
            local dogs = ngx.shared.dogs
            for i = 1, 2000 do dogs:set("key" .. i, i) end
            ngx.say(#dogs:get_keys(), " ", #dogs:get_keys(0), " ", #dogs:get_keys(-1), " ", #dogs:get_keys(1500), " ", #dogs:get_keys("3"))
            dogs:get("key1")
            local keys = dogs:get_keys(2)
            ngx.say(keys[1], " ", keys[2])
            dogs:flush_all()
            dogs:set("a\0b", 1)
            dogs:set(("k"):rep(60000), 1)
            dogs:set("z", 1)
            keys = dogs:get_keys()
            ngx.say(#keys, " ", keys[1] == "a\0b", " ", #keys[2], " ", keys[3])
        }
    }
--- response_body
1024 2000 2000 1500 3
key2 key3
3 true 60000 z

=== TEST 19: bad arguments of get_keys and flush_expired
--- config
    location = /t {
        content_by_lua_block {
            local dogs = ngx.shared.dogs
            for _, call in ipairs {
                function() dogs:get_keys(1, 2) end,
                function() dogs.get_keys() end,
                function() dogs:flush_expired("x") end,
                function() dogs.flush_expired(dogs, {}) end,
                function() dogs:get_keys(nil) end,
            } do
                local ok, err = pcall(call)
                ngx.say((err:gsub("nginx.conf:%d+", "nginx.conf")))
            end
        }
    }
--- response_body
content_by_lua(nginx.conf):4: expecting 1 or 2 argument(s), but saw 3
content_by_lua(nginx.conf):5: expecting 1 or 2 argument(s), but saw 0
content_by_lua(nginx.conf):6: bad argument #1 to 'flush_expired' (number expected, got string)
content_by_lua(nginx.conf):7: bad argument #2 to 'flush_expired' (number expected, got table)
content_by_lua(nginx.conf):8: bad argument #1 to 'get_keys' (number expected, got nil)

=== TEST 20: capacity and free_space
--- config
    location = /t {
        content_by_lua_block {
            local dogs = ngx.shared.dogs
            ngx.say(dogs:capacity(), " ", ngx.shared.cats:capacity())
            local free = dogs:free_space()
            ngx.say(free % 4096, " ", free > 900000)
            dogs:set("k", ("x"):rep(40000))
            ngx.say(free - dogs:free_space())
            dogs:delete("k")
            ngx.say(free - dogs:free_space())
        }
    }
--- response_body
1048576 102400
0 true
40960
0

=== TEST 21: a value that changes its type in place
--- config
    location = /t {
        content_by_lua_block {
            local dogs = ngx.shared.dogs
            for _, value in ipairs { 1, "12345678", 2.5, true, "x", false, "" } do
                dogs:set("k", value, 0, type(value) == "string" and 3 or 0)
                local got, flags = dogs:get("k")
                ngx.say(got, " ", type(got), " ", flags)
            end
            ngx.say(#dogs:get_keys())
        }
    }
--- response_body
1 number nil
12345678 string 3
2.5 number nil
true boolean nil
x string 3
false boolean nil
 string 3
1

=== TEST 22: many keys, found again after many were removed
--- config
    location = /t {
        content_by_lua_block {
            local dogs = ngx.shared.dogs
            for i = 1, 5000 do assert(dogs:safe_set("key" .. i, i)) end
            for i = 1, 5000, 3 do assert(dogs:delete("key" .. i)) end
            for i = 5000, 1, -7 do assert(dogs:safe_set("key" .. i, -i)) end
            for i = 1, 5000 do
                local want = (5000 - i) % 7 == 0 and -i or i % 3 ~= 1 and i or nil
                assert(dogs:get("key" .. i) == want, i)
            end
            ngx.say("all")
        }
    }
--- response_body
all

=== TEST 23: a request without the code cache
--- config
    location = /t {
        lua_code_cache off;
        content_by_lua_block {
            ngx.say(ngx.shared.dogs:incr("k", 1, 0), " ", getmetatable(ngx.shared.dogs) == getmetatable(ngx.shared.cats))
        }
    }
--- response_body
1 true

=== TEST 24: the loops of a busy handler, compiled
--- config
    location = /t {
        content_by_lua_block {
            local dogs = ngx.shared.dogs
            local sum = 0
            for i = 1, 20000 do
                local key = "key" .. i % 100
                dogs:set(key, i, 0, i)
                local value, flags = dogs:get(key)
                assert(value == i and flags == i)
                sum = dogs:incr("sum", 1, 0)
                dogs:set(key, key)
                assert(dogs:get(key) == key)
            end
            ngx.say(sum)
        }
    }
--- response_body
20000

=== TEST 25: how many entries a dictionary holds
--- config
    location = /t {
        content_by_lua_block {
            local cats = ngx.shared.cats
            for _, length in ipairs { 52, 53, 180, 181, 436, 437 } do
                cats:flush_all()
                cats:flush_expired()
                local count, ok = 0
                repeat
                    count = count + 1
                    ok = cats:safe_set(("key%05d"):format(count), ("x"):rep(length))
                until not ok
                ngx.say(length, " ", count - 1)
            end
        }
    }
--- response_body
52 735
53 352
180 352
181 176
436 176
437 88

=== TEST 26: calls remove two keys at the old end whose time is over, but some do not
--- config
    location = /t {
        content_by_lua_block {
            local dogs = ngx.shared.dogs
            for _, call in ipairs {
                { "get", "z" }, { "get_stale", "z" }, { "set", "z", 1 }, { "delete", "z" }, { "incr", "z", 1 },
                { "rpush", "z", 1 }, { "lpop", "z" }, { "llen", "z" }, { "ttl", "z" }, { "expire", "z", 1 }, { "get_keys" },
            } do
                dogs:flush_all()
                dogs:flush_expired()
                for i = 1, 5 do dogs:set("key" .. i, i, 0.001) end
                ngx.sleep(0.003)
                dogs[call[1]](dogs, unpack(call, 2))
                ngx.print(call[1], " ", dogs:flush_expired(), " ")
            end
            ngx.say()
        }
    }
--- response_body
get 3 get_stale 5 set 3 delete 3 incr 3 rpush 3 lpop 3 llen 3 ttl 5 expire 5 get_keys 5 
