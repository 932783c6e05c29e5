# The libraries where no lua-resty-core is to be found: the package path has the application's own files and no others.
use strict;
use warnings;
use lib 't/lib';

use Test::More;

use HotLua::Nginx;
use HotLua::Server;

my $DEBIAN = '/usr/share/lua/5.1';
my @LIBRARIES = qw(nginx/redis nginx/redis/connector nginx/redis/sentinel nginx/memcached nginx/dns/resolver
    nginx/websocket/protocol nginx/websocket/client nginx/kafka/producer nginx/kafka/response nginx/kafka/request
    nginx/kafka/broker nginx/kafka/client nginx/kafka/errors nginx/kafka/sendbuffer nginx/kafka/ringbuffer
    resty/lrucache resty/lrucache/pureffi);
my %files = map { ("lua/$_.lua" => HotLua::Nginx::slurp("$DEBIAN/$_.lua") || die "$DEBIAN/$_.lua: $!\n") } @LIBRARIES;

my $redis = HotLua::Server->redis;
my $memcached = HotLua::Server->memcached;
my $dns = HotLua::Server->dns('host-record=host.test,127.0.0.1');

my $nginx = HotLua::Nginx->new(
    workers => 1,
    http => qq(lua_package_path "%ROOT%/lua/?.lua"; lua_package_cpath ""; resolver 127.0.0.1:$dns->{port} ipv6=off;),
    server => <<"CONF",
        location = /resty {
            content_by_lua_block {
                ngx.say(package.path == "%ROOT%/lua/?.lua", " ", package.searchpath("resty.core", package.path) == nil)
                for _, name in ipairs { "resty.core", "resty.core.regex", "ngx.semaphore", "ngx.re", "ngx.ssl", "ngx.errlog" } do
                    ngx.say(name, " ", type(require(name)))
                end
                ngx.say((pcall(require, "resty.signal")))
            }
        }
        location = /redis {
            content_by_lua_block {
                local connector = require("nginx.redis.connector").new { connect_timeout = 5000, port = $redis->{port} }
                local red = assert(connector:connect())
                ngx.say(red:set("dog", "bark"), " ", red:get("dog"))
                ngx.say(connector:set_keepalive(red))
                red = require("nginx.redis"):new()
                ngx.say(red:connect("host.test", $redis->{port}), " ", red:ping())
            }
        }
        location = /memcached {
            content_by_lua_block {
                local memc = require("nginx.memcached"):new()
                ngx.say(memc:connect("127.0.0.1", $memcached->{port}))
                ngx.say(memc:set("dog", "bark"), " ", memc:get("dog"))
            }
        }
        location = /dns {
            content_by_lua_block {
                local dns = require("nginx.dns.resolver"):new { nameservers = { { "127.0.0.1", $dns->{port} } } }
                ngx.say(dns:query("host.test")[1].address, " ", dns:tcp_query("host.test")[1].address)
            }
        }
        location = /load {
            content_by_lua_block {
                for _, name in ipairs { "nginx.websocket.client", "nginx.kafka.producer", "resty.lrucache", "resty.lrucache.pureffi" } do
                    ngx.say(type(require(name)))
                end
            }
        }
CONF
    files => \%files,
);

is $nginx->get('/resty'), "true true\n" . join('', map {"$_ table\n"} qw(resty.core resty.core.regex ngx.semaphore ngx.re ngx.ssl ngx.errlog))
    . "false\n", 'no path leads to files of lua-resty-core, and what it gives is there';
is $nginx->get('/redis'), "OK bark\n1\n1 PONG\n", 'Redis';
is $nginx->get('/memcached'), "1\n1 bark0\n", 'memcached';
is $nginx->get('/dns'), "127.0.0.1 127.0.0.1\n", 'DNS';
is $nginx->get('/load'), "table\n" x 4, 'others load';
unlike $nginx->error_log, qr/\[(?:error|crit|alert|emerg)\]/, 'no error was logged';
done_testing;
