# Runs the blocks of a .t file in the format of openresty/test-nginx: each gets
# a fresh nginx, its requests are sent, its expectations checked.
#
# Settings: what the .t file chose.    Request: sections to bytes.
# Conf:     block to server root.      Client, Response: bytes to responses.
# Server:   the nginx process.         Check, Log: the assertions.
# Peer:     a server that nginx is to talk to.
package Test::Nginx::Socket;

use strict;
use warnings;

use Test::Base -base;

use File::Path qw(remove_tree);
use HTTP::Response;
use List::Util qw(shuffle);
use Test::More ();
use Time::HiRes qw(sleep);

use Test::Nginx::Check qw(check_response is_str add_response_body_check);
use Test::Nginx::Client qw(exchange);
use Test::Nginx::Conf qw(expand write_root write_user_files);
use Test::Nginx::Log qw(patterns);
use Test::Nginx::Peer;
use Test::Nginx::Request qw(connections);
use Test::Nginx::Response qw(take_response);
use Test::Nginx::Server;
use Test::Nginx::Settings qw(repeat_each workers worker_connections timeout log_level
    no_shuffle no_root_location no_long_string check_accum_error_log flag
    master_on master_off master_process_enabled env_to_nginx use_hup
    server_root html_dir server_port client_port nginx_binary seconds);

our @EXPORT = qw(run_tests repeat_each workers worker_connections timeout log_level
    no_shuffle no_root_location no_long_string check_accum_error_log
    master_on master_off master_process_enabled env_to_nginx use_hup
    server_root html_dir server_port client_port
    is_str bail_out add_block_preprocessor add_response_body_check
    add_cleanup_handler add_test_cleanup_handler);

$ENV{TEST_NGINX_SERVER_ROOT} ||= server_root();

# Known where the upstream suite looks for it: 1.022001 for nginx/1.22.1.
my ($nginx_version, $openssl_version) = _versions();
$Test::Nginx::Util::NginxVersion = $Test::Nginx::Util::NginxVersion = $nginx_version;

my (@preprocessors, @cleanups, @test_cleanups);
my $server;    # the one that runs, if any
my $owner = $$;

sub add_block_preprocessor   { unshift @preprocessors, @_ }
sub add_cleanup_handler      { push @cleanups,         @_ }
sub add_test_cleanup_handler { push @test_cleanups,    @_ }

sub bail_out {
    my ($why) = @_;
    $server->stop if $server;
    Test::More::BAIL_OUT($why);
}

sub run_tests {
    my @blocks = blocks();
    my $config;
    # A block without a config has that of the one before it in the file.
    my @runs = map {
        my $block = $_;
        $_->($block) for @preprocessors;
        $config = $block->config // $config;
        [ $block, $config ];
    } @blocks;
    @runs = shuffle @runs if !flag('no_shuffle');
    for my $run (@runs) {
        my ($block, $block_config) = @$run;
        my $name = "$0 " . $block->name;
        $name =~ s/\s+$//;
        eval { _run_block($block, $name, $block_config); 1 }
            or Test::More::fail("$name - $@");
        _stop_server($name) if $server;
        $_->($block) for @test_cleanups;
    }
}

sub _run_block {
    my ($block, $name, $config) = @_;
    if (my ($count, $why) = _skip_reason($block)) {
        SKIP: { Test::More::skip("$name - $why", $count * repeat_each()) }
        return;
    }
    Test::Nginx::Server->new->stop_leftover;
    write_root($block, $config // die "no --- config\n");
    _run_code($block, $block->init);
    _run_code($block, $block->post_setup_server_root);
    my $error_log = Test::Nginx::Log->new(server_root() . '/logs/error.log',
        accumulate => flag('check_accum_error_log'));

    return _check_death($block, $name, $error_log) if defined $block->must_die;
    $server = Test::Nginx::Server->new;
    my ($code, $output) = $server->start;
    if ($code != 0) {
        Test::More::fail("$name - nginx starts");
        Test::More::diag("nginx ended with $code:\n$output");
        return;
    }
    my $access_log = Test::Nginx::Log->new(server_root() . '/logs/access.log',
        accumulate => flag('check_accum_error_log'));
    for my $repeat (0 .. repeat_each() - 1) {
        write_user_files($block) if $repeat;
        my @peers = Test::Nginx::Peer->start_all($block);
        my $ran = eval { _run_requests($block, $name, $repeat, $error_log, $access_log); 1 };
        my $error = $@;
        for my $peer (@peers) {
            my $query = $peer->stop;
            is_str($query, $peer->expected_query, "$name - $peer->{type} query")
                if defined $peer->expected_query;
        }
        die $error if !$ran;
    }
    _stop_server($name, defined $block->shutdown_error_log);
    _check_worker_exits($name, $error_log->alarms);
    $error_log->has("$name - at shutdown", patterns($block->shutdown_error_log));
    $error_log->has_not("$name - at shutdown", patterns($block->no_shutdown_error_log));
}

# nginx must have refused the configuration, with the exit code if one is given.
sub _check_death {
    my ($block, $name, $error_log) = @_;
    my ($expected) = $block->must_die =~ /(\d+)/;
    for my $repeat (0 .. repeat_each() - 1) {
        $server = Test::Nginx::Server->new;
        my ($code, $output) = $server->start;
        my $died = defined $expected ? $code == $expected : $code != 0;
        Test::More::ok($died, "$name - nginx refuses to start") or Test::More::diag(
            $code == 0 ? 'but it started' : "but it ended with $code, not $expected:\n$output");
        $server->stop;
        _check_error_log($block, $name, $repeat, $error_log);
    }
}

sub _run_requests {
    my ($block, $name, $repeat, $error_log, $access_log) = @_;
    my @connections = connections($block);
    my $many = @connections > 1 || @{ $connections[0]{methods} } > 1;
    my $request = 0;
    for my $connection (@connections) {
        my @responses = _talk($block, $name, $connection);
        for my $response (@responses) {
            check_response($response, { block => $block, name => $name,
                request => $request, repeat => $repeat, many => $many })
                if !defined $block->ignore_response;
            _skip_stap($block, $name);
            $request++;
            sleep seconds($block->wait) if $block->wait;
            _check_error_log($block, $name, $repeat, $error_log);
            _check_access_log($block, $name, $access_log) if !defined $block->ignore_response;
        }
    }
}

# SystemTap is not run here; its checks count as skipped, for plans to hold.
sub _skip_stap {
    my ($block, $name) = @_;
    my @checks = grep { defined $block->$_ }
        qw(stap_out stap_out2 stap_out3 stap_out_like stap_out_unlike);
    SKIP: { Test::More::skip("$name - no SystemTap", scalar @checks) if @checks }
}

# One connection's exchange: a response for each of its requests.
sub _talk {
    my ($block, $name, $connection) = @_;
    my @methods = @{ $connection->{methods} };
    my $http09  = defined $block->http09;
    my $complete = sub {
        my $bytes = ${ $_[0] };
        return 0 if $http09;
        take_response(\$bytes, $_, 0) || return 0 for @methods;
        return 1;
    };
    my $shutdown = $block->shutdown;
    $shutdown = $shutdown =~ /(\d)/ ? $1 : 1 if defined $shutdown;
    my $address = $block->server_addr_for_client;
    chomp $address if defined $address;
    my ($bytes, $ended) = exchange($connection, timeout => seconds($block->timeout || timeout()),
        shutdown => $shutdown, address => $address, complete => $complete);
    Test::More::fail("$name - the client timed out")
        if $ended eq 'timeout' && !defined $block->abort;
    return { code => 200, raw_headers => '', message => HTTP::Response->new(200), body => $bytes }
        if $http09;

    my @responses = map { take_response(\$bytes, $_, 1) } @methods;
    Test::More::diag("$name - ", length $bytes, ' bytes after the last response: ', substr $bytes, 0, 200)
        if length $bytes && !defined $block->ignore_response;
    return @responses;
}

sub _check_error_log {
    my ($block, $name, $repeat, $log) = @_;
    my @wanted = patterns($block->error_log);
    if (defined(my $pattern = $block->grep_error_log)) {
        my $expected = $block->grep_error_log_out
            // die "--- grep_error_log without --- grep_error_log_out\n";
        $expected = $expected->[$repeat] if ref $expected eq 'ARRAY';
        $expected = expand($expected // '');
        is_str($log->extract($pattern, $expected), $expected, "$name - grep_error_log_out (req $repeat)");
    }
    $log->has($name, @wanted);
    $log->has_not($name, patterns($block->no_error_log));
    my @alarms = defined $block->must_die ? () : $log->alarms(@wanted);
    Test::More::diag("$name - ", @alarms) if @alarms;
    _check_worker_exits($name, @alarms);
    $log->advance;
}

sub _check_worker_exits {
    my ($name, @alarms) = @_;
    my @crashes = grep {/ exited on signal /} @alarms or return;
    Test::More::fail("$name - a worker crashed");
    Test::More::diag(@crashes);
}

sub _check_access_log {
    my ($block, $name, $log) = @_;
    $log->has($name, patterns($block->access_log));
    $log->has_not($name, patterns($block->no_access_log));
    $log->advance;
}

# A crash fails the block, whatever its expectations say.
sub _stop_server {
    my ($name, $patiently) = @_;
    my $trouble = $server->stop($patiently);
    undef $server;
    return if !defined $trouble;
    $trouble =~ /crashed/ ? Test::More::fail("$name - $trouble") : Test::More::diag("$name - $trouble");
}

sub _run_code {
    my ($block, $code) = @_;
    return if !defined $code;
    eval "package main; no strict; no warnings; $code; 1" or die "perl code of the block: $@";
}

# How many tests of the block to skip and why; nothing where it is to run.
sub _skip_reason {
    my ($block) = @_;
    for my $rule ([ skip_nginx => nginx => $nginx_version ], [ skip_nginx2 => nginx => $nginx_version ],
        [ skip_openssl => OpenSSL => $openssl_version ])
    {
        my ($section, $what, $have) = @$rule;
        my $text = $block->$section // next;
        my ($count, $condition) = $text =~ /^\s*(\d+)\s*:\s*(.*?)\s*$/s
            or die qq(bad --- $section: want "N: < 1.2.3"\n);
        my ($first, $join, $second) = split /\s+(and|or)\s+/, $condition;
        my $holds = _version_is($have, $first);
        $holds = $join eq 'and' ? $holds && _version_is($have, $second) : $holds || _version_is($have, $second)
            if $join;
        return ($count, "$what version $condition") if $holds;
    }
    if (defined(my $text = $block->skip_eval)) {
        my ($count, $code) = $text =~ /^\s*(\d+)\s*:\s*(.*)$/s or die qq(bad --- skip_eval: want "N: code"\n);
        my $skip = eval "package main; no strict; $code";
        die "--- skip_eval: $@" if $@;
        return ($count, 'skip_eval') if $skip;
    }
    return ();
}

sub _version_is {
    my ($have, $condition) = @_;
    my ($operator, $version) = $condition =~ /^\s*([<>]=?)\s*([\d.]+)[a-z]?\s*$/
        or die qq(bad version condition "$condition"\n);
    my $want = _number($version);
    return $operator eq '<' ? $have < $want : $operator eq '<=' ? $have <= $want
         : $operator eq '>' ? $have > $want :                     $have >= $want;
}

sub _number {
    my ($major, $minor, $patch) = split /\./, $_[0];
    return sprintf('%d.%03d%03d', $major, $minor // 0, $patch // 0);
}

sub _versions {
    my $binary = nginx_binary();
    my $text   = `$binary -V 2>&1` // '';
    my ($nginx)   = $text =~ m{^nginx version: \S*?/(\d+\.\d+\.\d+)}m;
    my ($openssl) = $text =~ /OpenSSL (\d+\.\d+\.\d+)/;
    return map { _number($_ // '0.0.0') } $nginx, $openssl;
}

# Whatever ends us, nginx must not outlive it; PIPE comes when prove goes away.
$SIG{$_} = sub { exit 130 } for qw(INT TERM HUP PIPE);

END {
    if ($$ == $owner) {
        my $status = $?;    # waiting for nginx must not change how prove sees us end
        $server->stop if $server && !$ENV{TEST_NGINX_NO_CLEAN};
        $_->() for @cleanups;
        remove_tree(server_root()) if $ENV{TEST_NGINX_RANDOMIZE} && !$ENV{TEST_NGINX_NO_CLEAN};
        $? = $status;
    }
}

1;
