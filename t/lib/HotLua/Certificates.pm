# Certificates from a root of our own, made by openssl when they are asked for and gone when the test ends.
package HotLua::Certificates;
use strict;
use warnings;

use Carp qw(croak);
use Exporter qw(import);
use File::Temp ();

our @EXPORT_OK = qw(directory certify self_signed authority revoked openssl);

my $DAYS = 3650;
my ($directory, %made);

# The directory that holds them all: the root is ca.crt, ca.key.
sub directory {
    if (!$directory) {
        $directory = File::Temp->newdir('hotlua-tls-XXXXXX', TMPDIR => 1);
        # Workers that are not root look in.
        chmod 0755, "$directory";
        _make(qw(req -x509 -newkey rsa:2048 -nodes -days), $DAYS, qw(-subj), '/CN=Test Root', qw(-keyout ca.key -out ca.crt));
    }
    return "$directory";
}

# NAME.key, NAME.crt and NAME.chain, with those that lead to the root behind it, of each name; signed by another authority
# than the root where one is given: certify({ by => AUTHORITY }, NAME, ...).
sub certify {
    my $option = ref $_[0] ? shift : {};
    my $by = $option->{by} // 'ca';
    for my $name (grep { !$made{$_}++ } @_) {
        my $responder = "OCSP;URI:http://127.0.0.1:8888/ocsp?of=$name";
        _sign($name, $by, "subjectAltName=DNS:$name\nauthorityInfoAccess=$responder\n");
        my @chain = ("$name.crt", $by eq 'ca' ? 'ca.crt' : "$by.chain");
        _write("$name.chain", join '', map { slurp($_) } @chain);
    }
    return directory();
}

# An authority below another one (the root): NAME.key, NAME.crt and NAME.chain, in which the root is not.
sub authority {
    my ($name, $by) = @_;
    _sign($name, $by // 'ca', "basicConstraints=critical,CA:TRUE\n");
    _write("$name.chain", join '', map { slurp($_) } "$name.crt", $by ? "$by.chain" : ());
    return directory();
}

# NAME.key and NAME.crt that nobody else has signed.
sub self_signed {
    my ($name) = @_;
    directory();
    _make(qw(req -x509 -newkey rsa:2048 -nodes -days), $DAYS, '-subj', "/CN=$name", '-addext', "subjectAltName=DNS:$name",
        '-keyout', "$name.key", '-out', "$name.crt");
    return directory();
}

# FILE, a list by the root in which the certificates of these names are revoked.
sub revoked {
    my ($file, @names) = @_;
    directory();
    _write('index.txt', '');
    _write('crl.conf', "[ca]\ndefault_ca=here\n[here]\ndatabase=index.txt\ndefault_md=sha256\ndefault_crl_days=$DAYS\n");
    my @ca = qw(ca -config crl.conf -keyfile ca.key -cert ca.crt);
    _make(@ca, '-revoke', "$_.crt") for @names;
    _make(@ca, qw(-gencrl -out), $file);
    return directory();
}

# What a file holds.
sub slurp {
    my ($name) = @_;
    open my $file, '<', directory() . "/$name" or croak "$name: $!";
    local $/;
    return scalar <$file>;
}

# Runs the openssl command in a directory; what it says is shown where it fails.
sub openssl {
    my ($at, @words) = @_;
    my $command = join ' ', map { "'$_'" } @words;
    my $output = `cd '$at' && openssl $command 2>&1`;
    croak "openssl $command: $output" if $?;
    return $output;
}

sub _make { return openssl(directory(), @_) }

sub _sign {
    my ($name, $by, $extensions) = @_;
    directory();
    _make(qw(req -newkey rsa:2048 -nodes -subj), "/CN=$name", '-keyout', "$name.key", '-out', "$name.csr");
    _write('ext', $extensions);
    _make(qw(x509 -req -days), $DAYS, '-CA', "$by.crt", '-CAkey', "$by.key", qw(-CAcreateserial -extfile ext -in),
        "$name.csr", '-out', "$name.crt");
    # openssl writes keys for their owner alone.
    chmod 0644, directory() . "/$name.key";
    return;
}

sub _write {
    my ($name, $text) = @_;
    open my $file, '>', directory() . "/$name" or croak "$name: $!";
    print $file $text;
    close $file or croak "$name: $!";
    return;
}

1;
