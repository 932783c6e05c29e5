# Lists in ngx.shared.DICT: both ends, lengths, lists among other values, memory that runs out, what is refused.
use Test::Nginx::Socket 'no_plan';

add_block_preprocessor(sub {
    my $block = shift;
    $block->set_value(http_config => '    lua_shared_dict dogs 1m; lua_shared_dict cats 100k;');
    $block->set_value(request => 'GET /t');
    $block->set_value(no_error_log => '[error]');
});

no_long_string();
run_tests();

__DATA__

=== TEST 1: both ends
--- config
    location = /t {
        content_by_lua_block {
            local dogs = ngx.shared.dogs
            ngx.say(dogs:rpush("list", "b"), dogs:rpush("list", 3.5), dogs:lpush("list", "a"), dogs:lpush("list", -1), dogs:llen("list"))
            ngx.say(dogs:lpop("list"), " ", dogs:rpop("list"), " ", dogs:rpop("list"), " ", dogs:llen("list"))
            ngx.say(dogs:rpop("list"), " ", dogs:rpop("list"), " ", dogs:lpop("list"), " ", dogs:llen("list"))
            ngx.say(dogs:get("list"), " ", dogs:ttl("list"))
        }
    }
--- response_body
12344
-1 3.5 b 1
a nil nil 0
nil nilnot found

=== TEST 2: values come back as they were
--- config
    location = /t {
        content_by_lua_block {
            local dogs = ngx.shared.dogs
            for _, value in ipairs { "", "a\0b", 0, -1e300, 1/0, ("x"):rep(5000), ("y"):rep(500000) } do
                dogs:rpush("list", value)
                local got = dogs:lpop("list")
                ngx.say(type(got), " ", got == value, " ", dogs:llen("list"))
            end
        }
    }
--- response_body
string true 0
string true 0
number true 0
number true 0
number true 0
string true 0
string true 0

=== TEST 3: a list is no other value
--- config
    location = /t {
        content_by_lua_block {
            local dogs = ngx.shared.dogs
            dogs:rpush("list", 1)
            ngx.say(dogs:get("list"))
            ngx.say(dogs:get_stale("list"))
            ngx.say(dogs:incr("list", 1))
            ngx.say(dogs:incr("list", 1, 0))
            ngx.say(dogs:add("list", 1))
            for _, value in ipairs { "text", 3, true } do
                dogs:set("value", value)
                ngx.say(dogs:lpush("value", 1))
                ngx.say(dogs:rpop("value"))
                ngx.say(dogs:llen("value"))
                ngx.say(dogs:get("value") == value)
            end
        }
    }
--- response_body eval
"nilvalue is a list
nilvalue is a list
nilnot a number
nilnot a number
falseexistsfalse
" . "nilvalue not a list
nilvalue not a list
nilvalue not a list
true
" x 3

=== TEST 4: other values take a list's place, with its items
--- config
    location = /t {
        content_by_lua_block {
            local dogs = ngx.shared.dogs
            local free = dogs:free_space()
            for _, name in ipairs { "set", "safe_set", "replace" } do
                for i = 1, 500 do dogs:rpush("list", ("x"):rep(100)) end
                ngx.say(dogs[name](dogs, "list", "text"))
                ngx.say(dogs:get("list"))
                dogs:delete("list")
            end
            for i = 1, 500 do dogs:rpush("list", ("x"):rep(100)) end
            ngx.say(dogs:delete("list"))
            ngx.say(dogs:llen("list"), " ", free - dogs:free_space())
        }
    }
--- response_body
truenilfalse
text
truenilfalse
text
truenilfalse
text
truenilfalse
0 0

=== TEST 5: a list whose time is over begins anew, and lives for ever then
--- config
    location = /t {
        content_by_lua_block {
            local dogs = ngx.shared.dogs
            dogs:set("live", 1)
            for _, key in ipairs { "a", "b", "c", "d" } do
                dogs:rpush(key, 1)
                dogs:rpush(key, 2)
                ngx.print(tostring(dogs:expire(key, 0.01)), " ")
            end
            dogs:set("text", "t", 0.01, 5)
            ngx.sleep(0.03)
            ngx.say(dogs:llen("a"), " ", dogs:lpop("a"), " ", dogs:get("a"), " ", select(2, dogs:get_stale("b")))
            ngx.say(dogs:lpush("b", 7), " ", dogs:llen("b"), " ", dogs:ttl("b"), " ", dogs:lpop("b"), " ", dogs:lpop("b"))
            ngx.say(dogs:rpush("text", 7), " ", dogs:llen("text"), " ", dogs:ttl("text"))
            ngx.say(dogs:incr("c", 1, 10))
            ngx.say(dogs:set("d", "set"), " ", dogs:get("d"))
        }
    }
--- response_body
true true true true 0 nil nil value is a list
1 1 0 7 nil
1 1 0
11nilfalse
true set

=== TEST 6: nothing is evicted for a list
--- config
    location = /t {
        content_by_lua_block {
            local cats = ngx.shared.cats
            local count = 0
            while cats:safe_set("key" .. count, ("x"):rep(30)) do count = count + 1 end
            ngx.say(cats:lpush("list", 1))
            ngx.say(cats:rpush("list", ("x"):rep(1000)))
            ngx.say(#cats:get_keys(0) == count)
            -- There is room for the list then, but not for what is to be in it.
            cats:delete("key3")
            ngx.say(cats:lpush("list", ("x"):rep(1000)))
            ngx.say(cats:llen("list"), " ", cats:get("list"))
            ngx.say(cats:safe_set("key3", ("x"):rep(30)))
        }
    }
--- response_body
falseno memory
falseno memory
true
nilno memory
0 nil
truenilfalse

=== TEST 7: a list that fills its dictionary keeps what it has
--- config
    location = /t {
        content_by_lua_block {
            local cats = ngx.shared.cats
            local count = 0
            local ok, err
            repeat
                ok, err = cats:rpush("list", count)
                count = ok or count
            until not ok
            ngx.say(err, " ", cats:llen("list") == count, " ", cats:free_space())
            for i = 0, count - 1 do assert(cats:lpop("list") == i) end
            ngx.say(cats:llen("list"), " ", cats:free_space() > 80000)
        }
    }
--- response_body
no memory true 0
0 true

=== TEST 8: bad keys and values
--- config
    location = /t {
        content_by_lua_block {
            local dogs = ngx.shared.dogs
            for _, name in ipairs { "lpush", "rpush" } do
                for _, value in ipairs { true, {}, print, ngx.null, 5LL } do
                    local ok, err = dogs[name](dogs, "list", value)
                    assert(ok == nil and err == "bad value type", name)
                end
                ngx.say(dogs[name](dogs, "list", nil))
                ngx.say(dogs[name](dogs, nil, 1))
                ngx.say(dogs[name](dogs, "", 1))
                ngx.say(dogs[name](dogs, ("k"):rep(65536), 1))
            end
            ngx.say(dogs:lpop(nil))
            ngx.say(dogs:rpop(""))
            ngx.say(dogs:llen(("k"):rep(65536)))
            ngx.say(#dogs:get_keys(), " ", dogs:lpush(12, "v"), " ", dogs:lpop("12"))
        }
    }
--- response_body
nilbad value type
nilnil key
nilempty key
nilkey too long
nilbad value type
nilnil key
nilempty key
nilkey too long
nilnil key
nilempty key
nilkey too long
0 1 v

=== TEST 9: what raises
--- config
    location = /t {
        content_by_lua_block {
            local dogs = ngx.shared.dogs
            for _, call in ipairs {
                function() dogs:lpush("k") end,
                function() dogs:rpush("k", 1, 2) end,
                function() dogs:lpop() end,
                function() dogs:rpop("k", 1) end,
                function() dogs.llen(dogs) end,
                function() dogs:lpush(true, 1) end,
                function() dogs.rpop(dogs, {}) end,
                function() dogs.lpush({}, "k", 1) end,
                function() dogs.llen("dogs", "k") end,
            } do
                local ok, err = pcall(call)
                ngx.say((err:gsub("nginx.conf:%d+", "nginx.conf")))
            end
        }
    }
--- response_body
content_by_lua(nginx.conf):4: expecting 3 arguments, but only seen 2
content_by_lua(nginx.conf):5: expecting 3 arguments, but only seen 4
content_by_lua(nginx.conf):6: expecting 2 arguments, but only seen 1
content_by_lua(nginx.conf):7: expecting 2 arguments, but only seen 3
content_by_lua(nginx.conf):8: expecting 2 arguments, but only seen 1
content_by_lua(nginx.conf):9: bad argument #1 to 'lpush' (string expected, got boolean)
content_by_lua(nginx.conf):10: bad argument #2 to 'rpop' (string expected, got table)
content_by_lua(nginx.conf):11: bad "zone" argument
content_by_lua(nginx.conf):12: bad "zone" argument

=== TEST 10: lists and what was used last
--- config
    location = /t {
        content_by_lua_block {
            local dogs = ngx.shared.dogs
            local function keys() ngx.say(table.concat(dogs:get_keys(), " ")) end
            for _, key in ipairs { "a", "b", "c" } do dogs:rpush(key, 1) dogs:rpush(key, 2) end
            keys()
            dogs:rpush("a", 1)
            keys()
            dogs:lpop("b")
            keys()
            dogs:llen("c")
            keys()
            dogs:expire("a", 100)
            keys()
        }
    }
--- response_body
a b c
b c a
c a b
a b c
a b c
