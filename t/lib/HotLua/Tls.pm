# An nginx with TLS servers, certificates for them from a root of our own, and clients that shake hands.
#
# Lua calls note(TEXT, ...) to leave a line; `notes` reads them. There is one worker, so none is missed.
package HotLua::Tls;
use strict;
use warnings;

use Carp qw(croak);
use File::Path qw(make_path);
use IO::Socket::SSL;

use HotLua::Certificates qw(certify openssl);
use HotLua::Nginx;

my $DEADLINE = 10;    # seconds that a handshake may take

my $NOTES = <<'LUA';
    notes = {}
    function note(...)
        local parts = {}
        for i = 1, select("#", ...) do parts[i] = tostring((select(i, ...))) end
        notes[#notes + 1] = table.concat(parts, " ")
    end
    function slurp(name)
        local file = assert(io.open("%ROOT%/" .. name, "rb"))
        local text = file:read("*a")
        file:close()
        return text
    end
LUA

# new(servers => [NAME => TEXT, ...], http => TEXT, init => LUA, main => TEXT, files => {..}, names => [NAME, ...]): TLS
# servers of these names, the first one the default, each with a certificate of its name. NAMES get certificates too,
# below tls/. In all texts %ROOT% is the server root, %PORT% the servers' port and %PORT2% and %PORT3% others that are free.
sub new {
    my ($class, %option) = @_;
    my @servers = @{ $option{servers} };
    my $port = HotLua::Nginx::free_port();
    my ($conf, @names) = ('', @{ $option{names} // [] });
    while (my ($name, $text) = splice @servers, 0, 2) {
        push @names, $name;
        my $location = $text =~ m{location = / } ? '' : "location = / { return 200 \"$name\"; }";
        my $certificate = $text =~ /ssl_certificate / ? ''
            : "ssl_certificate %ROOT%/tls/$name.chain; ssl_certificate_key %ROOT%/tls/$name.key;";
        $conf .= <<"CONF";
server {
    listen 127.0.0.1:$port ssl;
    server_name $name;
    $certificate
    ssl_protocols TLSv1.2 TLSv1.3;
    $text
    $location
}
CONF
    }
    my $http = ($option{http} // '') . "\ninit_by_lua_block {\n$NOTES\n" . ($option{init} // '') . "\n}\n$conf";
    my $take = 'location = /notes { content_by_lua_block { ngx.print(table.concat(notes, "\n")) notes = {} } }';
    my @more = map { HotLua::Nginx::free_port() } 2, 3;
    s/%PORT%/$port/g, s/%PORT2%/$more[0]/g, s/%PORT3%/$more[1]/g for $http;
    my $nginx = HotLua::Nginx->new(
        workers => 1,
        http => $http,
        server => $take . ($option{main} // ''),
        files => { %{ certificates(@names) }, %{ $option{files} // {} } },
    );
    return bless { nginx => $nginx, port => $port, port2 => $more[0], port3 => $more[1] }, $class;
}

sub nginx { return $_[0]{nginx} }

# What Lua has noted since this was asked last, as lines.
sub notes { my ($self) = @_; return $self->{nginx}->get('/notes') }

# Shakes hands and asks for `/`: {body, subject, version, reused, ...}, or {error}. OPTIONS are those of IO::Socket::SSL,
# with `name` for the server's name and `path`.
sub shake {
    my ($self, %option) = @_;
    my ($name, $path) = (delete $option{name}, delete $option{path} // '/');
    my $socket = $self->dial($name, %option) or return { error => "$SSL_ERROR" };
    my %seen = (
        subject => ($socket->peer_certificate('commonName') // '') . '',
        version => $socket->get_sslversion,
        reused => $socket->get_session_reused ? 1 : 0,
        chain => scalar(() = $socket->peer_certificates),
    );
    local $SIG{ALRM} = sub { croak "no answer within $DEADLINE s" };
    alarm $DEADLINE;
    print $socket "GET $path HTTP/1.0\r\nHost: " . ($name // 'none') . "\r\n\r\n";
    my $answer = do { local $/; <$socket> } // '';
    alarm 0;
    close $socket;
    return { %seen, body => $answer =~ s/\A.*?\r\n\r\n//sr };
}

# A connection whose handshake is over; undef where it failed.
sub dial {
    my ($self, $name, %option) = @_;
    return IO::Socket::SSL->new(
        PeerAddr => '127.0.0.1',
        PeerPort => $self->{port},
        Timeout => $DEADLINE,
        SSL_verify_mode => SSL_VERIFY_NONE,
        (defined $name ? (SSL_hostname => $name) : ()),
        %option,
    );
}

# Files below tls/: the root (ca.crt, ca.key) and for each name NAME.key, NAME.crt and NAME.chain.
sub certificates {
    my @names = @_;
    certify(@names);
    return { map { ("tls/$_" => HotLua::Certificates::slurp($_)) } 'ca.crt', 'ca.key', map { ("$_.key", "$_.crt", "$_.chain") } @names };
}

1;
