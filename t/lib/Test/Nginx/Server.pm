# One nginx process: starts it, stops it, tells whether it crashed.
#
# nginx leaves its pid file behind when it crashes and removes it when it exits
# in order; that is how a crash is told from an exit. Nothing here sleeps for a
# guessed time: every wait polls and has a deadline.
package Test::Nginx::Server;

use strict;
use warnings;

use POSIX ':sys_wait_h';
use Time::HiRes qw(sleep time);

use Test::Nginx::Settings qw(server_root nginx_binary);

my $POLL           = 0.002;
my $START_DEADLINE = 30;
my $PID_DEADLINE   = 5;
# What to send, and how long to wait for the end: a graceful exit may wait for
# timers and open connections, which a test has no interest in.
my $PATIENCE = 10;
my @STOP = ([ QUIT => 1.5 ], [ TERM => 3 ], [ KILL => 5 ]);

sub new {
    my ($class) = @_;
    my $root = server_root();
    return bless { root => $root, pid_file => "$root/logs/nginx.pid" }, $class;
}

# Returns nginx's exit code and what it printed. 0: it runs as a daemon.
# Its listening sockets are open by then, so a client may connect at once.
sub start {
    my ($self) = @_;
    open my $output, '+>', undef or die "no temporary file: $!\n";
    my @command = (nginx_binary(), '-e', "$self->{root}/logs/error.log",
        '-p', "$self->{root}/", '-c', "$self->{root}/conf/nginx.conf");

    my $child = fork // die "cannot fork: $!\n";
    if ($child == 0) {
        open STDOUT, '>&', $output;
        open STDERR, '>&', $output;
        { no warnings 'exec'; exec { $command[0] } @command }
        print STDERR "cannot run $command[0]: $!\n";
        POSIX::_exit(127);
    }
    my $ended = _until($START_DEADLINE, sub { waitpid($child, WNOHANG) == $child });
    my $status = $?;
    if (!$ended) {
        kill KILL => $child;
        waitpid $child, 0;
        $status = -1;
    }
    seek $output, 0, 0;
    my $text = do { local $/; <$output> } // '';
    $text .= "nginx did not come up in $START_DEADLINE seconds\n" if !$ended;

    my $code = $status == -1 ? -1 : $status & 127 ? 128 + ($status & 127) : $status >> 8;
    if ($code == 0) {
        _until($PID_DEADLINE, sub { $self->{pid} = $self->_pid_in_file })
            or return (-1, $text . "nginx wrote no pid file\n");
    }
    return ($code, $text);
}

# Did it end by itself, without removing its pid file?
sub has_crashed {
    my ($self) = @_;
    return $self->{pid} && !_alive($self->{pid}) && -e $self->{pid_file};
}

# Returns undef, or a sentence where nginx did not end in order. Patiently: a
# test looks at how it exits, so its graceful exit gets more time.
sub stop {
    my ($self, $patiently) = @_;
    my $pid = $self->{pid} or return undef;
    if ($self->has_crashed) {
        delete $self->{pid};
        return "nginx $pid crashed";
    }
    my @workers = _children($pid);
    my $signal_used;
    for my $step (@STOP) {
        my ($signal, $deadline) = @$step;
        $deadline = $PATIENCE if $patiently && $signal eq 'QUIT';
        last if !_alive($pid);
        $signal_used = $signal;
        kill $signal => $pid;
        # Workers of a killed master would live on.
        kill KILL => grep { _alive($_) } @workers if $signal eq 'KILL';
        last if _until($deadline, sub { !_alive($pid) });
    }
    delete $self->{pid};
    return "nginx $pid had to be killed" if ($signal_used // '') eq 'KILL';
    return "nginx $pid crashed while exiting" if -e $self->{pid_file};
    return undef;
}

# A run that was itself killed may have left its nginx behind: it is ours if its
# command line names our root.
sub stop_leftover {
    my ($self) = @_;
    my $pid = $self->_pid_in_file or return;
    open my $file, '<', "/proc/$pid/cmdline" or return;
    my $command = do { local $/; <$file> } // '';
    return if index($command, "$self->{root}/") < 0;
    $self->{pid} = $pid;
    $self->stop;
}

sub _pid_in_file {
    my ($self) = @_;
    open my $file, '<', $self->{pid_file} or return undef;
    my $line = <$file> // '';
    return $line =~ /^(\d+)\n/ ? $1 : undef;
}

# A daemon is another process's child, so a zombie counts as gone.
sub _alive {
    my ($pid) = @_;
    if (open my $file, '<', "/proc/$pid/stat") {
        my $line = <$file> // return 0;
        return $line =~ /\)\s+([A-Z])/ && $1 !~ /[ZX]/ ? 1 : 0;
    }
    return -d '/proc/self' ? 0 : kill 0 => $pid;
}

sub _children {
    my ($pid) = @_;
    open my $file, '<', "/proc/$pid/task/$pid/children" or return ();
    return split ' ', <$file> // '';
}

sub _until {
    my ($deadline, $done) = @_;
    my $end = time + $deadline;
    while (!$done->()) {
        return 0 if time > $end;
        sleep $POLL;
    }
    return 1;
}

1;
