# A peer for datagram sockets, a process of the test: it answers on a UDP port of loopback and on a UNIX socket.
package HotLua::Datagrams;
use strict;
use warnings;

use Carp qw(croak);
use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use Socket qw(SOCK_DGRAM);

# start(): {port, path}. Both are bound before it returns, so that nothing sent to it is lost.
#
# It answers by the datagram: `silent...` by nothing, `big N` by N bytes, `twice TEXT` by TEXT 1 and TEXT 2, `empty` by an
# empty datagram, `from` by the address that it came from, anything else by its length and itself.
sub start {
    my ($class) = @_;
    my $directory = File::Temp->newdir('hotlua-datagrams-XXXXXX', TMPDIR => 1);
    my $self = bless { directory => $directory, path => "$directory/socket", owner => $$ }, $class;
    chmod 0755, "$directory";
    my $udp = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'udp') or croak "bind: $@";
    my $unix = IO::Socket::UNIX->new(Local => $self->{path}, Type => SOCK_DGRAM) or croak "bind: $!";
    chmod 0777, $self->{path};
    $self->{port} = $udp->sockport;
    $self->{pid} = fork // croak "fork: $!";
    if (!$self->{pid}) {
        my $parent = getppid;
        my $select = IO::Select->new($udp, $unix);
        while (getppid == $parent) {
            answer($_) for $select->can_read(1);
        }
        require POSIX;
        POSIX::_exit(0);
    }
    return $self;
}

sub answer {
    my ($socket) = @_;
    my $peer = $socket->recv(my $datagram, 65_536);
    return if !defined $peer || $datagram =~ /^silent/;
    my @answers
        = $datagram =~ /^big (\d+)$/   ? 'x' x $1
        : $datagram =~ /^twice (.*)/s  ? ("$1 1", "$1 2")
        : $datagram eq 'empty'         ? ''
        : $datagram eq 'from'          ? $socket->peerhost
        :                                length($datagram) . ":$datagram";
    $socket->send($_, 0, $peer) for @answers;
    return;
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $@, $!);
    return if $self->{owner} != $$ || !$self->{pid};
    kill KILL => $self->{pid};
    waitpid $self->{pid}, 0;
    return;
}

1;
