# A log file of nginx, read in windows: each check sees what came since the last.
package Test::Nginx::Log;

use strict;
use warnings;

use Exporter 'import';
use Time::HiRes qw(sleep time);
use Test::More ();

our @EXPORT_OK = qw(patterns);

# A line that a finished request still has to write is waited for this long.
my $LATE = 0.5;
my $POLL = 0.004;

# With accumulate set, every window begins at the start of the file.
sub new {
    my ($class, $path, %opt) = @_;
    return bless { path => $path, from => 0, %opt }, $class;
}

sub _lines {
    my ($self) = @_;
    open my $file, '<', $self->{path} or return [];
    seek $file, $self->{from}, 0;
    my @lines = <$file>;
    $self->{read_to} = tell $file;
    return \@lines;
}

# Ends the window: the next check begins after what the last one read.
sub advance {
    my ($self) = @_;
    $self->{from} = $self->{read_to} // 0 if !$self->{accumulate};
}

# A section in the forms it may have, as a list of substrings and regexes: text
# gives one a line.
sub patterns {
    my ($section) = @_;
    return () if !defined $section;
    return @$section if ref $section eq 'ARRAY';
    return ($section) if ref $section;
    return grep {length} split /\n/, $section;
}

sub _matches {
    my ($pattern, $line) = @_;
    return ref $pattern ? $line =~ $pattern : index($line, $pattern) >= 0;
}

sub _grep { my ($pattern, $lines) = @_; return grep { _matches($pattern, $_) } @$lines }

# Every pattern must match a line.
sub has {
    my ($self, $name, @patterns) = @_;
    my ($lines, %missing);
    _until(sub {
        $lines = $self->_lines;
        %missing = map { $_ => 1 } grep { !_grep($_, $lines) } @patterns;
        !%missing;
    });
    for my $pattern (@patterns) {
        Test::More::ok(!$missing{$pattern}, "$name - pattern \"$pattern\" is in @{[ $self->_file ]}")
            or Test::More::diag("the log has:\n", _tail($lines));
    }
}

# No pattern may match a line.
sub has_not {
    my ($self, $name, @patterns) = @_;
    my $lines = $self->_lines;
    for my $pattern (@patterns) {
        my @found = _grep($pattern, $lines);
        Test::More::ok(!@found, "$name - pattern \"$pattern\" is not in @{[ $self->_file ]}")
            or Test::More::diag("but it matches:\n", _tail(\@found));
    }
}

# All that $pattern matches in the window, a line each, until that is $expected.
sub extract {
    my ($self, $pattern, $expected) = @_;
    $pattern = quotemeta $pattern if !ref $pattern;
    my $found;
    _until(sub {
        my $text = join '', @{ $self->_lines };
        $found = '';
        while ($text =~ /$pattern/g) {
            $found .= substr($text, $-[0], $+[0] - $-[0]) . "\n";
        }
        ref $expected ? $found =~ $expected : $found eq $expected;
    });
    return $found;
}

# What an operator would be woken for, unless the test names it.
sub alarms {
    my ($self, @expected) = @_;
    my @alarms = grep {/ \[(?:alert|emerg|crit)\] /} @{ $self->_lines };
    return grep { my $line = $_; !grep { _matches($_, $line) } @expected } @alarms;
}

sub _file { return (split m{/}, $_[0]{path})[-1] }

sub _tail {
    my ($lines) = @_;
    my @tail = @$lines > 12 ? ("...\n", @$lines[ -12 .. -1 ]) : @$lines;
    return join '', map { length > 500 ? substr($_, 0, 500) . "...\n" : $_ } @tail ? @tail : "nothing\n";
}

sub _until {
    my ($done) = @_;
    my $end = time + $LATE;
    until ($done->()) {
        return if time > $end;
        sleep $POLL;
    }
}

1;
