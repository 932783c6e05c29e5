# What a .t file chose before run_tests(), and what the environment chose for it.
#
# A setting is a row in %value and a function of the same name: called with an
# argument it sets, called without one it tells.
package Test::Nginx::Settings;

use strict;
use warnings;

use Cwd ();
use Exporter 'import';
use File::Spec ();
use IO::Socket::INET ();

my %value = (
    repeat_each        => 1,
    workers            => 1,
    worker_connections => 64,
    timeout            => $ENV{TEST_NGINX_TIMEOUT}   || 3,
    log_level          => $ENV{TEST_NGINX_LOG_LEVEL} || 'debug',
);

# Set by being called: no_shuffle() and its kind.
my %flag = (
    no_shuffle            => $ENV{TEST_NGINX_NO_SHUFFLE} || 0,
    no_root_location      => 0,
    no_long_string        => 0,
    check_accum_error_log => 0,
);

my $master = ($ENV{TEST_NGINX_MASTER_PROCESS} // 'off') eq 'on';
my @env_to_nginx;
my %random_port;

our @EXPORT_OK = (
    keys %value, keys %flag,
    qw(flag master_on master_off master_process_enabled env_to_nginx env_passed use_hup
       server_root html_dir server_port client_port port_of nginx_binary seconds),
);

for my $name (keys %value) {
    no strict 'refs';
    *$name = sub {
        $value{$name} = shift if @_;
        return $value{$name};
    };
}

for my $name (keys %flag) {
    no strict 'refs';
    *$name = sub { $flag{$name} = 1 };
}

sub flag { $flag{ $_[0] } }

sub master_on  { $master = 1 }
sub master_off { $master = 0 }

# Several workers need a master.
sub master_process_enabled {
    $master = ($_[0] && $_[0] ne 'off') if @_;
    return $master || $value{workers} > 1 ? 'on' : 'off';
}

sub env_to_nginx { push @env_to_nginx, @_ }
sub env_passed   { @env_to_nginx }

# Reload mode is not offered: every block has its own nginx.
sub use_hup { }

sub nginx_binary { $ENV{TEST_NGINX_BINARY} || 'nginx' }

# TEST_NGINX_RANDOMIZE gives each process its own port and root, for prove -j.
my $randomize = $ENV{TEST_NGINX_RANDOMIZE};
my $root = File::Spec->rel2abs($ENV{TEST_NGINX_SERVROOT} || 't/servroot', Cwd::getcwd());
$root .= "_$$" if $randomize;

sub server_root { $root }
sub html_dir    { "$root/html" }

sub server_port {
    return port_of('server') if $randomize;
    return $ENV{TEST_NGINX_SERVER_PORT} || $ENV{TEST_NGINX_PORT} || 1984;
}

sub client_port {
    return port_of('server') if $randomize;
    return $ENV{TEST_NGINX_CLIENT_PORT} || $ENV{TEST_NGINX_PORT} || 1984;
}

# A free port, the same one each time for the same name.
sub port_of {
    my ($name) = @_;
    return $random_port{$name} //= do {
        my $probe = IO::Socket::INET->new(Listen => 1, LocalAddr => '0.0.0.0', LocalPort => 0)
            or die "no free port: $!\n";
        $probe->sockport;
    };
}

# "1.5", "2s" and "50ms" in seconds.
sub seconds {
    my ($text) = @_;
    $text =~ /^\s*([\d.]+)\s*(ms|s)?\s*$/ or die qq(bad time "$text": want 1.5, 2s or 50ms\n);
    return ($2 // 's') eq 'ms' ? $1 / 1000 : $1;
}

1;
