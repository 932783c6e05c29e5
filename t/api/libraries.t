# Debian's Lua libraries, unchanged: what they do, and that they go on over publishes.
use strict;
use warnings;
use lib 't/lib';

use Test::More;

use HotLua::Nginx;

my $DEBIAN = '/usr/share/lua/5.1';

sub slurp {
    my ($path) = @_;
    open my $file, '<', $path or die "$path: $! (scripts/setup --test installs it)\n";
    local $/;
    return scalar <$file>;
}

# Those that the application has beside its own code, so that they are of a generation.
my @OWN = qw(nginx/string nginx/sha nginx/sha1 nginx/sha224 nginx/sha256 nginx/sha384 nginx/sha512 nginx/md5 nginx/aes
    nginx/random nginx/cookie resty/lrucache resty/lrucache/pureffi);
my %library = map { $_ => slurp("$DEBIAN/$_.lua") } @OWN;

my $APP = <<'LUA';
local string = require "nginx.string"
local cjson = require "cjson"
local cookie = require "nginx.cookie"

local function digest(name, ...)
    local state = require("nginx." .. name):new()
    for _, part in ipairs { ... } do state:update(part) end
    return string.to_hex(state:final())
end

local function cached(name)
    local cache = require(name).new(2)
    cache:set("a", 1)
    cache:set("b", 2)
    cache:get("a")
    cache:set("c", 3)
    return table.concat({ tostring(cache:get("a")), tostring(cache:get("b")), tostring(cache:get("c")) }, ",")
end

return function()
    local jar = cookie:new()
    jar:set { key = "answer", value = "42", path = "/", httponly = true }
    jar:set { key = "other", value = "43" }
    ngx.say(ngx.var.pid)
    ngx.say("VERSION")
    ngx.say("md5 ", digest("md5", "hel", "lo"))
    ngx.say("sha1 ", digest("sha1", "hel", "lo"), " ", string.to_hex(ngx.sha1_bin("hello")) == digest("sha1", "hello"))
    ngx.say("sha224 ", digest("sha224", "abc"))
    ngx.say("sha256 ", digest("sha256", "hel", "lo"))
    ngx.say("sha384 ", digest("sha384", "abc"))
    ngx.say("sha512 ", digest("sha512", "abc"))
    local aes = require("nginx.aes"):new("a key")
    local secret = aes:encrypt("a message")
    ngx.say("aes ", #secret, " ", secret ~= "a message", " ", aes:decrypt(secret))
    local random = require "nginx.random"
    ngx.say("random ", #random.bytes(16), " ", random.bytes(16) ~= random.bytes(16))
    ngx.say("lrucache ", cached "resty.lrucache", " ", cached "resty.lrucache.pureffi")
    ngx.say("cjson ", cjson.encode({ 1, ngx.null, cjson.null, "x" }), " ", cjson.decode("null") == ngx.null)
    ngx.say("cookie ", jar:get("first"), " ", jar:get("second"), " ", tostring(jar:get("third")))
end
LUA
sub app { my ($version) = @_; return $APP =~ s/VERSION/$version/r }

my $SAID = <<'TEXT';
md5 5d41402abc4b2a76b9719d911017c592
sha1 aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d true
sha224 23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7
sha256 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
sha384 cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7
sha512 ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f
aes 16 true a message
random 16 true
lrucache 1,nil,3 1,nil,3
cjson [1,null,null,"x"] true
cookie 1 two nil
TEXT

my $nginx = HotLua::Nginx->new(
    http => 'lua_package_path "%ROOT%/lua/?.lua;;"; hotlua_root %ROOT%/lua;',
    server => <<'CONF',
        location = /app { content_by_lua_block { require("app")() } }
CONF
    files => { 'lua/app.lua' => app(1), map { ("lua/$_.lua" => $library{$_}) } @OWN },
);

# What the application answers to cookies, from every worker: "VERSION\n" and what it said.
sub answers {
    my ($version) = @_;
    my %seen;
    $nginx->wait_for('each worker', sub {
        my $response = $nginx->request('/app', headers => { Cookie => 'first=1; second=two' });
        my ($pid, $text) = $response->{content} =~ /\A(\d+)\n(.*)\z/s or die $response->{content};
        $seen{$pid} = $text;
        return keys %seen == $nginx->{workers};
    });
    return [values %seen];
}

subtest 'they work' => sub {
    is_deeply answers(), [("1\n$SAID") x 2], 'all of them in both workers';
    my $response = $nginx->request('/app', headers => { Cookie => 'first=1; second=two' });
    is_deeply $response->{headers}{'set-cookie'}, ['answer=42; Path=/; HttpOnly', 'other=43'], 'cookies are set';
};

subtest 'the application changes' => sub {
    $nginx->write('lua/app.lua', app(2));
    is +($nginx->publish)[0], 200, 'published';
    is_deeply answers(), [("2\n$SAID") x 2], 'they go on';
};

subtest 'the libraries change, those with ffi too' => sub {
    for my $round (1 .. 3) {
        $nginx->write("lua/$_.lua", "$library{$_}\n-- round $round\n") for @OWN;
        my ($status, $reply) = $nginx->publish;
        is $status, 200, "published $round" or diag explain $reply;
        is_deeply answers(), [("2\n$SAID") x 2], 'and work';
    }
    is +($nginx->rollback)[0], 200, 'rolled back';
    is_deeply answers(), [("2\n$SAID") x 2], 'and work';
};

subtest 'nginx reloads' => sub {
    $nginx->reload;
    is_deeply answers(), [("2\n$SAID") x 2], 'they work in new workers';
};

unlike $nginx->error_log, qr/\[(error|crit|alert|emerg)\]/, 'no error was logged';

done_testing;
