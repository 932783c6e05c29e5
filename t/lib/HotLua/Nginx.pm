# A real nginx with several workers for step-wise tests: write files, change code, ask every worker.
package HotLua::Nginx;
use strict;
use warnings;

use Carp qw(croak);
use File::Path qw(make_path);
use File::Temp ();
use HTTP::Tiny;
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();
use Time::HiRes qw(time sleep);

my $DEADLINE = 10;    # seconds that anything may take

# new(workers => N, main => TEXT, http => TEXT, server => TEXT, files => {NAME => TEXT}, links => {NAME => TARGET}):
# writes the files and symlinks, starts nginx.
# In these texts %ROOT% is the server root.
sub new {
    my ($class, %option) = @_;
    my $directory = File::Temp->newdir('hotlua-XXXXXX', TMPDIR => 1);
    my $self = bless { directory => $directory, root => "$directory", workers => $option{workers} // 2 }, $class;
    chmod 0755, $self->{root};
    make_path("$self->{root}/logs", "$self->{root}/lua", "$self->{root}/marks");
    # Where scripts tell that they are somewhere, whoever the workers are.
    chmod 0777, "$self->{root}/marks";
    $self->write($_, $option{files}{$_}) for sort keys %{ $option{files} // {} };
    for my $name (sort keys %{ $option{links} // {} }) {
        symlink $option{links}{$name}, "$self->{root}/$name" or croak "$name: $!";
    }
    $self->{port} = free_port();
    my ($main, $http, $server) = map { (my $text = $_ // '') =~ s/%ROOT%/$self->{root}/g; $text } @option{qw(main http server)};
    my $modules = join '', map { "load_module $_;\n" } split ' ', $ENV{TEST_NGINX_LOAD_MODULES} // '';
    $self->write('nginx.conf', <<"CONF");
$modules
worker_processes $self->{workers};
pid logs/nginx.pid;
error_log logs/error.log info;
$main
events { worker_connections 512; }
http {
    access_log off;
    keepalive_requests 1000000;
    client_body_temp_path logs/body; proxy_temp_path logs/proxy; fastcgi_temp_path logs/fastcgi;
    uwsgi_temp_path logs/uwsgi; scgi_temp_path logs/scgi;
    $http
    server {
        listen 127.0.0.1:$self->{port} reuseport;
        location /hotlua/ { hotlua_control; }
        location = /pid { return 200 \$pid; }
        $server
    }
}
CONF
    my $nginx = $ENV{TEST_NGINX_BINARY} || 'nginx';
    $self->{nginx} = [$nginx, '-p', "$self->{root}/", '-c', 'nginx.conf'];
    system(@{ $self->{nginx} }) == 0 or croak "nginx did not start:\n" . $self->error_log;
    $self->{pid} = $self->wait_for('a pid file', sub { slurp("$self->{root}/logs/nginx.pid") =~ /(\d+)/ && $1 });
    $self->wait_for('all workers', sub { @{ $self->status->{workers} } == $self->{workers} });
    return $self;
}

# Writes a file below the server root as a careful deploy does: beside it, then renamed over it.
sub write {
    my ($self, $name, $text) = @_;
    my $path = "$self->{root}/$name";
    (my $parent = $path) =~ s{/[^/]*$}{};
    make_path($parent);
    open my $file, '>', "$path.new" or croak "$path.new: $!";
    print $file $text;
    close $file or croak "$path.new: $!";
    rename "$path.new", $path or croak "$path: $!";
    return $path;
}

# One request on a connection of its own: {status, content, headers}. OPTIONS are HTTP::Tiny's; `method` too.
sub request {
    my ($self, $path, %option) = @_;
    my $method = delete $option{method} // 'GET';
    my $http = HTTP::Tiny->new(timeout => $DEADLINE, keep_alive => 0);
    return $http->request($method, "http://127.0.0.1:$self->{port}$path", \%option);
}

sub get { my ($self, $path) = @_; return $self->request($path)->{content} }

# A control call: (status, decoded reply).
sub control {
    my ($self, $method, $call) = @_;
    my $response = $self->request("/hotlua/$call", method => $method);
    my $reply = eval { JSON::PP::decode_json($response->{content}) };
    return ($response->{status}, $reply // { error => "no JSON: $response->{content}" });
}

# Sends a request whose answer is not waited for; `finish` reads it. Meanwhile it stays on the generation that it began on.
sub begin {
    my ($self, $path) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port}, Timeout => $DEADLINE)
        or croak "connect: $@";
    print $socket "GET $path HTTP/1.0\r\nHost: test\r\n\r\n";
    $socket->flush;
    return $socket;
}

# The body that a request of `begin` is answered with.
sub finish {
    my ($self, $socket) = @_;
    local $SIG{ALRM} = sub { croak "no answer within $DEADLINE s" };
    alarm $DEADLINE;
    my $answer = do { local $/; <$socket> } // '';
    alarm 0;
    return $answer =~ s/\A.*?\r\n\r\n//sr;
}

# Reloads nginx, and returns when all workers are new ones.
sub reload {
    my ($self) = @_;
    my %before = map { $_ => 1 } $self->worker_pids;
    $self->signal('HUP');
    $self->wait_for('new workers', sub {
        my @now = $self->worker_pids;
        return @now == $self->{workers} && !grep { $before{$_} } @now;
    });
    return;
}

sub publish { my ($self, $query) = @_; return $self->control(POST => 'publish' . ($query ? "?$query" : '')) }

sub rollback { my ($self, $query) = @_; return $self->control(POST => 'rollback' . ($query ? "?$query" : '')) }

sub invalidate { my ($self, $query) = @_; return $self->control(POST => "invalidate?$query") }

sub status { my ($self) = @_; return ($self->control(GET => 'status'))[1] }

sub worker_pids { my ($self) = @_; return map { $_->{pid} } @{ $self->status->{workers} } }

# Asks until every live worker has answered: {pid => body}. The location must answer a line `pid`, then its text.
sub ask_all {
    my ($self, $path) = @_;
    my (%answer, $asked);
    my @pids = $self->worker_pids;
    $self->wait_for("an answer of each worker to $path", sub {
        my $body = $self->get($path);
        $answer{$1} = $2 if $body =~ /^(\d+)\n(.*)/s;
        # A reload may have replaced them meanwhile.
        @pids = $self->worker_pids if ++$asked % 100 == 0;
        return !grep { !defined $answer{$_} } @pids;
    });
    return { map { $_ => $answer{$_} } @pids };
}

# The different bodies with which the workers answer, sorted: one where they agree.
sub answers {
    my ($self, $path) = @_;
    my %seen = map { $_ => 1 } values %{ $self->ask_all($path) };
    return join '|', sort keys %seen;
}

# Calls CODE until it is true, and returns what it returned.
sub wait_for {
    my ($self, $what, $code) = @_;
    my $end = time + $DEADLINE;
    while (time < $end) {
        my $result = eval { $code->() };
        return $result if $result;
        sleep 0.01;
    }
    croak "waited in vain for $what" . ($@ ? ": $@" : '') . "\n" . $self->error_log;
}

sub error_log { my ($self) = @_; return slurp("$self->{root}/logs/error.log") }

# Signals the master.
sub signal { my ($self, $name) = @_; return kill $name => $self->{pid} }

sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;
    kill QUIT => $pid;
    my $end = time + $DEADLINE;
    while (kill(0 => $pid) && time < $end) { sleep 0.01 }
    kill KILL => $pid if kill 0 => $pid;
    return;
}

sub DESTROY { local ($?, $@, $!); $_[0]->stop }

sub slurp {
    my ($path) = @_;
    open my $file, '<', $path or return '';
    local $/;
    return scalar <$file> // '';
}

sub free_port {
    my $socket = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => 0) or croak "no port: $!";
    return $socket->sockport;
}

1;
