# Clients in processes of their own that ask without a pause and judge each answer by what was known before they asked.
#
# What is known stands in a file that all share: the version that the publisher knows to be active, and for each client
# the newest version that it has seen. No request that is sent later may get an older one, from any worker.
# Versions with an odd number must never be seen: the publisher gives them to changes that are rejected.
package HotLua::Clients;
use strict;
use warnings;

use Carp qw(croak);
use Errno ();
use Fcntl qw(SEEK_SET);
use File::Temp ();
use IO::Socket::INET;
use JSON::PP ();
use List::Util qw(max sum0);
use POSIX ();
use Socket qw(IPPROTO_TCP TCP_NODELAY);

use HotLua::App;

my $DEADLINE = 10;    # seconds that an answer may take
my $SLOT = length pack 'Q', 0;

# start(app => HotLua::App, kept => N, short => N, may_break => BOOL): N clients that keep their connection and N that
# take a new one for each request, half of them at /quick and half at /waiting. may_break: workers are killed, so a
# connection may end before its answer; that is counted as broken, not as failed.
sub start {
    my ($class, %option) = @_;
    my $self = bless { known => File::Temp->new, clients => [] }, $class;
    my $count = $option{kept} + $option{short};
    $self->{known}->autoflush(1);
    syswrite $self->{known}, pack 'Q*', (0) x (1 + $count);
    for my $number (1 .. $count) {
        pipe my $from, my $to or croak "pipe: $!";
        my $pid = fork // croak "fork: $!";
        if (!$pid) {
            close $from;
            my $result = eval { $self->run($number, $number <= $option{kept}, \%option) };
            $result //= { failed => 1, problem => "a client died: $@" };
            syswrite $to, JSON::PP::encode_json($result);
            POSIX::_exit(0);    # the server is the parent's to stop
        }
        close $to;
        push @{ $self->{clients} }, { pid => $pid, from => $from };
    }
    return $self;
}

# The publisher's word: from now on no request may get an older version.
sub published { my ($self, $version) = @_; return $self->store(0, $version) }

# Ends them: {requests, failed, broken, mixed, older, rejected => counts, versions => how many were seen by the client
# that saw most, problems => [sentences]}.
sub stop {
    my ($self) = @_;
    my @clients = splice @{ $self->{clients} };
    kill TERM => map { $_->{pid} } @clients;
    my @results = map {
        my $from = $_->{from};
        my $text = do { local $/; <$from> };
        waitpid $_->{pid}, 0;
        eval { JSON::PP::decode_json($text) } // { failed => 1, problem => "client $_->{pid} left no result" };
    } @clients;
    my %total = map { my $name = $_; $name => sum0 map { $_->{$name} // 0 } @results }
        qw(requests failed broken mixed older rejected);
    $total{versions} = max map { $_->{versions} // 0 } @results;
    $total{problems} = [map { $_->{problem} // () } @results];
    return \%total;
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $@, $!);
    $self->stop if @{ $self->{clients} };
    return;
}

# A client: asks until SIGTERM, or until its parent has died.
sub run {
    my ($self, $number, $keep, $option) = @_;
    my $stop;
    my $parent = getppid;
    local $SIG{TERM} = sub { $stop = 1 };
    # A file handle that is forked shares its position.
    open $self->{shared}, '+<', $self->{known}->filename or croak $self->{known}->filename . ": $!";
    my %count = map { $_ => 0 } qw(requests failed broken mixed older rejected versions);
    my $path = $number % 2 ? '/quick' : '/waiting';
    my ($socket, $newest) = (undef, 0);
    my $note = sub { my ($name, $text) = @_; $count{$name}++; $count{problem} //= "$path: $name: $text"; };
    while (!$stop && getppid == $parent) {
        my $known = $self->newest_known;
        my ($status, $body, $kept);
        my $answered = eval {
            local $SIG{ALRM} = sub { die "no answer within $DEADLINE s\n" };
            alarm $DEADLINE;
            $socket //= connect_to($option->{app}->nginx->{port});
            ($status, $body, $kept) = ask($socket, $path, $keep);
            alarm 0;
            1;
        };
        alarm 0;
        $count{requests}++;
        undef $socket if !$answered || !$keep || !$kept;
        if (!$answered) {
            # One that hangs is a failure whoever has died.
            my $error = $@;
            $note->($option->{may_break} && $error !~ /no answer/ ? 'broken' : 'failed', $error);
            next;
        }
        $note->(failed => 'the server closed a connection that was to be kept') if $keep && !$kept;
        my @versions = $status == 200 ? HotLua::App::versions_of($body) : ();
        if (!@versions) { $note->(failed => "status $status: $body"); next }
        $note->(mixed => $body) if @versions > 1;
        $note->(rejected => $body) if grep { $_ % 2 } @versions;
        $note->(older => "after $known was known: $body") if $versions[0] < $known;
        if ($versions[0] > $newest) {
            $newest = $versions[0];
            $count{versions}++;
            $self->store($number, $newest);
        }
    }
    return \%count;
}

sub store {
    my ($self, $slot, $version) = @_;
    my $file = $self->{shared} // $self->{known};
    sysseek $file, $slot * $SLOT, SEEK_SET;
    syswrite($file, pack 'Q', $version) == $SLOT or croak "what is known: $!";
    return;
}

sub newest_known {
    my ($self) = @_;
    sysseek $self->{shared}, 0, SEEK_SET;
    sysread $self->{shared}, my $bytes, 4096;
    return max unpack 'Q*', $bytes;
}

sub connect_to {
    my ($port) = @_;
    my $socket;
    until ($socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port)) {
        # By the signal that ends the client, after this request.
        die "connect: $@\n" unless $!{EINTR};
    }
    setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
    return $socket;
}

# One request: (status, body, whether the server keeps the connection).
sub ask {
    my ($socket, $path, $keep) = @_;
    my $request = "GET $path HTTP/1.1\r\nHost: client\r\n" . ($keep ? '' : "Connection: close\r\n") . "\r\n";
    local $SIG{PIPE} = 'IGNORE';
    (syswrite($socket, $request) // 0) == length $request or die "the connection ended: $!\n";
    my $data = '';
    my $read = sub { read_more($socket, \$data) };
    $read->() until $data =~ /\r\n\r\n/;
    my ($head, $body) = split /\r\n\r\n/, $data, 2;
    my ($status) = $head =~ m{^HTTP/1\.1 (\d+)} or die "no answer: $head\n";
    my ($length) = $head =~ /^content-length: (\d+)/im or die "no Content-Length: $head\n";
    while (length $body < $length) { $read->(); (undef, $body) = split /\r\n\r\n/, $data, 2 }
    return ($status, $body, $head !~ /^connection: close/im);
}

# Appends what is there; the answer under way is still wanted when a signal tells to stop.
sub read_more {
    my ($socket, $data) = @_;
    while (1) {
        my $count = sysread $socket, $$data, 65536, length $$data;
        return if $count;
        die "the connection ended\n" if defined $count;
        die "the connection ended: $!\n" if !$!{EINTR};
    }
}

1;
