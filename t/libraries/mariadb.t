# MariaDB's protocol over a cosocket: packets that carry their length, a login with a digest, results row by row.
use Test::Nginx::Socket 'no_plan';

use HotLua::Server;

my $mariadb = HotLua::Server->mariadb(user => 'lua', password => 'secret');
$ENV{TEST_NGINX_MARIADB_PORT} = $mariadb->{port};

# A client of the old text protocol: just enough of it for whole sessions.
my $CLIENT = <<'LUA';
local bit = require "bit"
local client = {}
client.__index = client

local CAPABILITIES = 0x0008f20f -- long password, found rows, long flag, connect with a database, protocol 41, transactions,
                                -- secure connection, plugin for authentication

local function number(text, from, size)
    local value = 0
    for i = size - 1, 0, -1 do value = value * 256 + text:byte(from + i) end
    return value
end

local function bytes(value, size)
    local text = {}
    for i = 1, size do text[i] = string.char(value % 256) value = math.floor(value / 256) end
    return table.concat(text)
end

-- A length-encoded string or NULL, and where the next thing begins.
local function field(text, at)
    local first = text:byte(at)
    if first == 251 then return ngx.null, at + 1 end
    local size = first > 251 and ({ [252] = 2, [253] = 3, [254] = 8 })[first] or 0
    local length = size > 0 and number(text, at + 1, size) or first
    local begin = at + 1 + size
    return text:sub(begin, begin + length - 1), begin + length
end

local function scramble(password, salt)
    local once = ngx.sha1_bin(password)
    local mask, mixed = ngx.sha1_bin(salt .. ngx.sha1_bin(once)), {}
    for i = 1, #once do mixed[i] = string.char(bit.bxor(once:byte(i), mask:byte(i))) end
    return table.concat(mixed)
end

function client:packet()
    local text = ""
    repeat
        local head, err = self.sock:receive(4)
        if not head then return nil, err end
        local length = number(head, 1, 3)
        self.sequence = head:byte(4) + 1
        local part = assert(self.sock:receive(length))
        text = text .. part
    until length < 0xffffff
    return text
end

function client:put(text) return self.sock:send { bytes(#text, 3), string.char(self.sequence), text } end

local function failure(text) return text:byte() == 255 and text:sub(10) .. " (" .. number(text, 2, 2) .. ")" end

function client.connect(port, user, password)
    local self = setmetatable({ sock = ngx.socket.tcp() }, client)
    self.sock:settimeouts(5000, 5000, 5000)
    local ok, err = self.sock:connect("127.0.0.1", port, { pool = user .. "@mariadb" })
    if not ok then return nil, err end
    if self.sock:getreusedtimes() > 0 then return self end
    local greeting = assert(self:packet())
    local version = greeting:match("^\10([^%z]+)%z")
    local at = #version + 3 + 4
    local salt = greeting:sub(at, at + 7) .. greeting:sub(at + 8 + 19, at + 8 + 19 + 11)
    self.version = version
    self:put(table.concat {
        bytes(CAPABILITIES, 4), bytes(0x1000000, 4), string.char(33), ("\0"):rep(23), user, "\0",
        string.char(20), scramble(password, salt), "test\0", "mysql_native_password\0",
    })
    local answer = assert(self:packet())
    if failure(answer) then return nil, failure(answer) end
    return self
end

-- Rows of a query, or how many rows it has changed.
function client:query(text)
    self.sequence = 0
    assert(self:put("\3" .. text))
    local answer, err = self:packet()
    if not answer then return nil, err end
    if failure(answer) then return nil, failure(answer) end
    if answer:byte() == 0 then return answer:byte(2) end
    for _ = 1, answer:byte() do self:packet() end
    self:packet()
    local rows = {}
    while true do
        local text = self:packet()
        if text:byte() == 254 and #text < 9 then return rows end
        local row, at = {}, 1
        while at <= #text do row[#row + 1], at = field(text, at) end
        rows[#rows + 1] = row
    end
end

return client
LUA

add_block_preprocessor(sub {
    my ($block) = @_;
    $block->set_value(user_files => ">>> mariadb.lua\n$CLIENT");
    $block->set_value(http_config => 'lua_package_path "$prefix/html/?.lua;;";');
    $block->set_value(no_error_log => '[error]') if !defined $block->error_log;
});

worker_connections(1024);
log_level('info');
no_long_string();
run_tests();

__DATA__

=== TEST 1: a session
--- config
    location = /t {
        content_by_lua_block {
            local db = assert(require("mariadb").connect($TEST_NGINX_MARIADB_PORT, "lua", "secret"))
            ngx.say((db.version:match("MariaDB")))
            db:query("drop table if exists animals")
            ngx.say(db:query("create table animals (id int, name text, sound blob)"))
            ngx.say(db:query([[insert into animals values (1, 'dog', 'bark'), (2, 'cat', NULL), (3, 'owl', x'0d0a0022')]]))
            for _, row in ipairs(db:query("select * from animals order by id")) do
                ngx.say(row[1], " ", row[2], " ", row[3] == ngx.null and "NULL" or #row[3])
            end
            ngx.say(db:query("update animals set sound = 'meow' where name = 'cat'"))
            ngx.say(db:query("select sound from animals where id = 2")[1][1])
            ngx.say(db:query("select * from plants"))
            ngx.say((select(2, db:query("selekt 1")):match("error in your SQL syntax")))
        }
    }
--- request
GET /t
--- response_body
MariaDB
0
3
1 dog 4
2 cat NULL
3 owl 4
1
meow
nilTable 'test.plants' doesn't exist (1146)
error in your SQL syntax



=== TEST 2: answers of any size
--- config
    location = /t {
        content_by_lua_block {
            local db = assert(require("mariadb").connect($TEST_NGINX_MARIADB_PORT, "lua", "secret"))
            for _, size in ipairs { 0, 1, 250, 251, 4095, 4096, 65535, 65536, 1000000, 9000000 } do
                local text = db:query("select repeat('x', " .. size .. ")")[1][1]
                if #text ~= size or text:find("[^x]") then ngx.say(size, " ", #text) end
            end
            local sum, rows = 0, db:query("select seq, repeat('y', seq % 100) from seq_1_to_20000")
            for i, row in ipairs(rows) do sum = sum + row[1] if #row[2] ~= i % 100 then ngx.say(i) end end
            ngx.say(#rows, " ", sum)
            local long = ("z"):rep(1000000)
            ngx.say(db:query("select length('" .. long .. "')")[1][1])
        }
    }
--- request
GET /t
--- response_body
20000 200010000
1000000



=== TEST 3: a pooled connection keeps its session
--- config
    location = /t {
        content_by_lua_block {
            local db = assert(require("mariadb").connect($TEST_NGINX_MARIADB_PORT, "lua", "secret"))
            db:query("set @counter = coalesce(@counter, 0) + 1")
            ngx.say(db:query("select @counter")[1][1], " ", db.sock:getreusedtimes())
            db.sock:setkeepalive(10000, 5)
        }
    }
--- request eval
["GET /t", "GET /t", "GET /t"]
--- response_body eval
["1 0\n", "2 1\n", "3 2\n"]



=== TEST 4: a password that is wrong
--- config
    location = /t {
        content_by_lua_block {
            ngx.say(require("mariadb").connect($TEST_NGINX_MARIADB_PORT, "lua", "wrong"))
        }
    }
--- request
GET /t
--- response_body_like
^nil.*Access denied for user 'lua'.* \(1045\)$



=== TEST 5: slow queries wait beside one another
--- config
    location = /t {
        content_by_lua_block {
            local connect = require("mariadb").connect
            local order, threads = {}, {}
            -- Each but the last waits for a lock that another has.
            local holder = assert(connect($TEST_NGINX_MARIADB_PORT, "lua", "secret"))
            holder:query("select get_lock('gate', 10)")
            for i = 1, 5 do
                threads[i] = ngx.thread.spawn(function()
                    local db = assert(connect($TEST_NGINX_MARIADB_PORT, "lua", "secret"))
                    local got = db:query("select get_lock('gate', 10)")[1][1]
                    order[#order + 1] = "waited"
                    db:query("select release_lock('gate')")
                    return got
                end)
            end
            order[1] = "released"
            holder:query("select release_lock('gate')")
            for i = 1, 5 do assert(select(2, ngx.thread.wait(threads[i])) == "1") end
            ngx.say(table.concat(order, " "))
        }
    }
--- request
GET /t
--- response_body
released waited waited waited waited waited



=== TEST 6: a query that takes longer than the timeout
--- config
    location = /t {
        content_by_lua_block {
            local db = assert(require("mariadb").connect($TEST_NGINX_MARIADB_PORT, "lua", "secret"))
            db.sock:settimeout(20)
            ngx.say(db:query("select sleep(2)"))
            ngx.say(db.sock:setkeepalive())
        }
    }
--- request
GET /t
--- response_body_like
^niltimeout
(?:1|nil.*)$
--- error_log
lua tcp socket read timed out



=== TEST 7: the server ends a session
--- config
    location = /t {
        content_by_lua_block {
            local connect = require("mariadb").connect
            local db, other = assert(connect($TEST_NGINX_MARIADB_PORT, "lua", "secret")), assert(connect($TEST_NGINX_MARIADB_PORT, "lua", "secret"))
            local id = db:query("select connection_id()")[1][1]
            local waiting = ngx.thread.spawn(function() return db:query("select sleep(10)") end)
            ngx.say(other:query("kill " .. id))
            local _, rows, err = ngx.thread.wait(waiting)
            ngx.say(rows, " ", err)
        }
    }
--- request
GET /t
--- response_body_like
^0
nil (?:closed|Connection was killed \(1927\))$
