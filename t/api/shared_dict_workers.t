# Shared dictionaries over all workers: as nginx reloads, and as workers die while they write.
# HOTLUA_DICT_REPAIRS (default 5) is how many of them must have had a dictionary locked.
use strict;
use warnings;
use lib 't/lib';

use Test::More;
use Time::HiRes qw(sleep);

use HotLua::Nginx;

my $REPAIRS = $ENV{HOTLUA_DICT_REPAIRS} || 5;
my $ROUNDS = 40 * $REPAIRS;    # after which it is given up

# Everything that changes a dictionary, with values that tell whether they are whole. It never ends by itself.
my $SPIN = <<'LUA';
local dict = ngx.shared.spun
local mark = assert(io.open(ngx.var.arg_mark, "w"))
mark:write(ngx.worker.pid())
mark:close()
local function text(i) return (tostring(i % 7)):rep(i % 300) end
local large = {}
for i = 0, 6 do large[i] = tostring(i):rep(200000) end
for i = 1, math.huge do
    local n = i % 500
    assert(dict:set("text" .. n, text(i), n % 3 == 0 and 0.01 or 0, n + 1))
    assert(dict:incr("sum" .. n % 20, 1, 0))
    assert(dict:rpush("list" .. n % 10, text(i)))
    if n % 2 == 0 then dict:lpop("list" .. n % 10) end
    dict:get("text" .. (n * 31) % 500)
    if n % 50 == 0 then dict:delete("list" .. (n / 50) % 10) end
    if n == 499 then dict:flush_expired() end
    if n % 8 == 0 then assert(dict:set("text at once", large[i % 7])) end
end
LUA

# Reads all of it, and changes some.
my $CHECK = <<'LUA';
local dict = ngx.shared.spun
local function whole(text) return text == text:sub(1, 1):rep(#text) end
local keys = dict:get_keys(0)
for _, key in ipairs(keys) do
    local value, flags = dict:get(key)
    if key:find("^text") then
        assert(value == nil or whole(value), key)
        assert(value == nil or not flags or "text" .. flags - 1 == key, key)
    elseif key:find("^sum") then
        assert(type(value) == "number", key)
    elseif key:find("^list") then
        assert(value == nil and flags == "value is a list", key)
        local length = dict:llen(key)
        for _ = 1, length do assert(whole(dict:lpop(key)), key) end
        assert(dict:llen(key) == 0 and dict:lpop(key) == nil, key)
    end
end
assert(dict:set("check", ("c"):rep(5000)) and #dict:get("check") == 5000)
assert(dict:delete("check") and dict:get("check") == nil)
-- Nothing has leaked: without entries all pages are free but those that a dictionary needs for itself.
if ngx.var.arg_empty then
    dict:flush_all()
    dict:flush_expired()
    return ngx.say(dict:free_space())
end
ngx.say("whole")
LUA

my $nginx = HotLua::Nginx->new(
    workers => 3,
    http => <<'CONF',
        lua_shared_dict spun 2m;
        lua_shared_dict kept 1m;
        lua_shared_dict resized 1m;
        init_by_lua_block {
            ngx.shared.kept:incr("started", 1, 0)
            if ngx.shared.kept:get("refuse") then error("refused") end
        }
CONF
    server => <<'CONF',
        location = /spin { content_by_lua_file %ROOT%/lua/spin.lua; }
        location = /check { content_by_lua_file %ROOT%/lua/check.lua; }
        location = /count {
            content_by_lua_block {
                for _ = 1, 1000 do ngx.shared.kept:incr("count", 1, 0) end
                ngx.say(ngx.worker.pid())
            }
        }
        location = /sum { content_by_lua_block { ngx.say(ngx.shared.kept:get("count")) } }
        location = /seen {
            content_by_lua_block {
                ngx.say(ngx.worker.pid())
                for _, name in ipairs { "kept", "resized" } do
                    local dict = ngx.shared[name]
                    ngx.say(name, " ", dict:capacity() / 1024, " ", dict:get("text"), " ", select(2, dict:get("text")), " ",
                        dict:llen("list"), " ", (dict:ttl("timed") or 0) > 50000, " ", dict:get("started"))
                end
            }
        }
        location = /fill {
            content_by_lua_block {
                for _, name in ipairs { "kept", "resized" } do
                    local dict = ngx.shared[name]
                    dict:set("text", "abc", 0, 7)
                    dict:rpush("list", 1)
                    dict:rpush("list", "two")
                    dict:set("timed", true, 100000)
                end
                ngx.say("filled")
            }
        }
        location = /refuse { content_by_lua_block { ngx.shared.kept:set("refuse", ngx.var.arg_it == "1" or nil) ngx.say("ok") } }
CONF
    files => { 'lua/spin.lua' => $SPIN, 'lua/check.lua' => $CHECK },
);

# Every worker answers /seen so. One that drains after a reload may still answer first.
sub seen_by_all {
    my ($want, $name) = @_;
    my $seen;
    eval { $nginx->wait_for($name, sub { ($seen = $nginx->answers('/seen')) eq $want }) };
    return is $seen, $want, $name;
}

subtest 'workers see each other\'s values and lose no increment' => sub {
    my @sockets = map { $nginx->begin('/count') } 1 .. 30;
    my %pids = map { $nginx->finish($_) => 1 } @sockets;
    cmp_ok scalar(keys %pids), '>', 1, 'several workers have counted';
    is $nginx->get('/sum'), "30000\n", 'and none was lost';
    is $nginx->get('/fill'), "filled\n", 'one of them writes';
    seen_by_all("kept 1024 abc 7 2 true 1\nresized 1024 abc 7 2 true nil\n", 'all of them read it');
};

subtest 'a reload keeps what has the same name and size' => sub {
    $nginx->reload;
    seen_by_all("kept 1024 abc 7 2 true 2\nresized 1024 abc 7 2 true nil\n", 'all is there, and init_by_lua has found it');
    my $conf = HotLua::Nginx::slurp("$nginx->{root}/nginx.conf");
    $nginx->write('nginx.conf', $conf =~ s/resized 1m/resized 2m/r);
    $nginx->reload;
    seen_by_all("kept 1024 abc 7 2 true 3\nresized 2048 nil nil 0 false nil\n", 'another size begins empty');
    $nginx->get('/refuse?it=1');
    my @pids = $nginx->worker_pids;
    $nginx->signal('HUP');
    $nginx->wait_for('the refusal', sub { $nginx->error_log =~ /init_by_lua error: .*refused/ });
    is_deeply [$nginx->worker_pids], \@pids, 'what init_by_lua refuses leaves the old configuration running';
    seen_by_all("kept 1024 abc 7 2 true 4\nresized 2048 nil nil 0 false nil\n", 'with its dictionaries');
    $nginx->get('/refuse');
};

subtest 'workers that are killed while they write leave every dictionary whole' => sub {
    my $mark = "$nginx->{root}/marks/spinner";
    my $free = $nginx->get('/check?empty=1');
    my (@wrong, $killed);
    for (1 .. $ROUNDS) {
        unlink $mark;
        my $socket = $nginx->begin("/spin?mark=$mark");
        my $pid = $nginx->wait_for('a worker that writes', sub { HotLua::Nginx::slurp($mark) =~ /^(\d+)$/ && $1 });
        sleep rand 0.02;
        kill KILL => $pid;
        close $socket;
        $killed++;
        $nginx->wait_for("a worker in the place of $pid", sub {
            my @now = $nginx->worker_pids;
            @now == 3 && !grep { $_ == $pid } @now;
        });
        my $seen = $nginx->get('/check');
        push @wrong, "round $killed: $seen" if $seen ne "whole\n";
        my @repairs = $nginx->error_log =~ /"spun", which was repaired: \d+ keys/g;
        last if @wrong || @repairs >= $REPAIRS;
    }
    is_deeply \@wrong, [], "$killed were killed";
    my @repairs = $nginx->error_log =~ /"spun", which was repaired: (\d+) keys/g;
    is scalar(@repairs), $REPAIRS, 'of which some had the lock';
    cmp_ok $repairs[-1], '>', 100, 'and what they had written before stays';
    is $nginx->get('/check?empty=1'), $free, 'nothing is lost of the memory';
};

my $expected = qr/exited on signal 9|shared memory zone "\w+" was locked by|which was repaired/;
is_deeply [grep { /\[(?:alert|emerg|crit)\]/ && !/$expected/ } split /\n/, $nginx->error_log], [],
    'nothing else alarming in the log';
$nginx->stop;
done_testing;
