# Every sample of nginx-conf/, and the README's nginx.conf, starts and answers as it says. Only the port is replaced.
use strict;
use warnings;

use File::Basename qw(basename);
use File::Temp qw(tempdir);
use FindBin;
use HTTP::Tiny;
use Test::More;

my $root;
BEGIN {
    $root = tempdir(CLEANUP => 1);
    chmod 0755, $root;    # workers are another user than a root that tests
    $ENV{TEST_NGINX_SERVROOT} = $root;
    eval { require Test::Nginx::Server; require Test::Nginx::Settings; 1 }
        or plan skip_all => 'uses the server of our own harness';
}

my $REPO = "$FindBin::Bin/../..";
my ($MODULE) = grep {m{/libngx_http_hotlua_module\.so$}} split ' ', $ENV{TEST_NGINX_LOAD_MODULES} // '';
my $MAX_TRIES = 300;    # a worker that gets no connection of so many is broken
plan skip_all => 'TEST_NGINX_LOAD_MODULES does not name our module' if !$MODULE;

# A sample and what it must do.
my %SAMPLES = (
    'hello.conf' => sub {
        is get('/'),          "Hello, world\n", 'it greets';
        is get('/?name=you'), "Hello, you\n",   'it reads an argument';
    },
    'dynamic.conf' => sub {
        like get('/lua/hello?name=you'), qr/^Hello, you, from worker \d+$/, 'the address names the file';
        is status('/lua/absent'),    404, 'a file that does not exist';
        is status('/lua/app/greeting'), 404, 'a name that the location does not admit';
        invalidation_reaches_workers(2);
    },
);

my %texts = map { basename($_) => slurp($_) } glob "$REPO/nginx-conf/*.conf";
is_deeply [ sort grep { $texts{$_} =~ /load_module/ } keys %texts ], [ sort keys %SAMPLES ], 'every sample has a test';

my $port = Test::Nginx::Settings::port_of('samples');
my $http = HTTP::Tiny->new(timeout => 10, keep_alive => 0);
my $server;

run_sample($_, $texts{$_}, $SAMPLES{$_}) for sort keys %SAMPLES;
run_sample('README.md', readme_conf(), sub { invalidation_reaches_workers(1) });
done_testing();

sub run_sample {
    my ($name, $text, $check) = @_;
    subtest $name => sub {
        lay_out($text);
        $server = Test::Nginx::Server->new;
        my ($code, $output) = $server->start;
        if (is($code, 0, 'it starts')) { $check->() }
        else { diag($output, log_text()) }
        is $server->stop, undef, 'it stops in order';
        my @alarms = grep { /\[(?:warn|error|crit|alert|emerg)\]/ && !m{absent|html/lua} } split /^/, log_text();
        is "@alarms", '', 'the error log holds no alarm but those of the 404s';
    };
}

# nginx's prefix with the sample in it, as a package would lay it out.
sub lay_out {
    my ($text) = @_;
    system('rm', '-rf', map {"$root/$_"} qw(conf logs lua modules)) == 0 or die 'cannot clear the root';
    mkdir "$root/$_" or die "cannot make $root/$_: $!" for qw(conf logs modules);
    system('cp', '-r', "$REPO/nginx-conf/lua", $root) == 0 or die 'cannot copy the Lua files';
    system('chmod', '-R', 'a+rX', $root) == 0 or die 'chmod failed';
    symlink $MODULE, "$root/modules/ngx_http_hotlua_module.so" or die "cannot link the module: $!";
    $text =~ s/127\.0\.0\.1:8080/127.0.0.1:$port/g or die 'the sample does not listen on 127.0.0.1:8080';
    spew("$root/conf/nginx.conf", $text);
    spew("$root/conf/unprivileged.conf", $texts{'unprivileged.conf'});
}

# It is written for Debian's paths and for root: here it runs under a prefix of its own.
sub readme_conf {
    my ($text) = slurp("$REPO/README.md") =~ /^```nginx\n(.*?)^```$/ms or die 'no nginx.conf in README.md';
    $text =~ s{/srv/lua}{$root/lua}g;
    $text =~ s/^(http \{)$/$1 include unprivileged.conf;/m or die 'no http block in the README';
    return "pid logs/nginx.pid; error_log logs/error.log;\n$text";
}

sub invalidation_reaches_workers {
    my ($workers) = @_;
    is words_of($workers), 'Hello', 'every worker serves the code that was there';
    my $file = "$root/lua/app/greeting.lua";
    (my $text = slurp($file)) =~ s/Hello/Welcome/ or die 'the greeting is another one';
    spew($file, $text);
    is words_of($workers), 'Hello', 'an edit alone changes nothing';
    my $answer = $http->post(url('/hotlua/invalidate?module=app.greeting'));
    is $answer->{status}, 200, 'the module is invalidated' or diag($answer->{content});
    is words_of($workers), 'Welcome', 'every worker serves the new code';
}

# What answers begin with, once each worker has given at least one.
sub words_of {
    my ($workers) = @_;
    my (%pids, %words);
    for (1 .. $MAX_TRIES) {
        my ($word, $pid) = get('/lua/hello') =~ /^(\w+), world, from worker (\d+)$/ or next;
        $pids{$pid} = $words{$word} = 1;
        last if keys %pids == $workers;
    }
    is keys %pids, $workers, 'every worker has answered';
    return join ' ', sort keys %words;
}

sub url    { "http://127.0.0.1:$port$_[0]" }
sub get    { $http->get(url($_[0]))->{content} }
sub status { $http->get(url($_[0]))->{status} }

sub log_text { -e "$root/logs/error.log" ? slurp("$root/logs/error.log") : '' }

sub slurp {
    my ($path) = @_;
    open my $file, '<', $path or die "cannot read $path: $!";
    local $/;
    return scalar <$file>;
}

sub spew {
    my ($path, $text) = @_;
    open my $file, '>', $path or die "cannot write $path: $!";
    print {$file} $text;
    close $file or die "cannot write $path: $!";
}

$SIG{$_} = sub { exit 130 } for qw(INT TERM HUP);
END { my $status = $?; $server->stop if $server; $? = $status }
