# Timers and generations: what a tick runs on, what ends with a module, and what a candidate's timers wait for.
# HOTLUA_TIMER_PUBLISHES (default 200) is how often the module with a timer is republished.
use strict;
use warnings;
use lib 't/lib';

use Test::More;

use HotLua::Nginx;

# A timer that modules start has ticked as often as this where it is said to tick: another one would have, too.
my $ticks = 5;
my $publishes = $ENV{HOTLUA_TIMER_PUBLISHES} || 200;

# What the ticks of a worker have told, by name, since it was cleared.
my $told = 'local told = require("hotlua").state("told", function() return {} end)';
my $tell = "$told\nlocal function tell(name) told[name] = (told[name] or 0) + 1 end";

sub follower { return "$tell\nreturn { version = $_[0], tick = function() tell('follower $_[0]') end }" }
sub owner { return "$tell\nngx.timer.every(0.01, function() tell('owner $_[0]') end)\nreturn { version = $_[0] }" }

my $nginx = HotLua::Nginx->new(
    http => <<'CONF',
        lua_package_path "%ROOT%/lua/?.lua;;"; hotlua_root %ROOT%/lua;
        init_worker_by_lua_block {
            require "owner"
            ngx.timer.every(0.01, function() require("follower").tick() end)
        }
CONF
    server => <<"CONF",
        location = /clear {
            content_by_lua_block { ngx.say(ngx.var.pid) $told for name in pairs(told) do told[name] = nil end }
        }
        # The names that were told, once each that still ticks must be among them.
        location = /told {
            content_by_lua_block {
                $told
                local names, most = {}, 0
                for name, count in pairs(told) do
                    names[#names + 1] = name
                    most = math.max(most, count)
                end
                table.sort(names)
                ngx.say(ngx.var.pid)
                if most >= $ticks then ngx.print(table.concat(names, ", ")) end
            }
        }
        location = /counts {
            content_by_lua_block {
                collectgarbage() collectgarbage()
                ngx.say(ngx.var.pid)
                ngx.print(ngx.timer.pending_count(), " ", ngx.timer.running_count(), " ", collectgarbage("count"))
            }
        }
        # A timer that runs until /go, looks at a module that nobody has loaded, and leaves the same to a timer of its own.
        location = /hold {
            content_by_lua_block {
                local state = require("hotlua").state
                local before = require("follower").version
                ngx.timer.at(0, function()
                    repeat ngx.sleep(0.005) until state("go")
                    local late = require("late").version
                    ngx.timer.at(0, function()
                        local now = require("hotlua").generation()
                        state("held", function()
                            return before .. " " .. late .. " " .. require("later").version .. " " .. now
                        end)
                    end)
                end)
                ngx.print(require("hotlua").generation())
            }
        }
        location = /go { content_by_lua_block { ngx.say(ngx.var.pid) require("hotlua").state("go", function() return 1 end) } }
        location = /held {
            content_by_lua_block { ngx.say(ngx.var.pid) ngx.print(require("hotlua").state("held") or "") }
        }
        location = /forget {
            content_by_lua_block {
                ngx.timer.at(10000, function(premature) print("old: ", premature, " ", require("later").version) end)
            }
        }
CONF
    files => {
        'lua/follower.lua' => follower(1),
        'lua/owner.lua' => owner(1),
        'lua/late.lua' => 'return { version = 1 }',
        'lua/later.lua' => 'return { version = 1 }',
    },
);

# What ticks from now on, as both workers say.
sub ticking {
    $nginx->ask_all('/clear');
    return ticked();
}

# What has ticked since both workers were cleared, once something has often enough.
sub ticked {
    my %names;
    $nginx->wait_for('ticks', sub {
        my @answers = values %{ $nginx->ask_all('/told') };
        %names = map { $_ => 1 } @answers;
        return !grep { $_ eq '' } @answers;
    });
    return join '|', sort keys %names;
}

# Writes files and publishes.
sub change {
    my (%files) = @_;
    $nginx->write("lua/$_.lua", $files{$_}) for keys %files;
    my ($status, $reply) = $nginx->publish;
    return $status == 200 ? $reply->{generation} : "$status " . ($reply->{error} // '');
}

# Pending and running timers, as both workers say, and the greatest heap.
sub counts {
    my %seen;
    my $heap = 0;
    for my $answer (values %{ $nginx->ask_all('/counts') }) {
        my ($pending, $running, $kilobytes) = split ' ', $answer;
        $seen{"$pending $running"} = 1;
        $heap = $kilobytes if $kilobytes > $heap;
    }
    return (join('|', sort keys %seen), $heap);
}

# The generations that timers hold, in any worker.
sub held { return map { keys %{ $_->{timers} } } @{ $nginx->status->{workers} } }

subtest 'a timer that repeats runs what is active' => sub {
    is ticking(), 'follower 1, owner 1', 'both tick in both workers';
    like change(follower => follower(2)), qr/^\d+$/, 'published';
    is ticking(), 'follower 2, owner 1', 'the next tick runs the new code; the other module keeps its timer';
    is_deeply [held()], [], 'no generation is held between ticks';
};

subtest 'a timer that a module starts belongs to that loading of the module' => sub {
    like change(owner => owner(2)), qr/^\d+$/, 'published';
    is ticking(), 'follower 2, owner 2', 'the new instance ticks in place of the old one';
    is +(counts())[0], '2 0', 'two timers, as before';
};

subtest 'a rollback takes the timer of the version that it restores' => sub {
    is +($nginx->rollback)[0], 200, 'rolled back';
    is ticking(), 'follower 2, owner 1', 'the old version ticks again, alone';
    is +(counts())[0], '2 0', 'two timers, as before';
};

subtest 'a rejected candidate leaves no timers' => sub {
    my $bad = "$tell\nngx.timer.at(0, function() tell('bad') end) ngx.timer.every(0.01, function() tell('bad') end)\n";
    for my $what ([owner => "$bad error('no')"], [owner => $bad, follower => 'error("no")']) {
        $nginx->ask_all('/clear');
        like change(@$what), qr/^409 .*no/, 'rejected after it had started timers';
        is ticked(), 'follower 2, owner 1', 'they never run, and what was there goes on';
    }
    is +(counts())[0], '2 0', 'two timers, as before';
};

subtest 'timers of a candidate begin when it is activated' => sub {
    my $marks = "$tell\nngx.timer.at(0, function() for _ = 1, $ticks do tell('at ' .. require('hotlua').generation()) end end)\n";
    my $generation = change(owner => $marks . 'return {}', follower => follower(3));
    like $generation, qr/^\d+$/, 'published';
    $nginx->wait_for('the timers', sub { $nginx->answers('/told') =~ /^at $generation, [^|]*$/ });
    pass 'it ran on the new generation in both workers';
    is ticking(), 'follower 3', 'the timer of the version before has ended';
    is +(counts())[0], '1 0', 'one is left';
};

subtest 'a timer that fires once keeps the version that has made it' => sub {
    my $generation = $nginx->get('/hold');
    like change(follower => follower(4), late => 'return { version = 2 }', later => 'return { version = 2 }'), qr/^\d+$/,
        'published while it runs';
    is_deeply [$nginx->wait_for('the worker to tell', sub { held() })], [1], 'one worker holds one generation';
    is_deeply [held()], [$generation], 'and it is the one that the timer was made in';
    is ticking(), 'follower 4', 'new code runs meanwhile';
    $nginx->ask_all('/go');
    my $held = $nginx->wait_for('the timer to end', sub { my ($all) = grep { $_ } values %{ $nginx->ask_all('/held') }; $all });
    is $held, "3 1 1 $generation", 'it saw its own version to its end, and so did a timer that it made';
    $nginx->wait_for('the generation to go', sub { !held() });
    pass 'then the generation is let go';
};

subtest 'a module that goes takes its timer with it' => sub {
    change(owner => owner(5));
    is ticking(), 'follower 4, owner 5', 'it ticks';
    unlink "$nginx->{root}/lua/owner.lua" or die;
    is +($nginx->publish)[0], 200, 'published without it';
    is ticking(), 'follower 4', 'it ticks no more';
};

subtest "$publishes publishes of a module with a timer" => sub {
    change(owner => owner(6), follower => "require 'owner'\n" . follower(6));
    ticking();
    my ($before, $heap) = (counts());
    my @wrong;
    for my $number (1 .. $publishes) {
        my $generation = change(owner => owner("n$number"));
        push @wrong, "$number: $generation" if $generation !~ /^\d+$/;
        push @wrong, "$number: " . (counts())[0] if $number % 50 == 0 && (counts())[0] ne $before;
    }
    is_deeply \@wrong, [], 'each was accepted, and there were never more timers';
    is ticking(), "follower 6, owner n$publishes", 'the last version ticks, alone';
    my ($after, $heap_after) = (counts());
    is $after, $before, "as many timers as before ($before)";
    cmp_ok $heap_after, '<', $heap * 1.2, 'the Lua heap has not grown';
    is_deeply [held()], [], 'no generation is held';
};

subtest 'a reload ends the timers of the workers before' => sub {
    my ($generation) = ($nginx->status->{generation});
    $nginx->get('/forget');
    like change(later => 'return { version = 3 }'), qr/^\d+$/, 'published while it pends';
    is_deeply [$nginx->wait_for('the worker to tell', sub { held() }) && held()], [$generation], 'a timer that pends holds its generation';
    $nginx->reload;
    $nginx->wait_for('the timer', sub { $nginx->error_log =~ /old: true 2, context: ngx\.timer/ });
    pass 'it was told on its own version that it is premature';
    is ticking(), "follower 6, owner n$publishes", 'the new workers tick';
};

subtest 'the end of a worker ends its timers' => sub {
    $nginx->get('/forget');
    my $log = "$nginx->{root}/logs/error.log";
    open my $file, '<', $log or die "$log: $!";
    seek $file, 0, 2;
    $nginx->stop;
    my $rest = do { local $/; <$file> };
    like $rest, qr/old: true 3, context: ngx\.timer/, 'one that pends is told so at once';
    unlike $rest, qr/\[(?:alert|emerg|crit)\]/, 'nothing alarming';
};

done_testing;
