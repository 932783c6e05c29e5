# ssl_session_store_by_lua* and ssl_session_fetch_by_lua*: sessions that Lua keeps, without tickets.
use strict;
use warnings;
use lib 't/lib';

use IO::Socket::SSL;
use Test::More;

use HotLua::Tls;

my $STORE = <<'LUA';
    local session = require "ngx.ssl.session"
    local id = assert(session.get_session_id())
    note("store", #id, ngx.get_phase(), require("ngx.ssl").server_name())
    sessions[id] = assert(session.get_serialized_session())
    if mode == "store waits" then note(select(2, pcall(ngx.sleep, 0))) end
    if mode == "store raises" then error("not stored") end
    if mode == "store exits" then ngx.exit(ngx.ERROR) note("went on") end
LUA

my $FETCH = <<'LUA';
    local session = require "ngx.ssl.session"
    local id = assert(session.get_session_id())
    if mode == "fetch waits" then ngx.sleep(0.01) end
    note("fetch", sessions[id] and "hit" or "miss", ngx.get_phase())
    if mode == "fetch raises" then error("not fetched") end
    if mode == "fetch exits" then ngx.exit(ngx.ERROR) end
    if mode == "fetch lies" then note(session.set_serialized_session("no session")) end
    if sessions[id] then assert(session.set_serialized_session(sessions[id])) end
    if mode == "fetch raises late" then error("not fetched after all") end
    note(session.get_serialized_session())
LUA

my $tls = HotLua::Tls->new(
    http => "ssl_session_tickets off; ssl_session_fetch_by_lua_block { $FETCH } ssl_session_store_by_lua_block { $STORE }",
    init => 'sessions = {}',
    main => 'location = /mode { content_by_lua_block { mode = ngx.unescape_uri(ngx.var.args or "") } }
             location = /forget { content_by_lua_block { sessions = {} } }',
    servers => [
        'default.test' => 'ssl_certificate_by_lua_block { note("certificate") }
            location = /session { content_by_lua_block {
                local session = require "ngx.ssl.session"
                ngx.say(session.get_session_id())
                ngx.say(session.get_serialized_session())
                ngx.say(session.set_serialized_session("x"))
                for _, value in ipairs { 1, true } do ngx.say(pcall(session.set_serialized_session, value)) end
            } }',
        'tickets.test' => 'ssl_session_tickets on;',
    ],
);

# A client of its own: shakes hands twice, and returns both.
sub twice {
    my ($mode, %option) = @_;
    $tls->nginx->get('/forget');
    $tls->nginx->get('/mode');
    my $between = delete $option{between} // sub { };
    # A context that goes takes its sessions along.
    my $context = IO::Socket::SSL::SSL_Context->new(
        SSL_verify_mode => SSL_VERIFY_NONE, SSL_session_cache_size => 4, SSL_server => 0, %option,
    ) or die "no context: $SSL_ERROR";
    my @client = (name => 'default.test', SSL_reuse_ctx => $context, SSL_session_key => 'it');
    my $set = sub { $tls->nginx->get('/mode?' . $mode =~ s/ /%20/gr) };
    $set->() if $mode =~ /^store/;
    my $first = $tls->shake(@client);
    $set->();
    $between->();
    return ($first, $tls->shake(@client), $tls->notes);
}

for my $version ('TLSv1_2', 'TLSv1_3') {
    # In TLS 1.3 the server gives two sessions to each client.
    my $stores = $version eq 'TLSv1_3' ? 2 : 1;
    my $stored = "store 64 ssl_session_store default.test\n" x $stores;
    for my $mode ('', 'fetch waits') {
        my $name = "$version" . ($mode && ", $mode");
        my ($first, $second, $notes) = twice($mode, SSL_version => $version);
        is $first->{reused}, 0, "$name: a new client shakes hands in full";
        is $second->{reused}, 1, "$name: the session that Lua has found is resumed";
        is $second->{body}, 'default.test', "$name: and serves";
        is $notes =~ s/(?:\nstore.*)+\z//r, "certificate\n${stored}fetch hit ssl_session_fetch\nnil bad session in lua context",
            "$name: without the certificate's Lua";
    }
    my ($first, $second, $notes) = twice('', SSL_version => $version, between => sub { $tls->nginx->get('/forget') });
    is $second->{reused}, 0, "$version: what Lua does not find is not resumed";
    like $notes, qr/\nfetch miss ssl_session_fetch\n/, "$version: though it was asked";
    for my $mode ('fetch raises', 'fetch exits', 'fetch raises late', 'fetch lies') {
        my $between = sub { $tls->nginx->get('/forget') if $mode =~ /lies/ };
        ($first, $second) = twice($mode, SSL_version => $version, between => $between);
        is $second->{body}, 'default.test', "$version: $mode is a miss";
        is $second->{reused}, 0, "$version: $mode is no hit";
    }
    ($first, $second, $notes) = twice('fetch lies', SSL_version => $version, between => sub { $tls->nginx->get('/forget') });
    like $notes, qr/\nnil failed to de-serialize session\n/, "$version: what is no session is refused";
    for my $mode ('store waits', 'store raises', 'store exits') {
        ($first, $second, $notes) = twice($mode, SSL_version => $version);
        is $first->{body}, 'default.test', "$version: $mode fails no handshake";
        is $second->{reused}, 1, "$version: $mode, but what was stored is there";
        like $notes, qr/API disabled in the context of ssl_session_store_by_lua\*/, "$version: it cannot" if $mode =~ /waits/;
        like $notes, qr/went on/, "$version: ngx.exit leaves nothing" if $mode =~ /exits/;
    }
}

is $tls->shake(name => 'default.test', path => '/session')->{body}, <<'END', 'a request has no session of its own';
niluninitialized session id len in lua context
nilbad session in lua context
nilfailed to de-serialize session
falsebad argument #1 to '?' (string expected, got number)
falsebad argument #1 to '?' (string expected, got boolean)
END

# A client whose first message does not suit the server sends a second one.
{
    my $again = HotLua::Tls->new(
        http => "ssl_session_tickets off; ssl_session_fetch_by_lua_block { $FETCH } ssl_session_store_by_lua_block { $STORE }",
        init => 'sessions = {}',
        servers => ['again.test' => 'ssl_ecdh_curve secp384r1; ssl_client_hello_by_lua_block { ngx.sleep(0) note("hello") }'],
    );
    my $context = IO::Socket::SSL::SSL_Context->new(
        SSL_verify_mode => SSL_VERIFY_NONE, SSL_session_cache_size => 4, SSL_server => 0, SSL_version => 'TLSv1_3',
        SSL_ecdh_curve => 'X25519:P-384',
    ) or die "no context: $SSL_ERROR";
    my @client = (name => 'again.test', SSL_reuse_ctx => $context, SSL_session_key => 'it');
    is $again->shake(@client)->{reused}, 0, 'a second hello';
    is $again->notes =~ s/\nstore.*//gr, 'hello', 'runs no hook again';
    is $again->shake(@client)->{reused}, 1, 'and may resume a session';
    is $again->notes =~ s/\nstore.*//gr, "hello\nfetch hit ssl_session_fetch\nnil bad session in lua context", 'that is fetched once';
}

like $tls->nginx->error_log, qr/failed to run session_store_by_lua\*: ssl_session_store_by_lua\(nginx\.conf:\d+\):\d+: not stored\n/, 'what the store raises is logged';
like $tls->nginx->error_log, qr/runtime error: ssl_session_fetch_by_lua\(nginx\.conf:\d+\):\d+: not fetched\n/, 'as what the fetch raises';
unlike $tls->nginx->error_log, qr/\[(?:alert|crit|emerg)\]/, 'nothing bad was logged';

done_testing;
