# ngx.ssl: names, addresses and versions of the connection; certificates and keys, good and bad.
use strict;
use warnings;
use lib 't/lib';

use IO::Socket::SSL;
use IO::Socket::UNIX;
use Test::More;

use HotLua::Tls;

# Calls a function for each way to get it wrong and says what came of it.
my $INIT = <<'LUA';
    ssl = require "ngx.ssl"
    function told(...)
        local parts = { select("#", ...) }
        for i = 1, select("#", ...) do
            local value = select(i, ...)
            parts[i + 1] = type(value) == "string" and #value > 200 and "#" .. #value or tostring(value)
        end
        return table.concat(parts, "|")
    end
    function try(f, ...) return told(pcall(f, ...)) end
LUA

my $tls = HotLua::Tls->new(
    names => ['other.test', 'ec.test'],
    init => $INIT,
    servers => [
        'api.test' => <<'CONF',
            listen unix:%ROOT%/tls.sock ssl;
            location = / { content_by_lua_block { ngx.say(ngx.var.request_uri) } }
            location = /reads { content_by_lua_block {
                ngx.say(told(ssl.server_name()))
                ngx.say(told(ssl.server_port()))
                for _, side in ipairs { "raw_server_addr", "raw_client_addr" } do
                    local address, kind, message = ssl[side]()
                    ngx.say(kind == "inet" and table.concat({ address:byte(1, -1) }, ".") or address, " ", kind, " ", message)
                end
                ngx.say(told(ssl.get_tls1_version() == ssl.TLS1_2_VERSION, ssl.get_tls1_version_str()))
                ngx.say(told(ssl.verify_client()))
            } }
            location = /pem { content_by_lua_block {
                local crt, key = slurp "tls/other.test.crt", slurp "tls/other.test.key"
                local chain, locked = slurp "tls/other.test.chain", slurp "locked.key"
                local one, all = ssl.cert_pem_to_der(crt), ssl.cert_pem_to_der(chain)
                ngx.say(all:sub(1, #one) == one, " ", #all > #one)
                ngx.say(ssl.cert_pem_to_der("a\n" .. crt .. "tail") == one)
                ngx.say(try(ssl.cert_pem_to_der, key))
                ngx.say(try(ssl.cert_pem_to_der, crt .. crt:gsub("MII", "???", 1)))
                ngx.say(try(ssl.cert_pem_to_der, crt:sub(1, 300)))
                ngx.say(try(ssl.cert_pem_to_der, ("x\0"):rep(100000)))
                local der = ssl.priv_key_pem_to_der(key)
                ngx.say(der == ssl.priv_key_pem_to_der(locked, "secret"))
                ngx.say(try(ssl.priv_key_pem_to_der, locked, "wrong"))
                ngx.say(try(ssl.priv_key_pem_to_der, locked))
                ngx.say(try(ssl.priv_key_pem_to_der, locked, ("x"):rep(100000)))
                ngx.say(try(ssl.priv_key_pem_to_der, crt))
                ngx.say(try(ssl.priv_key_pem_to_der, key, 1))
                for _, name in ipairs { "cert_pem_to_der", "priv_key_pem_to_der", "parse_pem_cert", "parse_pem_priv_key",
                    "set_der_cert", "set_der_priv_key" } do
                    ngx.say(name, " ", try(ssl[name], ""), " ", try(ssl[name]), " ", try(ssl[name], {}))
                end
                ngx.say(try(ssl.set_der_cert, one .. "x"))
                ngx.say(try(ssl.set_der_cert, one:sub(1, -2)))
                ngx.say(try(ssl.set_der_priv_key, one))
                local parsed, parsed_key = ssl.parse_pem_cert(chain), ssl.parse_pem_priv_key(key)
                ngx.say(try(ssl.set_cert, parsed_key):match "%(.*%)", try(ssl.set_priv_key, parsed):match "%(.*%)")
                ngx.say(try(ssl.set_cert, "x"):match "%(.*%)", try(ssl.set_priv_key, 1):match "%(.*%)")
                ngx.say(try(ssl.set_cert), try(ssl.set_priv_key))
            } }
CONF
        'mismatch.test' => <<'CONF',
            ssl_certificate_by_lua_block {
                note(ssl.set_cert(ssl.parse_pem_cert(slurp "tls/other.test.crt")))
                note(ssl.set_priv_key(ssl.parse_pem_priv_key(slurp "tls/mismatch.test.key")))
            }
CONF
        'twice.test' => <<'CONF',
            ssl_certificate_by_lua_block {
                ssl.clear_certs()
                local chain, key = ssl.parse_pem_cert(slurp "tls/other.test.chain"), ssl.parse_pem_priv_key(slurp "tls/other.test.key")
                for _ = 1, 3 do assert(ssl.set_cert(chain)) assert(ssl.set_priv_key(key)) end
                assert(ssl.set_cert(ssl.parse_pem_cert(slurp "ec.crt")))
                assert(ssl.set_priv_key(ssl.parse_pem_priv_key(slurp "ec.key")))
            }
CONF
        'verify.test' => <<'CONF',
            ssl_certificate_by_lua_block {
                note(select(2, pcall(ssl.verify_client, "x")), select(2, pcall(ssl.verify_client, nil, "x")))
                assert(ssl.verify_client(ssl.parse_pem_cert(slurp "tls/ca.crt"), 1))
            }
            location = / { return 200 "$ssl_client_verify $ssl_client_s_dn"; }
CONF
        'verify-none.test' => <<'CONF',
            ssl_certificate_by_lua_block { assert(ssl.verify_client()) }
            location = / { return 200 "$ssl_client_verify"; }
CONF
    ],
    main => <<'CONF',
        location = /plain { content_by_lua_block {
            for _, name in ipairs { "server_name", "server_port", "raw_server_addr", "raw_client_addr", "get_tls1_version",
                "get_tls1_version_str", "clear_certs" } do ngx.say(name, " ", told(ssl[name]())) end
            ngx.say(told(ssl.set_der_cert(ssl.cert_pem_to_der(slurp "tls/other.test.crt"))))
        } }
CONF
    files => {},
);

# More kinds of keys than the servers have.
{
    my $root = $tls->nginx->{root};
    HotLua::Tls::openssl($root, qw(rsa -aes128 -passout pass:secret -in tls/other.test.key -out locked.key));
    HotLua::Tls::openssl($root, qw(req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 100 -subj /CN=ec.test -keyout ec.key -out ec.crt));
    chmod 0644, map { "$root/$_" } qw(locked.key ec.key ec.crt);
}

is $tls->shake(name => 'api.test', path => '/reads', SSL_version => 'TLSv1_2')->{body}, <<"END", 'what a connection is';
1|api.test
1|$tls->{port}
127.0.0.1 inet nil
127.0.0.1 inet nil
2|true|TLSv1.2
2|nil|API disabled in the current context
END

{
    my $socket = IO::Socket::UNIX->new($tls->nginx->{root} . '/tls.sock') or die "connect: $!";
    IO::Socket::SSL->start_SSL($socket, SSL_verify_mode => SSL_VERIFY_NONE) or die $SSL_ERROR;
    print $socket "GET /reads HTTP/1.0\r\n\r\n";
    my $root = $tls->nginx->{root};
    like do { local $/; <$socket> }, qr/\r\n\r\n1\|nil\n1\|nil\n\Q$root\E\/tls\.sock unix nil\n unix nil\n2\|false\|TLSv1\.3\n/,
        'a UNIX socket, and a client that names nobody';
}

my $bad = 'string expected, got';
is $tls->shake(name => 'api.test', path => '/pem')->{body}, <<"END", 'PEM and DER, good and bad';
true true
true
3|true|nil|PEM_read_bio_X509_AUX() failed
3|true|nil|PEM_read_bio_X509() failed
3|true|nil|PEM_read_bio_X509_AUX() failed
3|true|nil|PEM_read_bio_X509_AUX() failed
true
3|true|nil|PEM_read_bio_PrivateKey() failed
3|true|nil|PEM_read_bio_PrivateKey() failed
3|true|nil|PEM_read_bio_PrivateKey() failed
3|true|nil|PEM_read_bio_PrivateKey() failed
2|false|bad argument #2 to '?' ($bad number)
cert_pem_to_der 3|true|nil|PEM_read_bio_X509_AUX() failed 2|false|bad argument #1 to '?' ($bad nil) 2|false|bad argument #1 to '?' ($bad table)
priv_key_pem_to_der 3|true|nil|PEM_read_bio_PrivateKey() failed 2|false|bad argument #1 to '?' ($bad nil) 2|false|bad argument #1 to '?' ($bad table)
parse_pem_cert 3|true|nil|PEM_read_bio_X509_AUX() failed 2|false|bad argument #1 to '?' ($bad nil) 2|false|bad argument #1 to '?' ($bad table)
parse_pem_priv_key 3|true|nil|PEM_read_bio_PrivateKey() failed 2|false|bad argument #1 to '?' ($bad nil) 2|false|bad argument #1 to '?' ($bad table)
set_der_cert 3|true|nil|d2i_X509_bio() failed 2|false|bad argument #1 to '?' ($bad nil) 2|false|bad argument #1 to '?' ($bad table)
set_der_priv_key 3|true|nil|d2i_PrivateKey_bio() failed 2|false|bad argument #1 to '?' ($bad nil) 2|false|bad argument #1 to '?' ($bad table)
3|true|nil|d2i_X509_bio() failed
3|true|nil|d2i_X509_bio() failed
3|true|nil|d2i_PrivateKey_bio() failed
(certificate chain expected, got userdata)(private key expected, got userdata)
(certificate chain expected, got string)(private key expected, got number)
3|true|nil|invalid certificate chain3|true|nil|invalid private key failed
END

$tls->shake(name => 'mismatch.test');
is $tls->notes, "true\nnil SSL_use_PrivateKey() failed", 'a key of another certificate';

is $tls->shake(name => 'twice.test', SSL_version => 'TLSv1_2', SSL_cipher_list => 'aRSA')->{chain}, 2, 'a chain that is set again replaces the one before';
is $tls->shake(name => 'twice.test', SSL_version => 'TLSv1_2', SSL_cipher_list => 'aECDSA')->{subject}, 'ec.test', 'certificates of two kinds of keys';

my $root = $tls->nginx->{root};
my @client = (SSL_cert_file => "$root/tls/other.test.crt", SSL_key_file => "$root/tls/other.test.key");
is $tls->shake(name => 'verify.test', @client)->{body}, 'SUCCESS CN=other.test', 'a client with a certificate that is trusted';
like $tls->notes, qr/certificate chain expected, got string.*number expected, got string/, 'wrong types';
is $tls->shake(name => 'verify.test')->{body}, 'NONE ', 'a client without one';
my @stranger = (SSL_cert_file => "$root/ec.crt", SSL_key_file => "$root/ec.key");
like $tls->shake(name => 'verify.test', @stranger)->{body}, qr/^FAILED:self-signed certificate CN=ec\.test/, 'one that is not trusted';
is $tls->shake(name => 'verify-none.test')->{body}, 'NONE', 'without authorities';
like $tls->shake(name => 'verify-none.test', @client)->{body}, qr/^FAILED:/, 'nobody is trusted';

is $tls->nginx->get('/plain'), <<'END', 'a request without TLS';
server_name 2|nil|bad request
server_port 2|nil|bad request
raw_server_addr 3|nil|nil|bad request
raw_client_addr 3|nil|nil|bad request
get_tls1_version 2|nil|bad request
get_tls1_version_str 2|nil|bad request
clear_certs 2|nil|bad request
2|nil|bad request
END

unlike $tls->nginx->error_log, qr/\[(?:alert|crit|emerg)\]/, 'nothing bad was logged';

done_testing;
