# The request's body and the response over HTTP/2.
use strict;
use warnings;
use lib 't/lib';

use File::Temp ();
use Test::More;

use HotLua::Nginx;

plan skip_all => 'no curl that knows HTTP/2' if `curl --version 2>&1` !~ /HTTP2/;

my ($port, $upstream) = map { HotLua::Nginx::free_port() } 1, 2;
my $nginx = HotLua::Nginx->new(
    workers => 1,
    http => <<"CONF",
        server {
            listen 127.0.0.1:$upstream;
            location / {
                content_by_lua_block {
                    ngx.req.read_body()
                    ngx.print(ngx.var.http_content_length, " ", ngx.req.get_body_data())
                }
            }
        }
        server {
            listen 127.0.0.1:$port http2;
            client_body_buffer_size 4k;
            client_max_body_size 1m;
            location = /body {
                content_by_lua_block {
                    ngx.req.read_body()
                    local body, place = ngx.req.get_body_data(), "memory"
                    if ngx.req.get_body_file() then
                        local file = assert(io.open(ngx.req.get_body_file()))
                        body, place = file:read("*a"), "file"
                        file:close()
                    end
                    ngx.print(place, " ", body and #body, " ", ngx.req.http_version())
                }
            }
            location = /raw { content_by_lua_block { ngx.say(select(2, pcall(ngx.req.raw_header))) } }
            location = /discard { content_by_lua_block { ngx.req.discard_body() ngx.sleep(0.001) ngx.print("discarded") } }
            location = /set {
                rewrite_by_lua_block { ngx.req.read_body() ngx.req.set_body_data("new") }
                proxy_pass http://127.0.0.1:$upstream;
            }
            location = /flush {
                content_by_lua_block {
                    for i = 1, 20 do
                        ngx.print(("x"):rep(100000))
                        assert(ngx.flush(true))
                    end
                }
            }
            location = /headers {
                content_by_lua_block {
                    ngx.header["X-Many"] = { "one", "two\\r\\nX-Injected: three" }
                    ngx.status = 201
                    ngx.print(ngx.var.host)
                }
            }
        }
CONF
);
sub curl {
    my ($path, @options) = @_;
    open my $curl, '-|', qw(curl -s -m 10 --http2-prior-knowledge), @options, "http://127.0.0.1:$port$path" or die "curl: $!";
    return do { local $/; <$curl> } // '';
}

sub body {
    my ($length) = @_;
    my $file = File::Temp->new;
    print $file 'x' x $length;
    $file->flush;
    return $file;
}

is curl('/body'), 'memory nil 2', 'no body';
is curl('/body', '-d', 'abc'), 'memory 3 2', 'a body in memory';
my $large = body(100_000);
is curl('/body', '--data-binary', "\@$large"), 'file 100000 2', 'a body in a file';
my $huge = body(1_100_000);
# nginx answers 413 and closes the stream, which a client may see first.
curl('/body', '--data-binary', "\@$huge");
like $nginx->error_log, qr/client intended to send too large body/, 'a body that is too large';
is curl('/raw'), "http2 requests not supported yet\n", 'no raw header';
is curl('/discard', '-d', 'abc'), 'discarded', 'a body that is thrown away';
is curl('/set', '-d', 'old body'), '3 new', 'a body that is replaced';
is length curl('/flush'), 2_000_000, 'ngx.flush(true)';
my $headers = curl('/headers', '-i');
like $headers, qr/^HTTP\/2 201/, 'the status';
like $headers, qr/^x-many: one\r\nx-many: two%0D%0AX-Injected: three\r\n/m, 'headers of several values';
like $headers, qr/\r\n\r\n127\.0\.0\.1\z/, 'the host';
unlike $nginx->error_log, qr/\[(?:alert|emerg|crit)\]/, 'nothing alarming in the log';
done_testing;
