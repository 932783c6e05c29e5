# ngx.pipe: processes end with what started them, and leave nothing behind in the worker.
use strict;
use warnings;
use lib 't/lib';

use IO::Socket::INET;
use Test::More;

use HotLua::Nginx;

my $nginx = HotLua::Nginx->new(
    workers => 1,
    http => 'init_by_lua_block {
        -- Processes that outlive the request in Lua.
        kept = {}
        function start(...)
            local proc = assert(require("ngx.pipe").spawn({ "sleep", "600" }))
            ngx.log(ngx.WARN, ngx.var.uri, " started ", proc:pid())
            return proc
        end
    }',
    server => <<'CONF',
        location ~ ^/leave/(?<call>\w+)$ {
            lua_check_client_abort on;
            content_by_lua_block {
                local proc = start()
                kept[1] = proc
                if ngx.var.call == "sleep" then ngx.sleep(600) end
                if ngx.var.call == "write" then proc:set_timeouts(0) proc:write(("x"):rep(1000000)) end
                proc:set_timeouts(0, 0, 0, 0)
                proc[ngx.var.call](proc)
            }
        }
        location = /ends { content_by_lua_block { kept[1] = start() ngx.say("done") } }
        location = /raises { content_by_lua_block { kept[1] = start() error("on purpose") } }
        location = /exits { access_by_lua_block { kept[1] = start() ngx.exit(204) } }
        location = /redirects { content_by_lua_block { kept[1] = start() ngx.exec("/waits") } }
        location = /waits { content_by_lua_block { ngx.say("waits") ngx.flush() ngx.sleep(600) } }
        location = /log { log_by_lua_block { kept[1] = start() } return 204; }
        location = /collected {
            content_by_lua_block {
                start()
                collectgarbage()
                collectgarbage()
                ngx.say("waits")
                ngx.flush()
                ngx.sleep(600)
            }
        }
        location = /kept {
            content_by_lua_block {
                local proc = kept[1]
                for _, call in ipairs { "kill", "wait", "shutdown", "write", "stdout_read_all", "stderr_read_line" } do
                    ngx.say(proc[call](proc, ({ kill = 0, shutdown = "stdin", write = "x" })[call]))
                end
            }
        }
        location = /many {
            content_by_lua_block {
                local pipe = require "ngx.pipe"
                for i = 1, tonumber(ngx.var.arg_count) do
                    local proc = assert(pipe.spawn({ "sh", "-c", "read line; echo $line; echo err >&2; exit 3" }))
                    assert(proc:write("line\n"))
                    assert(proc:stdout_read_line() == "line" and proc:stderr_read_all() == "err\n")
                    -- Some are waited for, some are killed, some are left to the end of the request.
                    if i % 3 == 0 then assert(select(3, proc:wait()) == 3) end
                    if i % 3 == 1 then proc:kill(9) end
                end
                ngx.say("done")
            }
        }
        # The end of a child that no Lua knows.
        location = /forks {
            content_by_lua_block {
                local ffi = require "ffi"
                ffi.cdef "int fork(void); void _exit(int);"
                local pid = ffi.C.fork()
                if pid == 0 then ffi.C._exit(5) end
                ngx.say(pid)
            }
        }
CONF
);
my ($worker) = $nginx->worker_pids;

# The state of a process; none where it is no more.
sub state_of { my ($pid) = @_; return HotLua::Nginx::slurp("/proc/$pid/stat") =~ /\) (\S)/ ? $1 : undef }

sub is_gone { my ($pid) = @_; my $state = eval { state_of($pid) }; return !defined $state }

sub started { my ($uri) = @_; my @pids = $nginx->error_log =~ /\Q$uri\E started (\d+)/g; return $pids[-1] }

# The children of a process: {pid => state}.
sub children {
    my ($parent) = @_;
    my %found;
    for my $stat (glob '/proc/[0-9]*/stat') {
        my $text = eval { HotLua::Nginx::slurp($stat) } // next;
        $found{$1} = $2 if $text =~ /^(\d+) .*\) (\S) $parent /;
    }
    return \%found;
}

sub descriptors { return scalar(() = glob "/proc/$worker/fd/*") }

sub begin {
    my ($path) = @_;
    my $socket = IO::Socket::INET->new("127.0.0.1:$nginx->{port}") or die "connect: $@";
    print $socket "GET $path HTTP/1.1\r\nHost: test\r\n\r\n";
    $socket->flush;
    $nginx->wait_for("the process of $path", sub { started($path) });
    return ($socket, started($path));
}

sub ends_ok {
    my ($pid, $why) = @_;
    ok eval { $nginx->wait_for("the end of $pid", sub { is_gone($pid) }) }, $why;
    return;
}

subtest 'a client that leaves' => sub {
    for my $call (qw(sleep wait write stdout_read_all stderr_read_line)) {
        my ($socket, $pid) = begin("/leave/$call");
        ok !is_gone($pid), "$call: it runs";
        $socket->close;
        ends_ok($pid, 'and is killed with the request');
    }
};

subtest 'the end of a request' => sub {
    for my $path (qw(/ends /raises /exits /log)) {
        $nginx->request($path);
        $nginx->wait_for('the process', sub { started($path) });
        ends_ok(started($path), "$path ends it");
    }
    is $nginx->get('/kept'), <<'END', 'whatever Lua still holds';
nilexited
nilexitednil
nilclosed
nilclosed
nilclosednil
nilclosednil
END
    my (undef, $pid) = my @redirected = begin('/redirects');
    ends_ok($pid, 'an internal redirect ends it too');
};

subtest 'garbage' => sub {
    my (undef, $pid) = my @held = begin('/collected');
    ends_ok($pid, 'one that was collected is killed');
};

subtest 'nothing is left' => sub {
    $nginx->get('/many?count=3');
    $nginx->wait_for('the end of all', sub { !%{ children($worker) } });
    my $before = descriptors();
    is $nginx->get('/many?count=200'), "done\n", 'two hundred in sequence';
    ok eval { $nginx->wait_for('the end of all', sub { !%{ children($worker) } }) }, 'no child and no zombie';
    ok eval { $nginx->wait_for('descriptors', sub { descriptors() <= $before }) }, 'no descriptor';
    my $pid = $nginx->get('/forks') =~ /(\d+)/ && $1;
    ends_ok($pid, 'a child that nobody asks for is no zombie either');
};

unlike $nginx->error_log, qr/\[(?:alert|emerg|crit)\]/, 'nothing alarming in the log';

subtest 'the end of the worker' => sub {
    my ($socket, $pid) = begin('/leave/sleep');
    $nginx->signal('TERM');
    # Who reaps it then is not our business.
    ok eval { $nginx->wait_for("the end of $pid", sub { (eval { state_of($pid) } // 'Z') eq 'Z' }) }, 'kills them';
};

done_testing;
