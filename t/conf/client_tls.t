# lua_ssl_*: what is refused while the configuration is read. What the directives do is in t/api/socket_tcp_tls.t.
use strict;
use warnings;
use lib 't/lib';

use Test::Nginx::Socket 'no_plan';

no_long_string();
run_tests();

__DATA__

=== TEST 1: blocks without Lua may say all of them
--- http_config
    lua_ssl_protocols SSLv2 SSLv3 TLSv1 TLSv1.1;
    lua_ssl_protocols TLSv1.2 TLSv1.3;
    lua_ssl_ciphers HIGH;
    lua_ssl_verify_depth 0;
    lua_ssl_conf_command MinProtocol TLSv1.2;
    lua_ssl_conf_command Options -SessionTicket;
    lua_ssl_trusted_certificate "";
    lua_ssl_crl "";
--- config
    lua_ssl_protocols TLSv1.3;
    lua_ssl_ciphers DEFAULT;
    lua_ssl_verify_depth 3;
    location = /t {
        lua_ssl_protocols TLSv1.2;
        lua_ssl_ciphers HIGH:!aNULL;
        lua_ssl_verify_depth 3;
        lua_ssl_conf_command Options PrioritizeChaCha;
        return 200 "fine";
    }
--- request
GET /t
--- response_body chomp
fine



=== TEST 2: protocols are nginx's names
--- http_config
    lua_ssl_protocols TLSv1.2 TLSv2;
--- config
--- must_die
--- error_log eval
qr/\[emerg\] .*? invalid value "TLSv2" in \S*nginx\.conf:\d+/



=== TEST 3: one that is named twice is warned of
--- http_config
    lua_ssl_protocols TLSv1.2 tlsv1.2;
--- config
    location = /t { return 200; }
--- request
GET /t
--- error_log eval
qr/\[warn\] .*? duplicate value "tlsv1\.2" in \S*nginx\.conf:\d+/



=== TEST 4: a depth is a number
--- config
    lua_ssl_verify_depth -1;
--- must_die
--- error_log
"lua_ssl_verify_depth" directive invalid number



=== TEST 5: one that fits
--- config
    lua_ssl_verify_depth 2147483648;
--- must_die
--- error_log
"lua_ssl_verify_depth" directive invalid number



=== TEST 6: ciphers that there are not
--- config
    location = /t {
        lua_ssl_ciphers NONE-OF-THESE;
    }
--- must_die
--- error_log eval
qr/\[emerg\] .*? SSL_CTX_set_cipher_list\("NONE-OF-THESE"\) failed \(SSL: .*\), in "lua_ssl_ciphers" at \S*nginx\.conf:\d+/



=== TEST 7: no ciphers
--- http_config
    lua_ssl_ciphers "";
--- config
--- must_die
--- error_log
SSL_CTX_set_cipher_list("") failed



=== TEST 8: trusted certificates that are not there, relative to nginx.conf
--- config
    lua_ssl_trusted_certificate missing.crt;
--- must_die
--- error_log eval
qr/\[emerg\] .*? \S*"\S*\/conf\/missing\.crt"\S* .*failed \(SSL: .*\), in "lua_ssl_trusted_certificate" at \S*nginx\.conf:\d+/



=== TEST 9: or no certificates
--- http_config
    lua_ssl_trusted_certificate nginx.conf;
--- config
--- must_die
--- error_log eval
qr/"\S*\/conf\/nginx\.conf"\S* .*failed .*, in "lua_ssl_trusted_certificate" at \S*nginx\.conf:\d+/



=== TEST 10: a list of revoked certificates that is not there
--- config
    lua_ssl_crl missing.crl;
--- must_die
--- error_log eval
qr/\[emerg\] .*? \S*"\S*\/conf\/missing\.crl"\S* .*failed \(SSL: .*\), in "lua_ssl_crl" at \S*nginx\.conf:\d+/



=== TEST 11: a certificate that is not there
--- config
    lua_ssl_certificate missing.crt;
    lua_ssl_certificate_key missing.key;
--- must_die
--- error_log eval
qr/\[emerg\] .*? cannot load certificate "\S*\/conf\/missing\.crt": .*, in "lua_ssl_certificate" at \S*nginx\.conf:\d+/



=== TEST 12: a certificate without its key
--- http_config
    lua_ssl_certificate_key client.key;
--- config
    lua_ssl_certificate client.crt;
    lua_ssl_certificate other.crt;
--- must_die
--- error_log eval
qr/\[emerg\] .*? no "lua_ssl_certificate_key" is defined for certificate "other\.crt", in "lua_ssl_certificate" at \S*nginx\.conf:\d+/



=== TEST 13: a command that OpenSSL does not know
--- http_config
    lua_ssl_conf_command Nothing at-all;
--- config
--- must_die
--- error_log eval
qr/\[emerg\] .*? SSL_CONF_cmd\("Nothing", "at-all"\) failed \(SSL: .*\), in "lua_ssl_conf_command" at \S*nginx\.conf:\d+/



=== TEST 14: a command takes two words
--- http_config
    lua_ssl_conf_command MinProtocol;
--- config
--- must_die
--- error_log
invalid number of arguments in "lua_ssl_conf_command" directive



=== TEST 15: a file for keys that cannot be written
--- http_config
    lua_ssl_key_log nowhere/keys.log;
--- config
--- must_die
--- error_log eval
qr/\[emerg\] .*? open\(\) "\S*nowhere\/keys\.log" failed \(No such file or directory.*\), in "lua_ssl_key_log" at \S*nginx\.conf:\d+/



=== TEST 16: a directive stands once in a block
--- config
    lua_ssl_crl "";
    lua_ssl_crl "";
--- must_die
--- error_log
"lua_ssl_crl" directive is duplicate



=== TEST 17: and not in an `if`
--- config
    location = /t {
        if ($arg_x) { lua_ssl_ciphers HIGH; }
    }
--- must_die
--- error_log
"lua_ssl_ciphers" directive is not allowed here
