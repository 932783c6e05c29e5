# Attacks on the sandbox: every script of t/sandbox/corpus, run in each way there is, in a real nginx.
#
# What a script must come to stands in the comments at its head; t/lib/HotLua/Corpus.pm explains them. The ways:
#   file    content_by_sandbox_file
#   api     hotlua.sandbox(profile):load(source, name):run() in content_by_lua_file (corpus/host.lua)
#   thread  the same within a coroutine of the host
#   inside  the same, with the script in a coroutine of the sandbox that is resumed until it is dead
# After each run and each way this asserts:
#   - it ended as expected, within the client's patience, and a verdict came with nothing of the script's output or
#     header, and with one line in the error log that names profile, file and kind
#   - what was said, told or logged has no line breaks or control characters where they do not belong, no header that a
#     script has smuggled in, no more body than the length that was announced, and no address of the worker's memory
#   - a request on another connection, sent meanwhile, was answered: by Lua of the host and by a neighbour's script
#   - the next run of the profile finds everything as it should be (corpus/canary.lua)
#   - the host's Lua is unchanged (host.lua), the worker is the same process, and its memory is bounded
# Then all scripts are sent again to two workers, eight at a time: the verdicts are the same.
#
# CORPUS=REGEX runs only the scripts whose names match; CORPUS_TIMES=1 tells how each ended and how long it took.
use strict;
use warnings;

use FindBin ();
use IO::Socket::INET;
use MIME::Base64 qw(decode_base64);
use Test::More;
use Time::HiRes qw(time);

use HotLua::Corpus;
use HotLua::Nginx;

my $CORPUS = "$FindBin::Bin/corpus";
my $PATIENCE = 10;      # seconds that an answer may take: a guard against hangs
my $GROWTH = 64;        # MiB of resident memory that the worker may have gained
my $PEAK = 128;         # MiB that it may have had at once on top of what it had
my $AT_ONCE = 8;        # attacks under way in two workers
my $LOG_LINE = 4096;    # bytes that a line of the log may have
my $VERDICT = qr/sandboxed script ended by (\w+)/;    # the kind in a verdict's line

# All that can be allowed. A variable that is not: $secret.
my $ALLOW = join ' ', qw(
    _G _VERSION assert error getmetatable ipairs next pairs pcall rawequal rawget rawset select setmetatable tonumber
    tostring type unpack xpcall bit coroutine math os string table
    ngx.say ngx.print ngx.status ngx.header ngx.exit ngx.time ngx.now ngx.escape_uri ngx.unescape_uri
    ngx.encode_base64 ngx.decode_base64 ngx.md5 ngx.req.get_method ngx.req.get_uri_args ngx.req.get_headers
    ngx.var.arg_*);
my %PROFILE = (
    attack    => "allow $ALLOW; instructions 2m; time 1s; memory 4m; output 64k;",
    # Only the clock ends these.
    patient   => "allow $ALLOW; instructions 2000m; time 100ms; memory 4m; output 64k;",
    roomy     => "allow $ALLOW; instructions 20m; time 1s; memory 32m; output 8m;",
    narrow    => 'allow tostring ngx.say; instructions 2m; time 1s; memory 4m; output 64k;',
    neighbour => 'allow string table tostring ngx.print ngx.var.arg_n; instructions 1m; time 1s; memory 4m; output 64k;',
);
my $HONEST = 'BROWN DOG FOX JUMPS LAZY OVER QUICK THE THE';
my @FILES = qw(canary innocent);

my $scripts = HotLua::Corpus::load($CORPUS);
my $only = $ENV{CORPUS} // '.';
my @scripts = grep { $_->{name} =~ /$only/ } @$scripts;
ok @scripts, scalar(@scripts) . ' scripts' or done_testing, exit;

one_worker();
two_workers();
done_testing;

# Every script in every way, one after the other.
sub one_worker {
    my $nginx = start(1);
    my $here = { nginx => $nginx, pid => 0 + ($nginx->worker_pids)[0], logged => length $nginx->error_log, count => 0 };
    subtest 'what must be refused by the Lua API' => sub { refusals($nginx) };
    # What is there before the first attack is made by some harmless ones.
    for (1 .. 20) { canary($here, $_) for qw(attack patient roomy) }
    my ($resident, $peak) = memory_of($here->{pid});
    my %class;
    push @{ $class{ $_->{class} } }, $_ for @scripts;
    for my $class (sort keys %class) {
        subtest $class => sub {
            for my $script (@{ $class{$class} }) {
                for my $way (@{ $script->{ways} }) {
                    my $began = time;
                    is join('; ', attack($here, $script, $way)), '', "$script->{name} ($way)";
                    diag sprintf '%-40s %-7s %-6s %4d ms', $script->{name}, $way, $here->{ended}, 1000 * (time - $began)
                        if $ENV{CORPUS_TIMES};
                }
            }
            is join(' ', $nginx->worker_pids), $here->{pid}, 'the worker is the same';
            my ($now, $highest) = memory_of($here->{pid});
            cmp_ok $now - $resident, '<=', $GROWTH * 1024, "resident memory is bounded (KiB more than before)";
            cmp_ok $highest - $peak, '<=', $PEAK * 1024, "and its peak";
            note sprintf 'resident %d KiB, %+d; peak %+d', $now, $now - $resident, $highest - $peak;
        };
    }
    $nginx->stop;
    is_deeply [grep { /^\S+ \S+ \[(?:alert|emerg|crit)\]/ } split /\n/, $nginx->error_log], [], 'nothing alarming in the log';
    return;
}

# Many at once: what ends a run is what the script itself does, whoever else runs.
sub two_workers {
    my $nginx = start(2);
    my @before = sort $nginx->worker_pids;
    # Of different classes, as far as their order allows.
    my @order = sort { $a->[0] <=> $b->[0] } map { [($_ * 7919) % @scripts, $scripts[$_]] } 0 .. $#scripts;
    my @runs;
    for my $script (map { $_->[1] } @order) {
        push @runs, map { [$script, $_] } grep { $_ eq 'file' || $_ eq 'api' } @{ $script->{ways} };
    }
    subtest 'two workers, several at a time' => sub {
        while (my @batch = splice @runs, 0, $AT_ONCE) {
            my @sent = map { send_to($nginx, path_of(@$_)) } @batch;
            my @honest = map { send_to($nginx, "/file/neighbour/innocent?n=$_") } 1 .. 2;
            my @problems;
            for my $at (0 .. $#batch) {
                my ($script, $way) = @{ $batch[$at] };
                my $answer = answer_of($sent[$at]);
                push @problems, map { "$script->{name} ($way): $_" } judge($script, $way, $answer);
            }
            for my $number (1 .. 2) {
                my $answer = answer_of($honest[$number - 1]);
                push @problems, "the neighbour got " . shown($answer) if ($answer->{body} // '') ne "$HONEST $number";
            }
            my $canary = answer_of(send_to($nginx, '/file/attack/canary?a=1'));
            push @problems, 'the canary says: ' . shown($canary) if ($canary->{body} // '') ne 'fine';
            is join("\n", @problems), '', join ' ', map { "$_->[0]{name} ($_->[1])" } @batch;
        }
    };
    is join(' ', sort $nginx->worker_pids), "@before", 'both workers are the same';
    $nginx->stop;
    is_deeply [grep { /^\S+ \S+ \[(?:alert|emerg|crit)\]/ } split /\n/, $nginx->error_log], [], 'nothing alarming in the log';
    return;
}

sub start {
    my ($workers) = @_;
    my %files = map { ("corpus/$_->{name}.lua" => $_->{text}) } @$scripts;
    $files{"corpus/$_.lua"} = slurp("$CORPUS/$_.lua") for @FILES;
    my $locations = join '', map {
        "location ~ ^/file/$_/([\\w/]+)\$ { content_by_sandbox_file $_ %ROOT%/corpus/\$1.lua; }\n"
    } sort keys %PROFILE;
    return HotLua::Nginx->new(
        workers => $workers,
        http => join('', map { "hotlua_sandbox $_ { $PROFILE{$_} }\n" } sort keys %PROFILE),
        server => <<"CONF",
        set \$secret LEAK;
        set \$corpus %ROOT%/corpus;
        $locations
        location = /host { content_by_lua_file %ROOT%/host.lua; }
        location = /innocent { content_by_lua_block { ngx.print("innocent ", ngx.var.arg_n) } }
        location = /refused {
            content_by_lua_block {
                local hotlua = require "hotlua"
                local function try(source, name)
                    local ok, script, err = pcall(function() return hotlua.sandbox("attack"):load(source, name) end)
                    ngx.print(ok and script and "taken" or "refused", " ", type(ok and err or script), "\\n")
                end
                try(string.dump(function() return 1 end), "=bytecode")
                try(string.dump(loadstring("return 1"), true), "=stripped")
                try("\\27LJ", "=head")
                try("x = = 1", "=syntax")
                try("return 1", "=fine")
                local ok = pcall(function() return hotlua.sandbox("none") end)
                ngx.print(ok and "taken" or "refused", "\\n")
            }
        }
CONF
        files => { %files, 'host.lua' => slurp("$CORPUS/host.lua") },
    );
}

sub refusals {
    my ($nginx) = @_;
    is $nginx->get('/refused'), <<'TEXT', 'bytecode is no source, an unknown profile none';
refused string
refused string
refused string
refused string
taken table
refused
TEXT
    return;
}

# Runs a script and looks at everything afterwards: the problems, as sentences.
sub attack {
    my ($here, $script, $way) = @_;
    my $nginx = $here->{nginx};
    my $number = ++$here->{count};
    my $attack = send_to($nginx, path_of($script, $way));
    my $innocent = send_to($nginx, $number % 2 ? "/innocent?n=$number" : "/file/neighbour/innocent?n=$number");
    my $meanwhile = answer_of($innocent);
    my $answer = answer_of($attack);
    my @problems = judge($script, $way, $answer);
    my $expected = $number % 2 ? "innocent $number" : "$HONEST $number";
    push @problems, 'the innocent request got ' . shown($meanwhile) if ($meanwhile->{body} // '') ne $expected;
    push @problems, logged($here, $script, $way, $answer);
    $here->{ended} = $answer->{kind} // 'none';
    push @problems, addresses($here->{pid}, $answer, $answer->{log});
    push @problems, canary($here, $script->{profile});
    my $pid = answer_of(send_to($nginx, '/pid'))->{body} // 'none';
    push @problems, "the worker is $pid, not $here->{pid}" if $pid ne $here->{pid};
    return @problems;
}

# The canary of a profile: a problem where it sings.
sub canary {
    my ($here, $profile) = @_;
    # One that offers next to nothing has nothing to look at.
    return if $profile eq 'narrow';
    my $answer = answer_of(send_to($here->{nginx}, "/file/$profile/canary?a=1"));
    # What it logs is not the next attack's.
    my ($log) = news($here);
    return if ($answer->{status} // 0) == 200 && $answer->{body} eq 'fine' && $log eq '';
    return 'the next run says: ' . shown($answer) . " $log";
}

sub path_of {
    my ($script, $way) = @_;
    return "/file/$script->{profile}/$script->{name}?a=1" if $way eq 'file';
    return "/host?name=$script->{name}&profile=$script->{profile}&way=$way&args=" . ($script->{args} // '') . '&a=1';
}

# What is wrong with an answer; notes the kind in it.
sub judge {
    my ($script, $way, $answer) = @_;
    return ($script->{status} // '') eq 'none' && $answer->{failed} eq 'no answer: ' ? () : $answer->{failed}
        if defined $answer->{failed};
    my @problems = malformed($answer);
    my $expected = $way ne 'file' && defined $script->{'expect@api'} ? $script->{'expect@api'} : $script->{expect};
    my %expected = map { $_ => 1 } split /\|/, $expected;
    my ($kind, $message, $said);
    if ($way eq 'file') {
        # The kind of a verdict stands in the log; here is only whether it is one.
        $kind = is_error_page($answer) ? 'verdict' : 'ok';
        push @problems, "status $answer->{status}: " . shown($answer)
            if $kind eq 'ok' && $expected{ok} && $answer->{status} != ($script->{status} // 200) && keys %expected == 1;
        push @problems, "expected $expected, got $kind: " . shown($answer)
            if $kind eq 'verdict' ? keys %expected == 1 && $expected{ok} : !$expected{ok};
        $said = $answer->{body};
    } else {
        my $report;
        ($said, $report) = $answer->{body} =~ /\A(.*?)\n--host--\n(.*)\z/s or return (@problems, 'no report: ' . shown($answer));
        my ($returned, $changed);
        ($kind, $message, $returned, $changed) = split /\n/, $report;
        ($message, $returned, $changed) = map { decode_base64($_ // '') } $message, $returned, $changed;
        push @problems, "expected $expected, got $kind: " . substr $message, 0, 300 if !$expected{$kind};
        push @problems, "the host has changed: $changed" if $changed ne '';
        push @problems, 'a message of ' . length($message) . ' bytes' if length $message > $LOG_LINE;
        push @problems, "returned $returned, expected $script->{returns}"
            if $kind eq 'ok' && defined $script->{returns} && $returned ne $script->{returns};
        push @problems, "message: $message" if $kind eq 'error' && defined $script->{message} && $message !~ /$script->{message}/;
        push @problems, 'said in spite of the verdict: ' . substr $said, 0, 300 if $kind ne 'ok' && $said ne '';
        $answer->{message} = $message;
    }
    push @problems, 'said ' . substr($said, 0, 300) . ", expected $script->{says}"
        if $kind eq 'ok' && defined $script->{says} && $said ne "$script->{says}\n";
    $answer->{kind} = $kind;
    return @problems;
}

# What no answer may be, whatever was asked.
sub malformed {
    my ($answer) = @_;
    my @problems;
    push @problems, "a header was smuggled in: $1" if $answer->{head} =~ /^(X-Injected.*)/mi;
    push @problems, 'control characters in the header' if $answer->{head} =~ /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n/;
    push @problems, 'two lengths' if (() = $answer->{head} =~ /^(?:Content-Length|Transfer-Encoding):/gmi) > 1;
    push @problems, "more body than announced: $answer->{length} bytes and $answer->{received}"
        if defined $answer->{length} && $answer->{received} > $answer->{length};
    push @problems, 'a body where there is none' if $answer->{status} =~ /^(?:1|204|304)/ && $answer->{received};
    push @problems, "status $answer->{status}" if $answer->{status} < 200 || $answer->{status} > 599;
    return @problems;
}

# nginx's page for 500, with nothing of the script's in its header.
sub is_error_page {
    my ($answer) = @_;
    return $answer->{status} == 500 && $answer->{body} =~ m{^<html>\r\n<head><title>500 Internal Server Error}
        && $answer->{body} !~ /LEAK/
        && !grep { !/^(?:Server|Date|Content-Type|Content-Length|Connection)$/i } $answer->{head} =~ /^([^:\r\n]+):/gm;
}

# What was logged since the last time must be the verdict in one line, or nothing.
sub logged {
    my ($here, $script, $way, $answer) = @_;
    my ($log, @lines) = news($here);
    $answer->{log} = $log;
    my @problems;
    push @problems, 'control characters in the log' if $log =~ /[\x00-\x09\x0b-\x1f\x7f]/;
    push @problems, map { length > $LOG_LINE ? 'a line of ' . length($_) . ' bytes in the log' : () } @lines;
    if ($way ne 'file') {
        push @problems, "logged: $log" if @lines > 1;
        return @problems;
    }
    my $is_verdict = ($answer->{kind} // '') eq 'verdict';
    if (!$is_verdict) {
        push @problems, "logged: $log" if @lines;
        return @problems;
    }
    return (@problems, scalar(@lines) . " lines logged: $log") if @lines != 1;
    push @problems, "logged without profile and file: $log"
        if $log !~ /\b$script->{profile}\b/ || $log !~ /\Q$script->{name}\E\.lua/ || $log !~ /\[(?:error|warn)\]/;
    my ($kind) = $log =~ $VERDICT;
    $answer->{kind} = $kind;
    push @problems, "expected $script->{expect}, got " . ($kind // 'none') . ": $log"
        if !grep { ($kind // '') eq $_ } split /\|/, $script->{expect};
    push @problems, "message: $log" if ($kind // '') eq 'error' && defined $script->{message} && $log !~ /$script->{message}/;
    return @problems;
}

# The log's lines since the last time, without what nginx tells of connections.
sub news {
    my ($here) = @_;
    my $log = $here->{nginx}->error_log;
    my $new = substr $log, $here->{logged};
    $here->{logged} = length $log;
    my @lines = grep { !/^[\d\/]+ [\d:]+ \[(?:info|notice)\]/ } split /\n/, $new;
    return (join("\n", @lines), @lines);
}

# Numbers in what was told that are places in the worker's memory.
sub addresses {
    my ($pid, $answer, $log) = @_;
    my $text = join "\n", grep { defined } $answer->{head}, $answer->{body}, $answer->{message}, $log;
    no warnings 'portable';
    my @numbers = grep { $_ } map { hex } $text =~ /0x([0-9a-f]{6,16})(?![0-9a-f])/gi or return;
    my @places = map { /^([0-9a-f]+)-([0-9a-f]+)/ ? [hex $1, hex $2] : () } split /\n/, slurp("/proc/$pid/maps");
    return map {
        my $number = $_;
        (grep { $_->[0] <= $number && $number < $_->[1] } @places) ? sprintf('an address: 0x%x', $number) : ();
    } @numbers;
}

sub send_to {
    my ($nginx, $path) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $nginx->{port}) or die "connect: $@\n";
    syswrite $socket, "GET $path HTTP/1.1\r\nHost: test\r\nX-Secret: LEAK\r\nConnection: close\r\n\r\n";
    return $socket;
}

# An answer: {status, head, body, received => bytes of body, length => announced ones}, or {failed => why}.
sub answer_of {
    my ($socket) = @_;
    my $data = '';
    my $ended = eval {
        local $SIG{ALRM} = sub { die "no answer within $PATIENCE s\n" };
        alarm $PATIENCE;
        while (1) {
            my $count = sysread $socket, $data, 65536, length $data;
            last if !$count;
        }
        alarm 0;
        1;
    };
    alarm 0;
    close $socket;
    return { failed => $@ =~ s/\n//r . ' after ' . length($data) . ' bytes' } if !$ended;
    my ($head, $body) = split /\r\n\r\n/, $data, 2;
    my ($status) = ($head // '') =~ m{^HTTP/1\.1 (\d+)} or return { failed => 'no answer: ' . substr $data, 0, 200 };
    $head .= "\r\n";
    my %answer = (status => $status, head => $head, body => $body // '');
    ($answer{length}) = $head =~ /^Content-Length: (\d+)/mi;
    $answer{body} = unchunked($answer{body}) if $head =~ /^Transfer-Encoding: chunked/mi;
    $answer{received} = length $answer{body};
    return \%answer;
}

sub unchunked {
    my ($rest) = @_;
    my $body = '';
    while ($rest =~ s/\A([0-9a-f]+)\r\n//i) {
        my $length = hex $1 or last;
        $body .= substr $rest, 0, $length, '';
        $rest =~ s/\A\r\n//;
    }
    return $body;
}

sub shown {
    my ($answer) = @_;
    return $answer->{failed} if defined $answer->{failed};
    return "$answer->{status} " . substr($answer->{body}, 0, 300) =~ s/[\x00-\x1f\x7f]+/ /gr;
}

# Resident memory and its peak, KiB.
sub memory_of {
    my ($pid) = @_;
    my $text = slurp("/proc/$pid/status");
    return map { $text =~ /^$_:\s+(\d+)/m ? $1 : die "no $_ of $pid\n" } qw(VmRSS VmHWM);
}

sub slurp {
    my ($path) = @_;
    open my $file, '<', $path or die "$path: $!\n";
    local $/;
    return scalar <$file> // '';
}
