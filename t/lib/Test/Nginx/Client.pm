# Sends a connection's packets and reads what comes back, both at once.
package Test::Nginx::Client;

use strict;
use warnings;

use Errno qw(EAGAIN EINTR EINPROGRESS);
use Exporter 'import';
use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw(time);

use Test::Nginx::Settings qw(client_port);

our @EXPORT_OK = qw(exchange);

# nginx closes a connection after its log phase. So where it is to close, its
# end of file is awaited (this long at most), and the error log is then complete.
my $CLOSE_GRACE = 0.1;

# Options: address, timeout (seconds between two events), shutdown (its argument,
# or undef), complete (told the bytes so far, says whether all responses are in).
# Returns the bytes, and how it ended: 'complete', 'eof' or 'timeout'.
sub exchange {
    my ($connection, %opt) = @_;
    my $socket = IO::Socket::INET->new(
        PeerAddr => $opt{address} // '127.0.0.1', PeerPort => client_port(),
        Proto => 'tcp', Timeout => $opt{timeout},
    ) or die "cannot connect to port @{[ client_port() ]}: $@\n";
    $socket->blocking(0);
    $socket->autoflush(1);
    local $SIG{PIPE} = 'IGNORE';

    my @packets  = map { {%$_} } @{ $connection->{packets} };
    my $reader   = IO::Select->new($socket);
    my ($bytes, $ended) = ('', undef);
    my $now      = time;
    my $send_at  = @packets ? $now + $packets[0]{delay} : undef;
    my $deadline = $now + $opt{timeout};

    while (1) {
        $now = time;
        if (defined $send_at && $now >= $send_at) {
            my $sent = syswrite $socket, $packets[0]{value};
            if (defined $sent) {
                substr($packets[0]{value}, 0, $sent) = '';
                $deadline = $now + $opt{timeout} if !$ended;
                if (!length $packets[0]{value}) {
                    shift @packets;
                    $send_at = @packets ? $now + $packets[0]{delay} : undef;
                    shutdown $socket, $opt{shutdown} if !@packets && defined $opt{shutdown};
                }
            }
            elsif (!($!{EAGAIN} || $!{EINTR})) {
                # Closed on us: what it answered before that still counts.
                ($send_at, @packets) = ();
            }
        }
        last if $now >= $deadline;

        my $wake = defined $send_at && $send_at < $deadline ? $send_at : $deadline;
        my $writing = defined $send_at && $send_at <= $now ? $reader : undef;
        my ($readable) = IO::Select::select($reader, $writing, undef, _positive($wake - $now));
        next if !$readable || !@$readable;

        my $got = sysread $socket, $bytes, 65536, length $bytes;
        if (!defined $got) {
            next if $!{EAGAIN} || $!{EINTR};
            $got = 0;    # reset by nginx
        }
        if ($got == 0) {
            $ended = 'eof';
            last;
        }
        next if $ended;
        $deadline = time + $opt{timeout};
        if (!@packets && $opt{complete}->(\$bytes)) {
            $ended = 'complete';
            last if !$connection->{closes};
            $deadline = time + $CLOSE_GRACE;
        }
    }
    close $socket;
    return ($bytes, $ended // 'timeout');
}

sub _positive { $_[0] > 0 ? $_[0] : 0 }

1;
