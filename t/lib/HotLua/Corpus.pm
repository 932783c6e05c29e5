# Attack scripts for the sandbox, each with what must come of it in the comments that it begins with.
#
# A line `-- KEY: VALUE`, from the first line on:
#   expect   how the run may end: `ok`, or kinds (`cpu|time`)
#   expect@api  the same where it differs when the script is run by the Lua API, which copies what is returned
#   says     the output of a run that ends well, without its newline
#   message  a regex for what the error or the verdict says
#   returns  what the Lua API hands to the host (as t/sandbox/corpus/host.lua shows it)
#   status   the HTTP status of the answer, where not 200; none: nginx closes the connection
#   profile  the profile, where not `attack`
#   ways     the ways to run it: `file`, `api`, `thread`, `inside`; without it all of them
#   args     the name of the arguments that the host passes
#   source   the script itself, where it would be too long for a file: {{TEXT}}*N stands for N times TEXT, with # for
#            the number of the copy, \xNN for a byte
package HotLua::Corpus;
use strict;
use warnings;

use Carp qw(croak);

my %KEY = map { $_ => 1 } qw(expect expect@api says message returns status profile ways args source);
my @WAYS = qw(file api thread inside);

# The scripts below DIRECTORY, sorted: [{name => CLASS/NAME, class, text, header keys ..., ways => [..]}].
sub load {
    my ($directory) = @_;
    return [map { parse($_, $directory) } sort glob "$directory/*/*.lua"];
}

sub parse {
    my ($path, $directory) = @_;
    open my $file, '<', $path or croak "$path: $!";
    my $text = do { local $/; <$file> };
    my %script = (name => $path =~ s{^\Q$directory\E/|\.lua$}{}gr, text => $text);
    ($script{class}) = $script{name} =~ m{^(\w+)/};
    for my $line (split /\n/, $text) {
        last if $line !~ /^--/;
        my ($key, $value) = $line =~ /^-- ([\w@]+):(?: (.*))?$/ or next;
        croak "$path: unknown key $key" if !$KEY{$key};
        $script{$key} = $value // '';
    }
    croak "$path: no expectation" if !$script{expect};
    $script{text} = expand($script{source}) if defined $script{source};
    $script{profile} //= 'attack';
    $script{ways} = [defined $script{ways} ? split ' ', $script{ways} : @WAYS];
    return \%script;
}

# The innermost repetition first.
sub expand {
    my ($source) = @_;
    $source =~ s/\\(?:x([0-9a-f]{2})|\\)/defined $1 ? chr hex $1 : '\\'/gie;
    1 while $source =~ s/\{\{((?:(?!\{\{|\}\}\*).)+)\}\}\*(\d+)/repeat($1, $2)/es;
    return $source;
}

sub repeat {
    my ($text, $count) = @_;
    return $text x $count if $text !~ /#/;
    return join '', map { $text =~ s/#/$_/gr } 1 .. $count;
}

1;
