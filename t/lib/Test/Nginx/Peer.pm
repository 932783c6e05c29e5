# The TCP or UDP server that a block asks for (tcp_listen, udp_listen): a child
# that reads a query and sends the reply, for as long as the requests run.
package Test::Nginx::Peer;

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use Socket qw(SOCK_STREAM SOCK_DGRAM);
use Time::HiRes qw(sleep);

use Test::Nginx::Conf qw(expand);
use Test::Nginx::Settings qw(seconds);

# A query of unknown length: what comes in this time, if anything, and ends with
# this silence.
my ($QUERY_WAIT, $QUERY_PAUSE) = (0.1, 0.02);

# Returns the peers of a block; they listen by then, so no request comes too early.
sub start_all {
    my ($class, $block) = @_;
    return map { $class->_start($block, $_) } grep { defined $block->${ \"${_}_listen" } } qw(tcp udp);
}

sub _start {
    my ($class, $block, $type) = @_;
    my $section = sub { my $name = "${type}_$_[0]"; $block->$name };
    my $socket = _listen($type, expand($section->('listen')));
    open my $queries, '+>', undef or die "no temporary file: $!\n";
    $queries->autoflush(1);

    my $pid = fork // die "cannot fork: $!\n";
    if ($pid == 0) {
        $SIG{TERM} = 'DEFAULT';
        $SIG{PIPE} = 'IGNORE';
        eval { $type eq 'tcp' ? _serve_tcp($socket, $queries, $section) : _serve_udp($socket, $queries, $section) };
        print STDERR "# $type peer: $@" if $@;
        POSIX::_exit(0);
    }
    return bless { type => $type, pid => $pid, queries => $queries, section => $section }, $class;
}

# Ends the peer; returns what it was asked.
sub stop {
    my ($self) = @_;
    kill TERM => $self->{pid};
    waitpid $self->{pid}, 0;
    seek $self->{queries}, 0, 0;
    local $/;
    return readline($self->{queries}) // '';
}

# The query that the block expects, if it says so.
sub expected_query { $_[0]{section}->('query') }

sub _listen {
    my ($type, $address) = @_;
    $address =~ s/^\s+|\s+$//g;
    my $kind = $type eq 'tcp' ? SOCK_STREAM : SOCK_DGRAM;
    my $socket;
    if ($address =~ /\.sock$/) {
        unlink $address;
        $socket = IO::Socket::UNIX->new(Local => $address, Type => $kind, $type eq 'tcp' ? (Listen => 5) : ());
    }
    else {
        $socket = IO::Socket::INET->new(LocalAddr => '0.0.0.0', LocalPort => $address, Proto => $type,
            Type => $kind, $type eq 'tcp' ? (Listen => 5, ReuseAddr => 1) : ());
    }
    return $socket // die "cannot listen at $type $address: $!\n";
}

sub _serve_tcp {
    my ($listener, $queries, $section) = @_;
    my $length = $section->('query_len') // (defined $section->('query') ? length $section->('query') : undef);
    while (my $client = $listener->accept) {
        my $how = $section->('shutdown');
        shutdown $client, $how if defined $how;
        my $ready = IO::Select->new($client);
        my $query = '';
        my $pause = defined $length ? undef : $QUERY_WAIT;
        while ((!defined $length || length $query < $length) && $ready->can_read($pause)) {
            sysread($client, $query, 65536, length $query) or last;
            $pause = $QUERY_PAUSE if !defined $length;
        }
        print {$queries} $query;
        for my $reply (_replies($section, $query)) {
            syswrite $client, $reply;
        }
        if (defined $section->('no_close')) {
            1 while sysread $client, my $rest, 65536;
        }
        close $client;
    }
}

sub _serve_udp {
    my ($socket, $queries, $section) = @_;
    while (my $from = $socket->recv(my $query, 65536)) {
        print {$queries} $query;
        $socket->send($_, 0, $from) for _replies($section, $query);
    }
}

sub _replies {
    my ($section, $query) = @_;
    my $reply = $section->('reply') // return ();
    $reply = $reply->($query) if ref $reply eq 'CODE';
    my $delay = $section->('reply_delay');
    sleep seconds($delay) if defined $delay;
    return grep {defined} ref $reply eq 'ARRAY' ? @$reply : $reply;
}

1;
