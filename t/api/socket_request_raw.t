# ngx.req.socket with clients that send, wait and leave at their own time; the raw connection.
use strict;
use warnings;
use lib 't/lib';

use IO::Socket::INET;
use IO::Socket::SSL;
use Test::More;

use HotLua::Nginx;
use HotLua::Tls;

my $DEADLINE = 10;    # seconds that an answer may take

my $nginx = HotLua::Nginx->new(
    workers => 1,
    http => <<'CONF',
        init_by_lua_block {
            -- What a call has returned, in the log.
            function note(name, ...)
                local parts = {}
                for i = 1, select("#", ...) do parts[i] = tostring((select(i, ...))) end
                ngx.log(ngx.WARN, name, ": ", table.concat(parts, "|"), ".")
            end
            -- Answers each line until one says quit.
            function echo(sock)
                while true do
                    local line, err, partial = sock:receive()
                    if not line then note("echo ends", err, partial) return end
                    assert(sock:send({ "echo ", line, "\n" }))
                    if line == "quit" then return end
                end
            end
        }
CONF
    server => <<'CONF',
        lingering_timeout 2s;
        location = /plain { return 200 "plain\n"; }
        location = /all { content_by_lua_block { ngx.say(ngx.req.socket():receive("*a")) } }
        location = /part { content_by_lua_block { ngx.say(ngx.req.socket():receive(3)) } }
        location = /unwatched/leaves { content_by_lua_file %ROOT%/lua/leaves.lua; }
        location = /watched/leaves { lua_check_client_abort on; content_by_lua_file %ROOT%/lua/leaves.lua; }
        location ~ ^/(?<name>echo)$ { content_by_lua_block { echo(assert(ngx.req.socket(true))) } }
        location = /early { rewrite_by_lua_block { echo(assert(ngx.req.socket(true))) } }
        location = /access { access_by_lua_block { echo(assert(ngx.req.socket(true))) } content_by_lua_block { note("went on") } }
        location = /upgrade {
            content_by_lua_block {
                ngx.status = 101
                ngx.header.Upgrade = "echo"
                ngx.header.Connection = "upgrade"
                ngx.header.Content_Type = nil
                assert(ngx.send_headers())
                echo(assert(ngx.req.socket(true)))
            }
        }
        location = /duplex {
            content_by_lua_block {
                local sock = assert(ngx.req.socket(true))
                local reader = ngx.thread.spawn(function() return sock:receive() end)
                for i = 1, 3 do
                    assert(sock:send("tick " .. i .. "\n"))
                    ngx.sleep(0.001)
                end
                local _, line = ngx.thread.wait(reader)
                assert(sock:send("got " .. line .. "\n"))
            }
        }
        location = /output {
            content_by_lua_block {
                local sock = assert(ngx.req.socket(true))
                note("methods", sock.send, sock.close, sock.connect)
                note("again", ngx.req.socket(true))
                note("body", ngx.req.socket())
                note("say", ngx.say("no"))
                note("print", ngx.print("no"))
                note("flush", ngx.flush(true))
                note("eof", ngx.eof())
                note("headers", ngx.headers_sent, ngx.send_headers())
                note("exec", pcall(ngx.exec, "/plain"))
                note("redirect", pcall(ngx.redirect, "/plain"))
                note("capture", ngx.location.capture("/plain").body)
                assert(sock:send("raw\n"))
            }
        }
        location = /said {
            content_by_lua_block {
                ngx.header.Content_Length = 7
                ngx.print("say")
                local sock = assert(ngx.req.socket(true))
                assert(sock:send(" raw"))
            }
        }
        location = /unsent {
            content_by_lua_block {
                ngx.print(("x"):rep(20000000))
                note("unsent", ngx.req.socket(true))
                ngx.exit(444)
            }
        }
        location = /gathers { content_by_lua_block { ngx.say("x") note("gathers", ngx.req.socket(true)) } }
        location = /reading {
            content_by_lua_block {
                ngx.thread.spawn(ngx.req.read_body)
                note("reading", ngx.req.socket(true))
                ngx.exit(444)
            }
        }
        location = /body {
            content_by_lua_block {
                ngx.req.read_body()
                local sock = assert(ngx.req.socket(true))
                assert(sock:send(ngx.req.get_body_data() .. " " .. sock:receive(5) .. "\n"))
            }
        }
        location = /unread { content_by_lua_block { local sock = assert(ngx.req.socket(true)) assert(sock:send(sock:receive(5))) } }
        location = /both {
            content_by_lua_block {
                local body = assert(ngx.req.socket())
                note("untouched", ngx.req.socket(true))
                local read = body:receiveany(1)
                local sock = assert(ngx.req.socket(true))
                note("the body's", body:receive(1))
                local thread = ngx.thread.spawn(sock.receive, sock, 5)
                body = nil
                collectgarbage()
                collectgarbage()
                assert(sock:send("go\n"))
                local _, rest = ngx.thread.wait(thread)
                assert(sock:send(read .. rest .. "\n"))
            }
        }
        location = /chunks {
            content_by_lua_block {
                local sock = assert(ngx.req.socket(true))
                local chunk = sock:receive(tonumber(sock:receive(), 16))
                assert(sock:send(chunk .. "\n"))
            }
        }
        location ~ ^/ends/(?<how>\w+)$ {
            content_by_lua_block {
                local sock = assert(ngx.req.socket(true))
                assert(sock:send("sent\n"))
                if ngx.var.how == "error" then error("oops") end
                if ngx.var.how == "exit" then ngx.exit(500) end
            }
        }
        location = /takes_nothing {
            content_by_lua_block {
                local sock = assert(ngx.req.socket(true))
                sock:settimeouts(nil, 20, nil)
                note("takes nothing", sock:send(("x"):rep(20000000)))
                note("after that", sock:send("x"))
            }
        }
        location = /waits {
            content_by_lua_block {
                local sock = assert(ngx.req.socket(true))
                sock:settimeout(1)
                note("waits", sock:receive(5))
                note("still", sock:receive(5))
                sock:settimeout(60000)
                assert(sock:send("go\n"))
                note("then", sock:receive(5))
            }
        }
        location = /watched/reads {
            lua_check_client_abort on;
            content_by_lua_block {
                local sock = assert(ngx.req.socket(true))
                assert(ngx.on_abort(function() note("reads", "told") end))
                assert(sock:send("go\n"))
                note("reads", sock:receive())
                ngx.sleep(0.01)
                note("reads", "end")
            }
        }
        location = /watched/sleeps {
            lua_check_client_abort on;
            content_by_lua_block {
                local sock = assert(ngx.req.socket(true))
                assert(ngx.on_abort(function() note("sleeps", "told", sock:send("x")) ngx.exit(499) end))
                assert(sock:send("go\n"))
                ngx.sleep(60)
            }
        }
CONF
    files => { 'lua/leaves.lua' => <<'LUA' },
local sock = assert(ngx.req.socket())
ngx.on_abort(function() note(ngx.var.uri, "told") end)
note(ngx.var.uri, "began", sock:receive(2))
while not io.open(ngx.config.prefix() .. "marks" .. ngx.var.uri:gsub("/", "_")) do ngx.sleep(0.005) end
note(ngx.var.uri, sock:receive(5))
note(ngx.var.uri, sock:receive(5))
ngx.sleep(0.01)
note(ngx.var.uri, "end")
LUA
);

sub connected {
    my ($text) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$nginx->{port}", Timeout => $DEADLINE) or die "connect: $@";
    say_to($socket, $text);
    return $socket;
}

sub say_to { my ($socket, $text) = @_; print $socket $text; $socket->flush; return }

sub get { my ($path, @headers) = @_; return join "\r\n", "GET $path HTTP/1.1", 'Host: test', @headers, '', '' }

sub post {
    my ($path, $length, $body, @headers) = @_;
    return join "\r\n", "POST $path HTTP/1.1", 'Host: test', "Content-Length: $length", @headers, '', $body // '';
}

# Calls with an alarm.
sub within {
    my ($call) = @_;
    local $SIG{ALRM} = sub { die "nothing within $DEADLINE s\n" };
    alarm $DEADLINE;
    my $result = $call->();
    alarm 0;
    return $result;
}

sub line_of { my ($socket) = @_; return within(sub { local $/ = "\n"; scalar <$socket> }) // '' }

sub rest_of { my ($socket) = @_; return within(sub { local $/; scalar <$socket> }) // '' }

sub noted { my ($name) = @_; return join ' ', $nginx->error_log =~ /\Q$name\E: (.*)\., client/g }

sub wait_for_note {
    my ($name, $text) = @_;
    return $nginx->wait_for("$name: $text", sub { $nginx->error_log =~ /\Q$name: $text\E/ });
}

my $close = 'Connection: close';

subtest 'a body that comes bit by bit' => sub {
    my $socket = connected(post('/all', 10, 'he'));
    say_to($socket, $_) for 'llo', ' wor';
    say_to($socket, 'l' . get('/plain', $close));
    like rest_of($socket), qr/\nhello worl\n.*plain\n\z/s, 'is read to its end, the next request is answered';
};

subtest 'what comes after Lua has ended' => sub {
    my $socket = connected(post('/part', 10, 'hel'));
    my $answer = '';
    $answer .= line_of($socket) until $answer =~ /^hel\n/m;
    say_to($socket, 'lo wo');
    say_to($socket, 'rl' . get('/plain', $close));
    like rest_of($socket), qr/plain\n\z/, 'is the body still, not the next request';
    $socket = connected(post('/part', 10, 'hel', $close));
    like rest_of($socket), qr/hel\n/, 'is not waited for where no request can follow';
};

subtest 'a client that leaves in the middle of its body' => sub {
    for my $kind (qw(unwatched watched)) {
        my $socket = connected(post("/$kind/leaves", 10, 'he'));
        wait_for_note("/$kind/leaves", 'began|he');
        say_to($socket, 'l');
        $socket->close;
        # When this is answered nginx has seen that the client has left.
        $nginx->get('/plain');
        $nginx->write("marks_${kind}_leaves", '');
        wait_for_note("/$kind/leaves", 'end');
        is noted("/$kind/leaves"), 'began|he nil|client aborted|l nil|closed end', "$kind: whoever reads is told, nobody else";
    }
};

subtest 'raw' => sub {
    for my $path (qw(/echo /early /access)) {
        my $socket = connected(get($path) . "one\n");
        is line_of($socket), "echo one\n", "$path: what came with the header";
        say_to($socket, "two\r\nthree");
        is line_of($socket), "echo two\n", 'and later';
        say_to($socket, "\nquit\n" . get('/plain'));
        is rest_of($socket), "echo three\necho quit\n", 'what was not read is no request; the connection is closed';
    }
    is noted('went on'), '', 'no later phase runs';
    my $socket = connected(get('/echo'));
    say_to($socket, "one\nha");
    $socket->shutdown(1);
    is rest_of($socket), "echo one\n", 'a client that has closed its side';
    wait_for_note('echo ends', 'closed|ha');
    my $big = 'x' x 3_000_000;
    $socket = connected(get('/echo') . "$big\nquit\n");
    ok rest_of($socket) eq "echo $big\necho quit\n", 'as much as is wanted';
};

subtest 'an upgrade' => sub {
    my $socket = connected(get('/upgrade', 'Upgrade: echo', 'Connection: upgrade') . "early\n");
    my $header = '';
    $header .= line_of($socket) until $header =~ /\r\n\r\n\z/;
    like $header, qr{\AHTTP/1\.1 101 Switching Protocols\r\n.*^Upgrade: echo\r\n}ms, 'the header is nginx\'s';
    is line_of($socket), "echo early\n", 'what follows is Lua\'s';
    say_to($socket, "quit\n");
    is rest_of($socket), "echo quit\n", 'to the end';
};

subtest 'both directions at once' => sub {
    my $socket = connected(get('/duplex'));
    is join('', map { line_of($socket) } 1 .. 3), "tick 1\ntick 2\ntick 3\n", 'one thread writes while one waits to read';
    say_to($socket, "stop\n");
    is rest_of($socket), "got stop\n", 'and reads';
};

subtest 'nginx answers nothing more' => sub {
    is rest_of(connected(get('/output'))), "raw\n", 'only what Lua sends goes out';
    my $acquired = 'nil|raw request socket acquired';
    like noted('methods'), qr/^function: \S+\|nil\|nil$/, 'it can be written to, not closed';
    is noted('again'), 'nil|duplicate call', 'it is had once';
    is noted('body'), 'nil|request body already exists', 'with the body';
    is noted($_), $acquired, $_ for qw(say print flush eof);
    is noted('headers'), 'true|1', 'the header counts as sent';
    is noted('exec'), 'false|attempt to call ngx.exec after sending out response headers', 'exec';
    is noted('redirect'), 'false|attempt to call ngx.redirect after sending out the headers', 'redirect';
    like $nginx->error_log, qr/capture: plain$/m, 'subrequests are as ever';
    is rest_of(connected(get('/ends/error'))), "sent\n", 'no page after an error';
    is rest_of(connected(get('/ends/exit'))), "sent\n", 'nor by ngx.exit';
    is rest_of(connected(get('/ends/return'))), "sent\n", 'nor at the end';
};

subtest 'output before it' => sub {
    like rest_of(connected(get('/said'))), qr/^Content-Length: 7\r\n(?:.+\r\n)*\r\nsay raw\z/m, 'goes out first';
    my $socket = connected(get('/unsent'));
    wait_for_note('unsent', 'nil|pending data to write');
    pass 'or the client must take it first';
    my $old = get('/gathers') =~ s{HTTP/1\.1}{HTTP/1.0}r;
    rest_of(connected($old));
    is noted('gathers'), 'nil|http 1.0 buffering', 'or its length must be known first';
};

subtest 'the body' => sub {
    is rest_of(connected(post('/body', 5, 'helloafter'))), "hello after\n", 'was read before';
    is rest_of(connected(post('/unread', 5, 'helloafter'))), 'hello', 'or is read raw';
    my $chunks = "POST /chunks HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    is rest_of(connected($chunks)), "hello\n", 'chunks and all';
    rest_of(connected(post('/reading', 5, 'hell')));
    my $socket = connected(post('/both', 10, 'h'));
    is line_of($socket), "go\n", 'or raw from where it was left';
    say_to($socket, 'ello');
    say_to($socket, ' ');
    is rest_of($socket), "hello \n", 'and on';
    is noted('untouched'), 'nil|pending request body reading in some other thread', 'once something of it was read';
    is noted("the body's"), 'nil|closed|', 'then only raw';
    is noted('reading'), 'nil|pending request body reading in some other thread', 'unless a thread reads it';
};

subtest 'time that is over' => sub {
    my $socket = connected(get('/waits') . 'hel');
    is line_of($socket), "go\n", 'the socket stays open';
    say_to($socket, 'lo wo');
    rest_of($socket);
    is noted('waits'), 'nil|timeout|hel', 'a partial result';
    is noted('still'), 'nil|timeout|', 'nothing';
    is noted('then'), 'lo wo', 'what came then';
    $socket = connected(get('/takes_nothing'));
    wait_for_note('after that', '');
    is noted('takes nothing'), 'nil|timeout', 'a client that takes nothing';
    is noted('after that'), 'nil|closed', 'nothing can follow half a message';
    like $nginx->error_log, qr/lua tcp socket write timed out/, 'a line in the log';
};

subtest 'a client that leaves while it is watched' => sub {
    my $socket = connected(get('/watched/reads') . 'hel');
    line_of($socket);
    $socket->close;
    wait_for_note('reads', 'end');
    is noted('reads'), 'nil|client aborted|hel end', 'whoever reads is told, not the callback';
    $socket = connected(get('/watched/sleeps'));
    line_of($socket);
    $socket->close;
    wait_for_note('sleeps', 'told');
    pass 'where nobody reads the callback is';
};

subtest 'TLS' => sub {
    my $tls = HotLua::Tls->new(servers => ['a.test' => <<'CONF']);
        location = /echo {
            content_by_lua_block {
                local sock = assert(ngx.req.socket(true))
                repeat
                    local line = sock:receive()
                    if line then assert(sock:send(line .. "\n")) end
                until not line or line == "quit"
            }
        }
        location = /body { content_by_lua_block { ngx.say(#ngx.req.socket():receive("*a")) } }
CONF
    my $ask = sub {
        my ($text) = @_;
        my $socket = IO::Socket::SSL->new(
            PeerAddr => "127.0.0.1:$tls->{port}", SSL_hostname => 'a.test', SSL_verify_mode => SSL_VERIFY_NONE, Timeout => $DEADLINE,
        ) or die "TLS: $SSL_ERROR";
        print $socket $text;
        return rest_of($socket);
    };
    my $big = 'x' x 1_000_000;
    like $ask->(post('/body', 1_000_000, $big, $close)), qr/^1000000\n/m, 'a body';
    ok $ask->(get('/echo') . "$big\nquit\n") eq "$big\nquit\n", 'raw';
};

subtest 'HTTP/2' => sub {
    plan skip_all => 'no curl that knows it' if `curl --version 2>&1` !~ /HTTP2/;
    my $port = HotLua::Nginx::free_port();
    my $two = HotLua::Nginx->new(
        workers => 1,
        http => "server { listen 127.0.0.1:$port http2; location / { content_by_lua_block {
            ngx.say((select(2, pcall(ngx.req.socket)))) ngx.say((select(2, pcall(ngx.req.socket, true)))) } } }",
    );
    is scalar(`curl -s --max-time $DEADLINE --http2-prior-knowledge http://127.0.0.1:$port/`),
        "http v2 not supported yet\n" x 2, 'has no connection to read';
};

unlike $nginx->error_log, qr/\[(?:alert|emerg|crit)\]/, 'nothing alarming in the log';
done_testing;
