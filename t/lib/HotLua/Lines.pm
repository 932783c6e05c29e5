# A peer for stream sockets, a process of the test: it answers lines, and counts its connections.
package HotLua::Lines;
use strict;
use warnings;

use Carp qw(croak);
use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;

# start(): {port, path}. It listens at both before it returns.
#
# A line `close` closes the connection; `shut N` closes that one, `tell N` says something to it, and both are answered by
# `done` when that has happened; `more` is answered by `one` and, in the same packet, `two`; `open` by how many
# connections are open now, this one too; `from` by the address that the connection comes from; any other one by
# `N TEXT`, N being the connection's number from 1.
sub start {
    my ($class) = @_;
    my $directory = File::Temp->newdir('hotlua-lines-XXXXXX', TMPDIR => 1);
    my $self = bless { directory => $directory, path => "$directory/socket", owner => $$ }, $class;
    chmod 0755, "$directory";
    my $tcp = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 128) or croak "listen: $@";
    my $unix = IO::Socket::UNIX->new(Local => $self->{path}, Listen => 128) or croak "listen: $!";
    chmod 0777, $self->{path};
    $self->{port} = $tcp->sockport;
    $self->{pid} = fork // croak "fork: $!";
    if (!$self->{pid}) {
        serve($tcp, $unix);
        require POSIX;
        POSIX::_exit(0);
    }
    return $self;
}

sub serve {
    my ($tcp, $unix) = @_;
    local $SIG{PIPE} = 'IGNORE';
    my ($parent, $count, %number, %socket) = (getppid, 0);
    my $select = IO::Select->new($tcp, $unix);
    while (getppid == $parent) {
        for my $socket ($select->can_read(1)) {
            if ($socket == $tcp || $socket == $unix) {
                my $new = $socket->accept or next;
                $select->add($new);
                $number{$new} = ++$count;
                $socket{$count} = $new;
                next;
            }
            my $read = sysread $socket, my $bytes, 65_536;
            my $lives = $read;
            for my $line ($read ? split /\n/, $bytes : ()) {
                $lives &&= $line ne 'close';
                last if !$lives;
                if ($line =~ /^(shut|tell) (\d+)$/ && (my $other = $socket{$2})) {
                    $1 eq 'shut' ? shutdown $other, 2 : syswrite $other, "late\n";
                    $line = 'done';
                }
                syswrite $socket,
                      $line eq 'done' ? "done\n"
                    : $line eq 'more' ? "one\ntwo\n"
                    : $line eq 'open' ? keys(%number) . "\n"
                    : $line eq 'from' ? $socket->peerhost . "\n"
                    :                   "$number{$socket} $line\n";
            }
            if (!$lives) {
                $select->remove($socket);
                delete $socket{ delete $number{$socket} };
                close $socket;
            }
        }
    }
    return;
}

# How many connections but the one that asks are open.
sub open_connections {
    my ($self) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port}, Timeout => 5) or croak "connect: $@";
    print $socket "open\n";
    $socket->flush;
    return readline($socket) - 1;
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
