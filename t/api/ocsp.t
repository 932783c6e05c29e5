# ngx.ocsp: whom to ask, how to ask, whether the answer holds, and stapling it.
use strict;
use warnings;
use lib 't/lib';

use IO::Socket::SSL;
use Test::More;

use HotLua::Tls;

my $tls = HotLua::Tls->new(
    names => ['other.test', 'ec.test'],
    init => <<'LUA',
        ocsp, ssl = require "ngx.ocsp", require "ngx.ssl"
        function der(name) return assert(ssl.cert_pem_to_der(slurp(name))) end
        function told(...)
            local parts = {}
            for i = 1, select("#", ...) do parts[i] = tostring((select(i, ...))) end
            return table.concat(parts, "|")
        end
LUA
    servers => [
        'ocsp.test' => 'ssl_certificate_by_lua_block { note(told(ocsp.set_ocsp_status_resp(slurp "good.der"))) }',
        'empty.test' => 'ssl_certificate_by_lua_block { note(told(ocsp.set_ocsp_status_resp(""))) }',
    ],
    main => <<'CONF',
        location = /chain { content_by_lua_block {
            local responder, request = ocsp.get_ocsp_responder_from_der_chain, ocsp.create_ocsp_request
            local one, all, root = der "tls/ocsp.test.crt", der "tls/ocsp.test.chain", der "tls/ca.crt"
            ngx.say(told(responder(all)))
            ngx.say(told(responder(all, 7)))
            ngx.say(told(responder(one)))
            ngx.say(told(responder(root)))
            ngx.say(told(responder(one .. der "tls/other.test.crt")))
            ngx.say(told(responder("x")), " ", told(responder("")))
            ngx.say(told(pcall(responder)), " ", told(pcall(responder, all, "x")))
            ngx.say(request(all) == slurp "request.der", " ", select("#", request(all)))
            ngx.say(told(request(all, 20)))
            ngx.say(told(request(one)), " ", told(request("x")))
            ngx.say(told(pcall(request, 1)))
        } }
        location = /validate { content_by_lua_block {
            local validate, all = ocsp.validate_ocsp_response, der "tls/ocsp.test.chain"
            for _, name in ipairs { "good", "delegated", "revoked", "unknown", "other", "foreign", "old", "internal" } do
                ngx.say(name, " ", told(validate(slurp(name .. ".der"), all)))
            end
            ngx.say(told(validate(slurp "revoked.der", all, 11)))
            ngx.say(told(validate(slurp "good.der", der "tls/ocsp.test.crt")))
            ngx.say(told(validate(slurp("good.der"):sub(1, -3), all)), " ", told(validate("", all)))
            local good = slurp "good.der"
            ngx.say(told(validate((good:gsub("Test Root", "Text Root", 1)), all)))
            ngx.say(told(validate(slurp "good.der", "x")))
            ngx.say(told(pcall(validate)), " ", told(pcall(validate, "x")), " ", told(pcall(validate, "x", "x", "x")))
        } }
        location = /plain { content_by_lua_block { ngx.say(told(ocsp.set_ocsp_status_resp("x"))) } }
CONF
);

# Answers of a responder: the issuer itself, one whom it has entrusted, and a stranger.
my $root = $tls->nginx->{root};
sub run { return HotLua::Tls::openssl($root, @_) }
run(qw(ocsp -issuer tls/ca.crt -cert tls/ocsp.test.crt -no_nonce -reqout request.der));
run(qw(ocsp -issuer tls/ca.crt -cert tls/other.test.crt -no_nonce -reqout other-request.der));
run(qw(req -newkey rsa:2048 -nodes -subj /CN=responder -keyout delegate.key -out delegate.csr));
$tls->nginx->write('delegate.ext', "extendedKeyUsage=OCSPSigning\n");
run(qw(x509 -req -days 100 -CA tls/ca.crt -CAkey tls/ca.key -extfile delegate.ext -in delegate.csr -out delegate.crt));
my ($serial) = run(qw(x509 -noout -serial -in tls/ocsp.test.crt)) =~ /serial=(\w+)/;
my @index = map { "$_\t$serial\tunknown\t/CN=ocsp.test\n" } "V\t400101000000Z\t", "R\t400101000000Z\t240101000000Z";
$tls->nginx->write("$_->[0].txt", $_->[1]) for ['good', $index[0]], ['revoked', $index[1]], ['unknown', ''];
sub answer {
    my ($name, $index, $signer, %option) = @_;
    my ($crt, $key) = $signer eq 'ca' ? ('tls/ca.crt', 'tls/ca.key') : @$signer;
    run(qw(ocsp -CA tls/ca.crt -index), "$index.txt", '-rsigner', $crt, '-rkey', $key, '-reqin',
        $option{request} // 'request.der', '-respout', "$name.der", @{ $option{valid} // ['-ndays', 100] });
    return;
}
answer('good', 'good', 'ca');
answer('delegated', 'good', ['delegate.crt', 'delegate.key']);
answer('foreign', 'good', ['tls/other.test.crt', 'tls/other.test.key']);
answer('revoked', 'revoked', 'ca');
answer('unknown', 'unknown', 'ca');
answer('other', 'good', 'ca', request => 'other-request.der');
$tls->nginx->write('internal.der', "\x30\x03\x0a\x01\x02");
# An answer whose time is over: nothing was found that makes one but a clock, so its times are changed, and so it is
# no longer what was signed; what comes first is told.
$tls->nginx->write('old.der', HotLua::Nginx::slurp("$root/good.der") =~ s/20\d\d(\d{10}Z)/2001$1/gr);
chmod 0644, glob "$root/*.der";

is $tls->nginx->get('/chain'), <<'END', 'of a chain';
http://127.0.0.1:8888/ocsp?of=ocsp.test
http://|truncated
nil|no issuer certificate in chain
nil
nil|issuer certificate not next to leaf
nil|d2i_X509_bio() failed nil|d2i_X509_bio() failed
false|bad argument #1 to '?' (string expected, got nil) false|bad argument #2 to '?' (number expected, got string)
true 1
nil|output buffer too small: 87 > 20
nil|no issuer certificate in chain nil|d2i_X509_bio() failed
false|bad argument #1 to '?' (string expected, got number)
END

is $tls->nginx->get('/validate'), <<'END', 'of an answer';
good true
delegated true
revoked nil|certificate status "revoked" in the OCSP response
unknown nil|certificate status "unknown" in the OCSP response
other nil|certificate status not found in the OCSP response
foreign nil|OCSP_basic_verify() failed
old nil|OCSP_basic_verify() failed
internal nil|OCSP response not successful (2: internalerror)
nil|certificate
nil|no issuer certificate in chain
nil|d2i_OCSP_RESPONSE() failed nil|d2i_OCSP_RESPONSE() failed
nil|OCSP_basic_verify() failed
nil|d2i_X509_bio() failed
false|bad argument #1 to '?' (string expected, got nil) false|bad argument #2 to '?' (string expected, got nil) false|bad argument #3 to '?' (number expected, got string)
END

is $tls->nginx->get('/plain'), "nil|bad request\n", 'a request without TLS';

# What a client that asks for an answer is told.
sub stapled {
    my ($name) = @_;
    my $said = `openssl s_client -connect 127.0.0.1:$tls->{port} -servername $name -status </dev/null 2>&1`;
    return $said =~ /Serial Number: (\w+)\s+Cert Status: (\w+)/ ? "$2 $1" : $said =~ /OCSP response: (no .*)/ ? $1 : $said;
}
is stapled('ocsp.test'), "good $serial", 'a client that asks gets the answer';
is $tls->notes, 'true', 'and Lua is told nothing else';
$tls->shake(name => 'ocsp.test', SSL_ocsp_mode => SSL_OCSP_NO_STAPLE);
is $tls->notes, 'true|no status req', 'one that does not ask';
is stapled('empty.test'), 'no response sent', 'an empty answer';
is $tls->notes, 'nil|empty OCSP response', 'is none';

done_testing;
