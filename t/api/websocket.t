# Debian's lua-nginx-websocket, unchanged, as server and as client: raw connections of requests on one end, cosockets on
# the other.
use strict;
use warnings;
use lib 't/lib';

use IO::Socket::INET;
use Test::More;

use HotLua::Nginx;

my $DEADLINE = 10;    # seconds that an answer may take

sub greeting { my ($version) = @_; return "return function(text) return 'version $version: ' .. text end\n" }

my $nginx = HotLua::Nginx->new(
    workers => 1,
    http => 'lua_package_path "%ROOT%/lua/?.lua;/usr/share/lua/5.1/?.lua;;";',
    server => <<'CONF',
        # Answers what it gets.
        location = /echo {
            content_by_lua_block {
                local socket = assert(require("nginx.websocket.server"):new { timeout = 5000, max_payload_len = 200000 })
                while true do
                    local data, kind, err = socket:recv_frame()
                    if not data then ngx.log(ngx.WARN, "echo: ", kind, " ", err) return end
                    if kind == "close" then
                        assert(socket:send_close(1000, "bye to " .. data))
                        return
                    elseif kind == "ping" then assert(socket:send_pong(data))
                    elseif kind == "text" then assert(socket:send_text(data))
                    elseif kind == "binary" then assert(socket:send_binary(data))
                    elseif kind == "continuation" then assert(socket:send_text(data .. " " .. tostring(err)))
                    end
                end
            }
        }
        # Tells news while it waits for orders.
        location = /news {
            content_by_lua_block {
                local socket = assert(require("nginx.websocket.server"):new())
                local news = ngx.thread.spawn(function()
                    for i = 1, 5 do
                        assert(socket:send_text("news " .. i))
                        ngx.sleep(0.001)
                    end
                end)
                local order = socket:recv_frame()
                ngx.thread.wait(news)
                assert(socket:send_text("did " .. order))
                socket:send_close()
            }
        }
        # Answers by the application's code.
        location = /greeting {
            content_by_lua_block {
                local socket = assert(require("nginx.websocket.server"):new { timeout = 10000 })
                while true do
                    local data, kind = socket:recv_frame()
                    if kind ~= "text" then return end
                    assert(socket:send_text(require("greeting")(data)))
                end
            }
        }
        location = /refuses {
            content_by_lua_block {
                local socket, err = require("nginx.websocket.server"):new()
                ngx.say(socket, " ", err)
            }
        }
        location = /times_out {
            content_by_lua_block {
                local socket = assert(require("nginx.websocket.server"):new { timeout = 1 })
                local data, kind, err = socket:recv_frame()
                socket:set_timeout(5000)
                socket:send_text(tostring(data) .. " " .. tostring(kind) .. " " .. err .. " " .. tostring(socket.fatal))
                ngx.log(ngx.WARN, "times out: ", socket:recv_frame())
            }
        }
        location = /client {
            content_by_lua_block {
                local client = assert(require("nginx.websocket.client"):new { timeout = 5000, max_payload_len = 200000 })
                assert(client:connect("ws://127.0.0.1:" .. ngx.var.server_port .. "/echo"))
                local function show(...)
                    local data, kind, err = client:recv_frame()
                    ngx.say(kind, " ", data, " ", err)
                end
                assert(client:send_text("hello")) show()
                assert(client:send_text("")) show()
                assert(client:send_ping("are you there")) show()
                for _, size in ipairs { 1, 125, 126, 65535, 65536, 150000 } do
                    local sent = ("\0\255abc\r\n"):rep(size):sub(1, size)
                    assert(client:send_binary(sent))
                    local data, kind = client:recv_frame()
                    ngx.say(kind, " ", #data, " ", data == sent)
                end
                assert(client:send_frame(false, 1, "first")) show()
                assert(client:send_frame(true, 0, "last")) show()
                for i = 1, 200 do assert(client:send_text("message " .. i)) end
                local right = 0
                for i = 1, 200 do right = right + (client:recv_frame() == "message " .. i and 1 or 0) end
                ngx.say(right, " of 200 in order")
                assert(client:send_close(1001, "enough")) show()
                ngx.say(client:close())
            }
        }
        location = /reader {
            content_by_lua_block {
                local client = assert(require("nginx.websocket.client"):new { timeout = 5000 })
                assert(client:connect("ws://127.0.0.1:" .. ngx.var.server_port .. "/news"))
                for i = 1, 5 do ngx.say((client:recv_frame())) end
                assert(client:send_text("stop"))
                ngx.say((client:recv_frame()))
                local _, kind = client:recv_frame()
                ngx.say(kind)
            }
        }
CONF
    files => { 'lua/greeting.lua' => greeting(1) },
);

sub within {
    my ($call) = @_;
    local $SIG{ALRM} = sub { die "nothing within $DEADLINE s\n" };
    alarm $DEADLINE;
    my $result = $call->();
    alarm 0;
    return $result;
}

# A websocket of our own: its header is read.
sub opened {
    my ($path) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$nginx->{port}", Timeout => $DEADLINE) or die "connect: $@";
    print $socket join "\r\n", "GET $path HTTP/1.1", 'Host: test', 'Upgrade: websocket', 'Connection: Upgrade',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13', '', '';
    $socket->flush;
    my $header = within(sub { local $/ = "\r\n\r\n"; scalar <$socket> }) // '';
    return ($socket, $header);
}

# Sends a short text; a mask of zeros changes nothing.
sub give { my ($socket, $text) = @_; print $socket pack('CCNa*', 0x81, 0x80 | length $text, 0, $text); $socket->flush; return }

# The text of a short frame.
sub heard {
    my ($socket) = @_;
    return within(sub {
        read($socket, my $head, 2) == 2 or return '';
        read $socket, my $text, (unpack 'CC', $head)[1];
        return $text;
    });
}

sub asked { my ($socket, $text) = @_; give($socket, $text); return heard($socket) }

subtest 'the handshake' => sub {
    my ($socket, $header) = opened('/echo');
    like $header, qr{\AHTTP/1\.1 101 Switching Protocols\r\n}, 'switches protocols';
    # The example of RFC 6455.
    like $header, qr{^Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r$}m, 'answers the key';
    unlike $header, qr{^(?:Content-|Transfer-Encoding)}m, 'describes no body';
    is asked($socket, 'hello'), 'hello', 'then frames go both ways';
    is $nginx->get('/refuses'), qq{nil bad "upgrade" request header: nil\n}, 'other requests are refused';
};

is $nginx->get('/client'), <<'SAID', 'the client and the server of the library understand each other';
text hello nil
text  nil
pong are you there nil
binary 1 true
binary 125 true
binary 126 true
binary 65535 true
binary 65536 true
binary 150000 true
text first nil
text last nil nil
200 of 200 in order
close bye to enough 1000
1
SAID

is $nginx->get('/reader'), join('', map { "$_\n" } (map { "news $_" } 1 .. 5), 'did stop', 'close'),
    'a server writes while it waits to read';

subtest 'time that is over' => sub {
    my ($socket) = opened('/times_out');
    like heard($socket), qr/^nil nil failed to receive the first 2 bytes: timeout/, 'is told';
    give($socket, 'late');
    $nginx->wait_for('the text', sub { $nginx->error_log =~ /times out: latetext/ });
    pass 'and the next frame is read';
};

subtest 'a websocket and a change of the code' => sub {
    my ($old) = opened('/greeting');
    is asked($old, 'a'), 'version 1: a', 'the code that it has begun on';
    $nginx->write('lua/greeting.lua', greeting(2));
    $nginx->publish;
    my ($new) = opened('/greeting');
    is asked($new, 'b'), 'version 2: b', 'one that is opened later has the new code';
    is asked($old, 'c'), 'version 1: c', 'the open one goes on as it was';
};

subtest 'a client that leaves' => sub {
    my ($socket) = opened('/echo');
    is asked($socket, 'hello'), 'hello', 'was there';
    $socket->close;
    $nginx->wait_for('the server', sub { $nginx->error_log =~ /echo: nil failed to receive the first 2 bytes: closed/ });
    pass 'is noticed by whoever reads';
};

unlike $nginx->error_log, qr/\[(?:alert|emerg|crit)\]/, 'nothing alarming in the log';
done_testing;
