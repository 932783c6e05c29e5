# Real servers for the module's sockets to talk to: Debian's, each an ordinary process of the test on free ports of
# loopback, with its data in a temporary directory. One that cannot be started ends the test with what it has said.
package HotLua::Server;
use strict;
use warnings;

use Carp qw(croak);
use File::Path qw(make_path);
use File::Temp ();
use IO::Socket::INET;
use POSIX ':sys_wait_h';
use Time::HiRes qw(sleep time);

use HotLua::Nginx;
use HotLua::Tls;

my $DEADLINE = 30;    # seconds until a server must answer or have ended
my $TRIES = 5;        # a port that was free may have been taken before the server binds it

# redis(password => TEXT): {port, path}; `path` is its Unix domain socket.
sub redis {
    my ($class, %option) = @_;
    return $class->start(
        command => sub {
            my ($self) = @_;
            $self->{path} = "$self->{root}/redis.sock";
            return ('redis-server', '--bind', '127.0.0.1', '--port', $self->{port}, '--unixsocket', $self->{path},
                '--dir', $self->{root}, '--save', '', '--appendonly', 'no',
                (defined $option{password} ? ('--requirepass', $option{password}) : ()));
        },
        answers => sub { ask($_[0]{port}, "PING\r\n") =~ /^(?:\+PONG|-NOAUTH)/ },
    );
}

# sentinel(NAME => REDIS): a Redis sentinel that watches a master of this name.
sub sentinel {
    my ($class, $name, $redis) = @_;
    return $class->start(
        command => sub {
            my ($self) = @_;
            $self->write('sentinel.conf', "bind 127.0.0.1\nport $self->{port}\ndir $self->{root}\n"
                . "sentinel monitor $name 127.0.0.1 $redis->{port} 1\n");
            return ('redis-server', "$self->{root}/sentinel.conf", '--sentinel');
        },
        answers => sub { ask($_[0]{port}, "PING\r\n") =~ /^\+PONG/ },
    );
}

# memcached(): {port}.
sub memcached {
    my ($class) = @_;
    return $class->start(
        command => sub { ('memcached', '-l', '127.0.0.1', '-p', $_[0]{port}, '-U', 0, ($> == 0 ? ('-u', 'root') : ())) },
        answers => sub { ask($_[0]{port}, "version\r\n") =~ /^VERSION / },
    );
}

# mariadb(user => NAME, password => TEXT): {port}; the database `test` is the user's.
sub mariadb {
    my ($class, %option) = @_;
    my $command = sub {
        my ($self) = @_;
        return ('/usr/sbin/mariadbd', '--no-defaults', "--datadir=$self->{root}/data", '--skip-innodb',
            '--default-storage-engine=Aria', ($> == 0 ? '--user=root' : ()), @_[1 .. $#_]);
    };
    return $class->start(
        command => sub {
            my ($self) = @_;
            make_path("$self->{root}/data");
            # The bootstrap takes a statement a line.
            $self->write('bootstrap.sql', join '', map {"$_\n"} 'create database mysql;', 'use mysql;',
                'set @auth_root_socket=NULL;', 'set @skip_auth_anonymous=1;',
                (map { HotLua::Nginx::slurp("/usr/share/mysql/mysql_system_tables$_.sql") } '', '_data'),
                'create database test;', 'flush privileges;',
                "create user $option{user}\@'127.0.0.1' identified by '$option{password}';",
                "grant all on test.* to $option{user}\@'127.0.0.1';");
            my $bootstrap = join ' ', $command->($self, '--bootstrap', '--silent-startup');
            my $said = `$bootstrap < $self->{root}/bootstrap.sql 2>&1`;
            croak "$bootstrap: $said" if $?;
            return $command->($self, '--bind-address=127.0.0.1', "--port=$self->{port}", "--socket=$self->{root}/socket");
        },
        answers => sub { ask($_[0]{port}, '') =~ /MariaDB/ },
    );
}

# dns(LINE, ...): a dnsmasq that knows what these lines of its configuration say, and nobody to ask: {port}.
sub dns {
    my ($class, @lines) = @_;
    return $class->start(
        command => sub {
            my ($self) = @_;
            $self->write('dnsmasq.conf', join "\n", 'no-resolv', 'no-hosts', 'bind-interfaces', 'listen-address=127.0.0.1',
                "port=$self->{port}", "pid-file=$self->{root}/pid", 'log-queries', 'log-facility=-', @lines,
                ($> == 0 ? ('user=root', 'group=root') : ()), '');
            return ('dnsmasq', '--keep-in-foreground', "--conf-file=$self->{root}/dnsmasq.conf");
        },
        # A question for the type A of the name `ready`.
        answers => sub { ask($_[0]{port}, pack('n6 C/a* C n2', 1, 0x100, 1, 0, 0, 0, 'ready', 0, 1, 1), 'udp') ne '' },
    );
}

# https(names => [NAME, ...], server => TEXT, http => TEXT): nginx without any module of ours, TLS at {port}, the same
# without TLS at {plain}. The first name's certificate is the server's; `tls/` below {root} has those of all, and `ca.crt`.
# In both texts %ROOT% is the server root, %PORT% the port.
sub https {
    my ($class, %option) = @_;
    my @names = @{ $option{names} };
    my $files = HotLua::Tls::certificates(@names);
    return $class->start(
        command => sub {
            my ($self) = @_;
            make_path("$self->{root}/logs", "$self->{root}/html");
            $self->{plain} = HotLua::Nginx::free_port();
            $self->write($_, $files->{$_}) for keys %$files;
            my ($http, $server) = map { ($_ // '') =~ s/%ROOT%/$self->{root}/gr =~ s/%PORT%/$self->{port}/gr } @option{qw(http server)};
            $self->write('nginx.conf', <<"CONF");
daemon off;
worker_processes 1;
pid logs/nginx.pid;
error_log stderr info;
events { worker_connections 512; }
http {
    access_log off;
    keepalive_requests 1000000;
    client_body_temp_path logs/body; proxy_temp_path logs/proxy; fastcgi_temp_path logs/fastcgi;
    uwsgi_temp_path logs/uwsgi; scgi_temp_path logs/scgi;
    ssl_certificate tls/$names[0].chain;
    ssl_certificate_key tls/$names[0].key;
    $http
    server {
        listen 127.0.0.1:$self->{port} ssl;
        listen 127.0.0.1:$self->{plain};
        $server
    }
}
CONF
            return ($ENV{TEST_NGINX_BINARY} || 'nginx', '-e', 'stderr', '-p', "$self->{root}/", '-c', 'nginx.conf');
        },
        answers => sub { ask($_[0]{plain}, "HEAD / HTTP/1.0\r\n\r\n") =~ m{^HTTP/1.1 } },
    );
}

# start(command => CODE, answers => CODE): both get the server; the one tells the words to run, the other whether it
# answers by now.
sub start {
    my ($class, %option) = @_;
    my $said;
    for (1 .. $TRIES) {
        my $directory = File::Temp->newdir('hotlua-server-XXXXXX', TMPDIR => 1);
        my $self = bless { directory => $directory, root => "$directory", owner => $$, port => HotLua::Nginx::free_port() }, $class;
        # Workers of nginx reach the sockets in it, whoever they are.
        chmod 0755, $self->{root};
        $self->run($option{command}->($self));
        return $self if $self->wait_for($option{answers});
        $said = join("\n", "@{ $self->{command} } does not answer:", $self->said);
    }
    croak $said;
}

# Runs a command that ends when we do, however that comes.
sub run {
    my ($self, @command) = @_;
    $self->{command} = \@command;
    my $pid = fork // croak "fork: $!";
    if (!$pid) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$self->{root}/said";
        open STDERR, '>&', \*STDOUT;
        { no warnings 'exec'; exec 'setpriv', '--pdeathsig', 'TERM', '--', @command }
        POSIX::_exit(127);
    }
    $self->{pid} = $pid;
    return;
}

# Asks until it answers; false once it has ended.
sub wait_for {
    my ($self, $answers) = @_;
    my $end = time + $DEADLINE;
    while (time < $end) {
        return 1 if eval { $answers->($self) };
        if (waitpid($self->{pid}, WNOHANG) == $self->{pid}) { delete $self->{pid}; return 0 }
        sleep 0.005;
    }
    return 0;
}

# What it has written to its output.
sub said { my ($self) = @_; return HotLua::Nginx::slurp("$self->{root}/said") }

# Sends bytes on a connection of its own: the first bytes that come back, or dies.
sub ask {
    my ($port, $bytes, $protocol) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Proto => $protocol // 'tcp') or die "connect: $@";
    local $SIG{ALRM} = sub { die "no answer\n" };
    local $SIG{PIPE} = 'IGNORE';
    # A datagram that came too early is lost.
    alarm($protocol ? 1 : $DEADLINE);
    syswrite $socket, $bytes if length $bytes;
    my $count = sysread $socket, my $answer, 65536;
    alarm 0;
    return $count ? $answer : '';
}

sub write {
    my ($self, $name, $text) = @_;
    my $path = "$self->{root}/$name";
    make_path($path =~ s{/[^/]*$}{}r);
    open my $file, '>', $path or croak "$path: $!";
    print $file $text;
    close $file or croak "$path: $!";
    return $path;
}

sub stop {
    my ($self) = @_;
    my $pid = $self->{pid};
    return if !$pid || $self->{owner} != $$;
    delete $self->{pid};
    kill TERM => $pid;
    my $end = time + $DEADLINE;
    while (waitpid($pid, WNOHANG) == 0) {
        kill KILL => $pid if time > $end;
        sleep 0.005;
    }
    return;
}

sub DESTROY { local ($?, $@, $!); $_[0]->stop }

1;
