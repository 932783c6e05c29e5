# ssl_certificate_by_lua*: Lua that chooses the certificate, may wait for it, and may refuse the handshake.
use strict;
use warnings;
use lib 't/lib';

use Test::More;

use HotLua::Tls;

my $CHOOSE = <<'LUA';
    local ssl = require "ngx.ssl"
    assert(ssl.clear_certs())
    assert(ssl.set_der_cert(assert(ssl.cert_pem_to_der(slurp("tls/other.test.chain")))))
    assert(ssl.set_der_priv_key(assert(ssl.priv_key_pem_to_der(slurp("tls/other.test.key")))))
LUA

my $PARSED = <<'LUA';
    local ssl = require "ngx.ssl"
    assert(ssl.clear_certs())
    assert(ssl.set_cert(assert(ssl.parse_pem_cert(slurp("tls/other.test.chain")))))
    assert(ssl.set_priv_key(assert(ssl.parse_pem_priv_key(slurp("tls/other.test.key")))))
LUA

my $VARIABLE = 'ssl_certificate %ROOT%/tls/$ssl_server_name.crt; ssl_certificate_key %ROOT%/tls/$ssl_server_name.key; ';

my %LUA = (
    'choose.test' => $CHOOSE,
    'parsed.test' => $PARSED,
    'waits.test' => "ngx.sleep(0.01) note('slept') coroutine.yield() $CHOOSE",
    'threads.test' => "local thread = ngx.thread.spawn(function() ngx.sleep(0.01) return 'of a thread' end)
        note(ngx.thread.wait(thread)) ngx.thread.spawn(function() ngx.sleep(0.01) note('thread') end) $CHOOSE",
    'clears.test' => 'assert(require("ngx.ssl").clear_certs())',
    'error.test' => 'ngx.exit(ngx.ERROR)',
    'late-error.test' => 'ngx.sleep(0.01) ngx.exit(ngx.ERROR)',
    'status.test' => 'ngx.exit(444)',
    'ok.test' => 'note("before") ngx.exit(ngx.OK) note("after")',
    'declined.test' => 'ngx.exit(ngx.DECLINED)',
    'raises.test' => 'error("refused on purpose")',
    'late-raises.test' => 'ngx.sleep(0.01) error("refused later")',
    'phase.test' => <<'LUA',
        note(ngx.get_phase(), require("ngx.ssl").server_name())
        for _, name in ipairs { "say", "print", "redirect", "exec" } do
            note(name, select(2, pcall(ngx[name], "/")))
        end
        note("var", select(2, pcall(function() return ngx.var.remote_addr end)))
        note("status", select(2, pcall(function() ngx.status = 200 end)))
        note("header", select(2, pcall(function() ngx.header.foo = 1 end)))
        note("headers", select(2, pcall(ngx.req.get_headers)))
        note("body", select(2, pcall(ngx.req.read_body)))
LUA
);

my $tls = HotLua::Tls->new(
    names => ['other.test'],
    servers => [
        'default.test' => '',
        (map { ($_ => "ssl_certificate_by_lua_block { $LUA{$_} }") } sort keys %LUA),
        'file.test' => 'ssl_certificate_by_lua_file %ROOT%/choose.lua;',
        'variable.test' => $VARIABLE . 'ssl_certificate_by_lua_block { note("looked") }',
        'both.test' => $VARIABLE . "ssl_certificate_by_lua_block { $CHOOSE }",
        'missing.test' => 'ssl_certificate_by_lua_file %ROOT%/missing.lua;',
        'uncached.test' => "lua_code_cache off; ssl_certificate_by_lua_block { ngx.sleep(0.01) $CHOOSE }"
            =~ s/slurp/io.slurp/gr,
    ],
    init => 'io.slurp = slurp',
    files => { 'choose.lua' => "-- a file\n$CHOOSE" },
);

for my $version ('TLSv1_2', 'TLSv1_3') {
    my $shake = sub { $tls->shake(name => $_[0], SSL_version => $version) };
    my $chosen = $shake->('choose.test');
    is $chosen->{subject}, 'other.test', "$version: the certificate that Lua has set";
    is $chosen->{chain}, 2, "$version: with its chain";
    is $chosen->{body}, 'choose.test', "$version: and the server answers";
    is $shake->($_)->{subject}, 'other.test', "$version: $_" for qw(parsed.test waits.test file.test threads.test uncached.test);
    is $tls->notes, "slept\ntrue of a thread\nthread", "$version: light threads, which the handshake waits for";
    is $shake->('variable.test')->{subject}, 'variable.test', "$version: a certificate that variables name";
    is $tls->notes, 'looked', "$version: goes through Lua";
    is $shake->('both.test')->{subject}, 'other.test', "$version: which may replace it";
    is $shake->('default.test')->{subject}, 'default.test', "$version: a server without Lua keeps its own";
    like $shake->($_)->{error}, qr/alert/, "$version: $_ fails the handshake"
        for qw(error.test late-error.test status.test raises.test late-raises.test missing.test clears.test);
    is $shake->($_)->{subject}, $_, "$version: $_ goes on" for qw(ok.test declined.test);
    is $tls->notes, 'before', "$version: ngx.exit leaves the Lua";
}

is $tls->shake(name => 'phase.test')->{body}, 'phase.test', 'what is refused fails no handshake';
is $tls->notes =~ s/ssl_certificate_by_lua\(nginx\.conf:\d+\):\d+: //gr, join("\n",
    'ssl_cert phase.test',
    (map { "$_ API disabled in the context of ssl_certificate_by_lua*" } qw(say print redirect exec)),
    (map { "$_ API disabled in the current context" } qw(var status header headers)),
    'body API disabled in the context of ssl_certificate_by_lua*'),
    'what only a request has is refused';

my $log = $tls->nginx->error_log;
like $log, qr/runtime error: ssl_certificate_by_lua\(nginx\.conf:\d+\):1: refused on purpose\n/, 'what is raised is logged';
like $log, qr/, context: ssl_certificate_by_lua\*, client: 127\.0\.0\.1, server: 127\.0\.0\.1:\d+\n/, 'with the context';
like $log, qr/\[info\].* SSL_do_handshake\(\) failed \(SSL: [^)]*cert cb error\) while SSL handshaking, client: 127/,
    'the failed handshake is nginx\'s own line';
unlike $log, qr/\[(?:alert|crit|emerg)\]/, 'and nothing worse';

done_testing;
